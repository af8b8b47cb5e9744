"""Every measurement in one run: python -m tests.benchmarks"""

from __future__ import annotations

from tests.benchmarks import quality, speed, startup

speed.main()
startup.main()
quality.main()

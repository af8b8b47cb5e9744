"""Every measurement of speed, start-up and quality, each in a process of its own: python -m tests.benchmarks"""

from __future__ import annotations

import subprocess
import sys

# a process that has trained would lend its size to the peak memory of those that it starts
for part in ("speed", "startup", "quality"):
    subprocess.run([sys.executable, "-m", f"tests.benchmarks.{part}"], check=True)

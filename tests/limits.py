"""What may be spent on any made-up input: a made-up file that takes longer, or more memory, has found something."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

MOST_SECONDS = 10
MOST_MEMORY = 2**21
"""In KiB, as the system counts it."""


@contextmanager
def within_limits(memory: int = MOST_MEMORY) -> Iterator[None]:
    """Fails where what is inside takes too much of the processor's time, or adds too much memory.

    Args:
        memory: KiB that may be added to the most that was held before.
    """
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
    finally:
        assert time.process_time() - began < MOST_SECONDS
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < memory

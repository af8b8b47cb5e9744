"""Networks of any depth: Keras goes from layer to layer by recursion, which Python ends at about a thousand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

DEEPEST = 100_000
"""Calls within calls: an operation of the deepest network takes one, and Python keeps those of its own on the heap."""


@contextmanager
def any_depth() -> Iterator[None]:
    """Lets Keras build and copy networks of any depth inside; elsewhere Python's own bound stays."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEPEST))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)

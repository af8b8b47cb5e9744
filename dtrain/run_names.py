"""What a run may be called, on every file system and terminal."""

from __future__ import annotations

import re

from dtrain.errors import UsageError
from dtrain.quoting import clipped

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST_STEM = 60


def check_name(name: str) -> None:
    """Refuses what cannot be the name of a run.

    Raises:
        UsageError: It has letters that are not safe, or means a device.
    """
    if not NAME.fullmatch(name) or WINDOWS_DEVICE.fullmatch(name):
        expected = "1 to 80 of A-Z a-z 0-9 . _ -, a letter or digit first, and not the name of a Windows device"
        raise UsageError(f"got {clipped(name)!r}; expected {expected}", where="--name")


def clean_stem(stem: str) -> str:
    """Returns what automatic names begin with: the stem, with a dash for what is not safe."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")[:LONGEST_STEM] or "run"
    return f"run-{clean}" if WINDOWS_DEVICE.fullmatch(clean) else clean

"""What a run may be called, on every file system."""

from __future__ import annotations

import re

from dtrain.ground.errors import UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST_STEM = 60


def check_name(name: str) -> None:
    """Refuses what cannot be the name of a run with a UsageError."""
    if not NAME.fullmatch(name) or WINDOWS_DEVICE.fullmatch(name):
        expected = "1 to 80 of A-Z a-z 0-9 . _ -, a letter or digit first, and not the name of a Windows device"
        raise UsageError(f"got {name!r}; expected {expected}", where="--name")


def clean_stem(stem: str) -> str:
    """Returns what an automatic name begins with: `stem` in safe letters."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")[:LONGEST_STEM] or "run"
    return f"run-{clean}" if WINDOWS_DEVICE.fullmatch(clean) else clean

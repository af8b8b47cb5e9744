"""Values as messages show them: short, in YAML's words, and without control characters."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

SHOWN_CHARACTERS = 60

KeyPath = tuple[str | int, ...]
_INDEX = re.compile(r"[0-9]{1,6}")


def clipped(text: str) -> str:
    """Returns the text, cut to what is comfortable to read in a message."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def printable(text: str) -> str:
    """Returns the text with control characters written as escapes."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def dotted(path: KeyPath) -> str:
    """Returns a path as the command line writes it: ``regularizer.0.rate``."""
    return ".".join(printable(clipped(str(part))) or "''" for part in path)


def undotted(text: str) -> KeyPath:
    """Returns the path that is written so; numbers are indices of lists."""
    return tuple(int(part) if _INDEX.fullmatch(part) else part for part in text.split("."))


def shown(value: object) -> str:
    """Returns a value as a message quotes it: as YAML writes it, and short."""
    return repr(clipped(value)) if isinstance(value, str) else clipped(_in_yaml(value))


def _in_yaml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{printable(key)}: {_in_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_in_yaml, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value).replace("inf", ".inf").replace("nan", ".nan")
    return repr(value)

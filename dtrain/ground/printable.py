"""Values as messages show them: short, in YAML's words, and without control characters."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

SHOWN_CHARACTERS = 60

KeyPath = tuple[str | int, ...]
_INDEX = re.compile(r"[0-9]{1,6}")


def clipped(text: str) -> str:
    """Returns the text, cut to what is comfortable to read in a message."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


class Lines(str):
    """A text whose line breaks are dtrain's own: those of any other are shown as escapes.

    Args:
        lines: What stands on each line.
    """

    __slots__ = ()

    def __new__(cls, *lines: str) -> Lines:
        return super().__new__(cls, "\n".join(map(printable, lines)))


def printable(text: str) -> str:
    """Returns the text with control characters written as escapes; only `Lines` keep their line breaks."""
    if isinstance(text, Lines):
        return text
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def printable_within(value: Any) -> Any:
    """Returns a copy of a value with every text in it printable, however deep in records, lists and mappings."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Path):
        return Path(printable(str(value)))
    if isinstance(value, Mapping):
        return {printable_within(key): printable_within(one) for key, one in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map(printable_within, value))
    if is_dataclass(value) and not isinstance(value, type):
        clean = copy.copy(value)
        for field in fields(value):
            object.__setattr__(clean, field.name, printable_within(getattr(value, field.name)))
        return clean
    return value


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

"""Guess what is meant by a key that no section knows, from the schema alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from dtrain.experiment.config.schema import Schema, every_key, every_kind, takes_number
from dtrain.ground.errors import did_you_mean, nearest
from dtrain.ground.printable import clipped, dotted, shown

MOST_GUESSES = 3
OTHER_NAME = re.compile(r"\balso called ([\w ]+)")
"""How a kind's description gives the name that others know it by."""


def guess_key(received: str, own: Iterable[str]) -> str:
    """Returns what to add to a complaint about an unknown key; an empty string where there is no guess.

    A key is looked for first in its own section and then in all others: by its name, by the initials of its words, and
    by a name that is nearly the same.

    Args:
        received: The unknown key.
        own: The keys of the section that it stands in.
    """
    received = clipped(received).lower().replace("-", "_")
    families = [repr(family) for kind, family in every_kind() if kind == received]
    if families:
        return f"; {received!r} is a kind of {' or '.join(families)}"
    here = {key: [key] for key in own if key != "kind"}
    elsewhere: dict[str, list[str]] = {}
    for path in every_key():
        elsewhere.setdefault(str(path[-1]), []).append(dotted(path))
    for alike in (_same, _initials, nearest):
        for paths in (here, elsewhere):
            if name := alike(received, paths):
                return f"; did you mean {' or '.join(map(repr, paths[name][:MOST_GUESSES]))}?"
    return ""


def guess_kind(received: str, kinds: Mapping[str, Schema]) -> str:
    """Returns what to add where no kind has the name received; an empty string where there is no guess.

    Args:
        received: The unknown kind.
        kinds: The section of each kind.
    """
    name = clipped(received).lower().replace("-", "_")
    # by likeness alone, SiLU would be taken for SELU
    called = next((kind for kind, section in kinds.items() if name in _other_names(section)), name)
    return f"; did you mean {called!r}?" if called in kinds else did_you_mean(name, kinds)


def _other_names(section: Schema) -> list[str]:
    found = OTHER_NAME.findall(section.get("description", ""))
    return [name.lower().replace(" ", "_") for name in found]


def guess_mapping(written: object, kinds: Mapping[str, Schema]) -> str:
    """Returns what to add where a kind is missing that stands there as a key, as in ``{dropout: 0.3}``.

    Args:
        written: The value without a kind.
        kinds: The section of each kind.
    """
    named = [key for key in written if key in kinds] if isinstance(written, dict) else []
    if not isinstance(written, dict) or len(named) != 1:
        return ""
    kind = named[0]
    fields = _as_fields(written[kind], kinds[kind])
    if fields is None:
        return f"; did you mean {{kind: {kind}, ...}}?"
    others = {key: value for key, value in written.items() if key != kind}
    settings = shown({**fields, **others}).removeprefix("{")
    return f"; did you mean {{kind: {kind}{', ' if fields or others else ''}{settings}?"


def _same(received: str, known: Iterable[str]) -> str:
    return received if received in known else ""


def _initials(received: str, known: Iterable[str]) -> str:
    return next((name for name in known if "_" in name and received == "".join(_first_letters(name))), "")


def _first_letters(name: str) -> list[str]:
    return [word[:1] for word in name.split("_")]


def _as_fields(value: object, section: Schema) -> Mapping[str, object] | None:
    """What the value of such a key says in fields; None where that is not certain."""
    if value is None or isinstance(value, dict):
        return value or {}
    numbers = [name for name, field in section["properties"].items() if takes_number(field)]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {numbers[0]: value} if is_number and len(numbers) == 1 else None

"""Guess what is meant by a word that stands where no key, kind or value has that name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dtrain.experiment.config.other_words import meanings, reasons, squashed
from dtrain.experiment.config.schema import Schema, every_key, every_kind, types_of
from dtrain.ground.errors import mistyped, nearest
from dtrain.ground.printable import clipped, dotted, shown

MOST_GUESSES = 3


def guess(received: str, names: Iterable[str], prefix: str) -> str:
    """Returns what to add to a complaint about an unknown word; an empty string where there is no guess.

    What the word means to others counts more than how it is spelt, and its own place more than others.

    Args:
        received: The word.
        names: What might stand in its place.
        prefix: What an override begins with that spells one of them: ``optimizer.`` with keys, nothing with the first
            keys, and ``optimizer=`` with kinds and other values.
    """
    word, keys = squashed(clipped(received)), not prefix.endswith("=")
    here = {squashed(name): [name] for name in names if name != "kind"}
    elsewhere: dict[str, list[str]] = {}
    for path in every_key() if keys else ():
        elsewhere.setdefault(squashed(str(path[-1])), []).append(dotted(path))
    meant = [one for one in meanings(word) if not (keys and "=" in one)]
    ours = [one.removeprefix(prefix) for one in meant if one.startswith(prefix)]
    if found := here.get(word) or [name for name in ours if [name] in here.values()]:
        return _did_you_mean(found)
    for reason in reasons(word):
        return f"; {reason}"
    if found := meant or (elsewhere.get(word, []) if not mistyped(word, here) else []) or meanings(word):
        return _did_you_mean(one.replace("=", ": ") for one in found)
    kind = received.lower().replace("-", "_")
    if families := [repr(family) for one, family in every_kind() if one == kind]:
        return f"; {kind!r} is a kind of {' or '.join(families)}"
    for alike in (mistyped, nearest):
        for known in (here, elsewhere):
            if name := alike(word, known):
                return _did_you_mean(known[name])
    return ""


def _did_you_mean(names: Iterable[str]) -> str:
    return f"; did you mean {' or '.join(map(repr, [*names][:MOST_GUESSES]))}?"


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


def _as_fields(value: object, section: Schema) -> Mapping[str, object] | None:
    """What the value of such a key says in fields; None where that is not certain."""
    if value is None or isinstance(value, dict):
        return value or {}
    numbers = [name for name, field in section["properties"].items() if types_of(field) & {"number", "integer"}]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {numbers[0]: value} if is_number and len(numbers) == 1 else None

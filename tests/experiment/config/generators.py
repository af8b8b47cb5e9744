"""Experiment files and overrides made up at random from the vocabulary of the schema, right and wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import strategies as st

from dtrain.experiment.config.schema import Schema, every_key, every_kind, experiment_schema, kinds_of, resolved
from dtrain.experiment.dataset import NAMED_DATASETS

Path = tuple[str | int, ...]

WORDS: st.SearchStrategy[str] = st.sampled_from(
    [*NAMED_DATASETS, *(kind for kind, _ in every_kind()), *(str(path[-1]) for path in every_key())]
)
ODD_NUMBERS = st.sampled_from([0, -1, 2**31, 2**63, 10**19, 0.0, -0.5, 1e-320, 1e308, float("inf"), float("nan")])
ODD: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | ODD_NUMBERS | st.text(max_size=8) | WORDS | st.just([]) | st.just({})
)
TWISTS = st.sampled_from(
    [*"\t\n :{}[]#&*!|>%@'\"\\,-?=.~\0\x1b\x85\u2028\ufeff", "<<: ", "--- ", "!!int ", "0o8", "9e999"]
)


def texts() -> st.SearchStrategy[str]:
    """Text that looks like YAML or like nothing at all."""
    return st.lists(WORDS | TWISTS | st.text(max_size=5), max_size=30).map("".join)


def contents() -> st.SearchStrategy[bytes]:
    """What a file may hold: bytes of no kind, or text in some encoding."""
    return st.binary(max_size=200) | st.builds(
        str.encode, texts(), st.sampled_from(["utf-8", "utf-16", "latin-1"]), st.just("replace")
    )


def plausible_texts() -> st.SearchStrategy[str]:
    """Files that say what experiments say, many of them with something wrong in a value or in the writing."""
    written = st.builds(_dumped, _mutated(_values(experiment_schema())), st.sampled_from([None, True, False]))
    return written | st.builds(_twisted, written, st.floats(0, 1), st.integers(0, 3), TWISTS)


def overrides() -> st.SearchStrategy[str]:
    """``key.path=value`` with keys and values of the schema, some of which do not belong together."""
    paths = st.sampled_from(list(_paths(experiment_schema(), ())))
    right = paths.flatmap(lambda found: st.builds(_override, st.just(found[0]), _mutated(_values(found[1]))))
    parts = st.lists(WORDS | st.integers(0, 3).map(str) | st.text(max_size=3), max_size=4)
    wrong = st.builds(_override, parts.map(tuple), ODD)
    return right | wrong | st.builds(_twisted, right, st.floats(0, 1), st.integers(0, 3), TWISTS) | texts()


def _dumped(value: object, flow_style: bool | None) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=flow_style, width=10**6)
    return text


def _override(path: Path, value: object) -> str:
    text = _dumped(value, True)
    key = ".".join(map(str, path))
    return f"{key}={text.removesuffix(chr(10)).removesuffix('...').strip()}"


def _twisted(text: str, place: float, removed: int, twist: str) -> str:
    position = int(place * len(text))
    return text[:position] + twist + text[position + removed :]


def _values(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that the schema allows, in their long or short form; bounds are left to the checks."""
    if "discriminator" in schema or "$ref" in schema:
        inner = resolved(schema)
        if "discriminator" in inner:
            kinds = kinds_of(inner)
            return st.one_of(st.sampled_from(list(kinds)), *map(_values, kinds.values()))
        return _values(inner)
    if "anyOf" in schema:
        return st.one_of(*map(_values, schema["anyOf"]))
    if "properties" in schema:
        fields = {name: _values(field) for name, field in schema["properties"].items()}
        return st.lists(st.sampled_from(list(fields)), max_size=4).flatmap(
            lambda names: st.fixed_dictionaries({name: fields[name] for name in ["kind", *names] if name in fields})
        )
    return _plain_values(schema)


def _plain_values(schema: Schema) -> st.SearchStrategy[Any]:
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    if "items" in schema:
        return st.lists(_values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    plain: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers(1, 30),
        "number": st.floats(1e-6, 0.999),
        "boolean": st.booleans(),
        "string": st.sampled_from(list(NAMED_DATASETS)),
        "null": st.none(),
    }
    return plain[schema["type"]]


@st.composite
def _mutated(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> Any:
    """Puts up to two odd things into a value."""
    value = draw(values)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        value = _changed(draw, value)
    return value


def _changed(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: _changed(draw, value[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [*value[1:], _changed(draw, value[0])]
    if isinstance(value, dict):
        return {**value, draw(WORDS | st.text(max_size=4)): draw(ODD)}
    return draw(st.sampled_from([[value], {"kind": value}, str(value)]) | ODD)


def _paths(schema: Schema, path: Path) -> Iterator[tuple[Path, Schema]]:
    inner = resolved(schema)
    if path:
        yield path, schema
    if "items" in inner:
        yield from _paths(inner["items"], (*path, 0))
    for section in kinds_of(inner).values() if "discriminator" in inner else (inner,):
        for name, field in section.get("properties", {}).items():
            yield from _paths(field, (*path, name))

"""Walk the JSON schema of an experiment: references, families of kinds, and the path of every key."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any, get_args

from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.technique import Section
from dtrain.ground.printable import KeyPath

Schema = Mapping[str, Any]


@cache
def experiment_schema() -> Schema:
    """Returns the schema of a whole experiment, written without short forms."""
    return Experiment.model_json_schema()


def resolved(schema: Schema) -> Schema:
    """Returns the schema itself where it is named by reference or may also be null."""
    if "$ref" in schema:
        return resolved(experiment_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    branches = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return resolved(branches[0]) if len(branches) == 1 else schema


def kinds_of(schema: Schema) -> dict[str, Schema]:
    """Returns the sections that a family's schema chooses from, by kind and in the order of their definition."""
    sections = [resolved(one) for one in schema["oneOf"]]
    return {one["properties"]["kind"]["const"]: one for one in sections}


def types_of(schema: Schema) -> set[str]:
    """Returns the types that may stand where the schema does, as JSON schemas name them."""
    return {one.get("type", "object") for one in schema.get("anyOf", (schema,))}


@cache
def every_key() -> tuple[KeyPath, ...]:
    """Returns the path of every key but `kind`, of every kind, without the indices of lists."""
    return tuple(dict.fromkeys(path for path, _ in _fields(experiment_schema(), ())))


def schemas_at(path: KeyPath) -> tuple[Schema, ...]:
    """Returns what may stand at a key, in each of the kinds that have it.

    Args:
        path: One of `every_key()`.
    """
    return tuple(entry(schema) for one, schema in _fields(experiment_schema(), ()) if one == path)


@cache
def families() -> Mapping[str, Schema]:
    """Returns the schema that chooses a kind, of every key that has kinds."""
    entries = {key: entry(field) for key, field in experiment_schema()["properties"].items()}
    return {key: one for key, one in entries.items() if "discriminator" in one}


@cache
def every_kind() -> tuple[tuple[str, str], ...]:
    """Returns every kind with the key of its family."""
    return tuple((kind, key) for key, one in families().items() for kind in kinds_of(one))


def family_text(key: str) -> tuple[str, str]:
    """Returns what a family is and what else there is to say: what the module of its kinds begins with."""
    summary, _, details = (module_of(key).__doc__ or "").partition("\n")
    return summary, " ".join(details.split())


def module_of(key: str) -> ModuleType:
    """Returns the module that the kinds of a family are written in."""
    return sys.modules[next(sections_of(key)).__module__]


def sections_of(key: str) -> Iterator[type[Section]]:
    """Yields the class of every kind of a family, in the order of their definition."""
    return _sections(Experiment.model_fields[key].annotation)


def _sections(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)


def entry(schema: Schema) -> Schema:
    """Returns the schema of one entry where a list is expected, and otherwise of the value itself."""
    inner = resolved(schema)
    return resolved(inner["items"]) if "items" in inner else inner


def _fields(schema: Schema, path: KeyPath) -> Iterator[tuple[KeyPath, Schema]]:
    inner = entry(schema)
    for section in kinds_of(inner).values() if "discriminator" in inner else (inner,):
        for name, field in section.get("properties", {}).items():
            if name != "kind":
                yield (*path, name), field
                yield from _fields(field, (*path, name))

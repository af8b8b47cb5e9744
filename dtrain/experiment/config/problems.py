"""Say what is wrong with an experiment in the words of its file, at the places where the user wrote it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dtrain.experiment.config.mistakes import meant_value, mistyped_line
from dtrain.experiment.config.overrides import long_form
from dtrain.experiment.config.placing import as_written, placed
from dtrain.experiment.config.schema import Schema, experiment_schema, kinds_of, resolved, types_of
from dtrain.experiment.config.suggestions import guess, guess_mapping
from dtrain.experiment.config.yaml_reader import Document
from dtrain.experiment.config.yaml_schema import MAXIMUM_DIGITS, plain_value
from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.findings import findings
from dtrain.experiment.fit.rule import Contradictions, Finding
from dtrain.ground.errors import Problem
from dtrain.ground.printable import KeyPath, clipped, dotted, shown

_NOUNS = {
    "integer": ("an integer", "integers"),
    "number": ("a number", "numbers"),
    "boolean": ("true or false", "values true or false"),
    "string": ("text that is not empty", "texts that are not empty"),
    "object": ("a mapping", "mappings"),
    "null": ("null", "nulls"),
}
_BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "greater than",
    "maximum": "of at most",
    "exclusiveMaximum": "less than",
}


@dataclass(frozen=True)
class Target:
    """What a complaint of pydantic is about.

    Args:
        path: The path in an experiment written without short forms.
        schema: What may stand there; empty where nothing may.
        section: The mapping that holds it.
        family: Every kind of that mapping; empty where it has no kinds.
    """

    path: KeyPath
    schema: Schema
    section: Schema
    family: Mapping[str, Schema]


def experiment_problems(error: ValidationError, document: Document) -> Iterator[Problem]:
    """Yields every problem with the experiment, each once.

    Args:
        error: What pydantic found.
        document: What the user wrote.
    """
    complaints = [(_target(one["loc"]), one) for one in error.errors(include_url=False, include_input=False)]
    containers = {target.path[:end] for target, _ in complaints for end in range(len(target.path))}
    seen: set[Problem] = set()
    for target, complaint in complaints:
        if complaint["type"] == "value_error":
            wrong = complaint["ctx"]["error"]
            found = [
                placed(one, document)
                for one in (wrong.found if isinstance(wrong, Contradictions) else [Finding.of(wrong, *target.path)])
            ]
        elif complaint["type"] == "extra_forbidden":
            found = [_unknown_key(target, document)]
        else:
            # A list is also wrong whenever one of its entries is: only the entry is worth a message.
            found = [] if target.path in containers else [_wrong_value(target, complaint, document)]
        yield from (one for one in found if one not in seen)
        seen.update(found)


def remaining_errors(error: ValidationError, document: Document) -> Iterator[Problem]:
    """Yields what does not fit together among the sections that `error` does not complain about.

    pydantic looks at the whole only when every part is right; the user is told of everything at once all the same.

    Args:
        error: What pydantic found.
        document: What the user wrote.
    """
    wrong = {str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False) if one["loc"]}
    if wrong:
        written = cast(dict[str, Any], document.value)
        rest = Draft.model_validate({key: value for key, value in written.items() if key not in wrong})
        yield from (placed(one, document) for one in findings("error", rest, wrong))


def _target(location: Sequence[str | int]) -> Target:
    """Finds what pydantic's location means: it names the kinds and the branches of unions that it went through."""
    path: KeyPath = ()
    schema = experiment_schema()
    section: Schema = {}
    family: Mapping[str, Schema] = {}
    for position, part in enumerate(location):
        inner = resolved(schema)
        if "discriminator" in inner:
            family = kinds_of(inner)
            schema = family[str(part)]
        elif "properties" in inner:
            path, section = (*path, part), inner
            family = family if inner in family.values() else {}
            schema = inner["properties"].get(part, {})
        elif "items" in inner:
            path, schema = (*path, part), inner["items"]
        elif position < len(location) - 1:
            schema = next(one for one in inner["anyOf"] if one["type"] == "array")
    return Target(path, schema, section, family)


def _unknown_key(target: Target, document: Document) -> Problem:
    key, keys = str(target.path[-1]), list(target.section["properties"])
    kind = next((f" for {kind}" for kind, one in target.family.items() if one is target.section), "")
    owners = [repr(kind) for kind, one in target.family.items() if key in one["properties"]]
    message = f"got the unknown key {clipped(key)!r}{kind}; expected one of {', '.join(map(repr, keys))}"
    belongs = (
        f"; {key!r} belongs to {', '.join(owners)}" if owners else guess(key, keys, _in_override(target.path[:-1], "."))
    )
    section, dot, inner = key.partition(".")
    nested = f"write `{section}: {{{inner}: ...}}`: only overrides have dots" if dot and section in keys else ""
    return Problem(message + belongs, as_written(target.path, document).key_where, mistyped_line(key) or nested)


def _wrong_value(target: Target, complaint: ErrorDetails, document: Document) -> Problem:
    path, schema = target.path, target.schema
    tagged = complaint["type"].startswith("union_tag")
    kinds = kinds_of(resolved(schema)) if tagged else {}
    if tagged:
        path, schema = (*path, "kind"), {"enum": list(kinds)}
    written = as_written(path, document)
    value, expected = written.value, _expected(path, schema)
    if written.missing:
        meant = guess_mapping(written.value, kinds) if tagged else ""
        return Problem(f"is missing; expected {expected}{meant}", written.where)
    if isinstance(value, float) and not math.isfinite(value):
        expected = expected.replace("a number", "a finite number")
    type_is_wrong = complaint["type"].endswith("_type")
    kind = {str: " (a string)", bool: " (a boolean)"}.get(type(value), "") if type_is_wrong else ""
    hint = _fix(value, schema) if type_is_wrong or tagged else ""
    names = kinds or schema.get("enum", ())
    near = guess(value, names, _in_override(target.path, "=")) if isinstance(value, str) and names else ""
    return Problem(f"got {shown(value)}{kind}; expected {expected}{near}", written.where, hint)


def _in_override(path: KeyPath, sign: str) -> str:
    """Returns what an override of something at a path, or of what it holds, begins with; indices need not be given."""
    return "".join((dotted(tuple(part for part in path if isinstance(part, str))), sign)) if path else ""


def _fix(value: object, schema: Schema) -> str:
    if not isinstance(value, str):
        return "write null" if value is False and "null" in types_of(schema) else ""
    quoted = len(value) <= MAXIMUM_DIGITS and isinstance(plain_value(value), int | float)
    return "write it without quotes" if quoted else meant_value(value, types_of(schema))


def _expected(path: KeyPath, schema: Schema) -> str:
    """Returns in words what may stand at a path."""
    inner = resolved(schema)
    takes_name = isinstance(path[-1], int) or isinstance(long_form(path, "name"), dict)
    if "discriminator" in inner:
        kinds = ", ".join(map(repr, kinds_of(inner)))
        return f"one of {kinds}, or a mapping with kind" if takes_name else f"a list, or a mapping with kind {kinds}"
    if "properties" in inner and takes_name:
        return "a name or a mapping"
    return in_words(schema)


def explanation(schema: Schema) -> str:
    """Returns what a field is for, where its name does not say it all, and what it may be."""
    words, description = in_words(schema), schema.get("description")
    return f"{description} ({words})" if description else words


def in_words(schema: Schema, *, plural: bool = False) -> str:
    """Returns in words what a schema allows, such as ``a number greater than 0``."""
    if "anyOf" in schema:
        return ", or ".join(in_words(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return in_words(resolved(schema))
    if "enum" in schema:
        return f"one of {', '.join(map(repr, schema['enum']))}"
    if "const" in schema:
        return repr(schema["const"])
    if "items" in schema:
        return _listin_words(schema)
    bounds = [f"{word} {schema[bound]}" for bound, word in _BOUNDS.items() if bound in schema]
    return " ".join([_NOUNS[schema["type"]][plural], " and ".join(bounds)]).strip()


def _listin_words(schema: Schema) -> str:
    number = f" of {schema['minItems']} or more" if "minItems" in schema else ""
    if "type" in schema["items"] and "enum" not in schema["items"]:
        return f"a list{number or ' of'} {in_words(schema['items'], plural=True)}"
    return f"a list{number}, each {_expected((0,), schema['items'])}"

"""The vocabulary as data: every family, its kinds, their fields, what the lesson advises and how to write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from dtrain.experiment.config.problems import explanation
from dtrain.experiment.config.schema import Schema, every_kind, families, family_text, kinds_of, module_of, sections_of
from dtrain.experiment.config.yaml_writer import write_line
from dtrain.experiment.fit.findings import RULES, findings
from dtrain.experiment.spec import Experiment
from dtrain.ground.printable import Lines, shown


@dataclass(frozen=True)
class Field:
    """A field of a kind.

    Args:
        name: Its key.
        default: As YAML; empty where the field must be given.
        explanation: What it is for and may be.
    """

    name: str
    default: str
    explanation: str


@dataclass(frozen=True)
class Kind:
    """A technique.

    Args:
        kind: Its name.
        summary: What it is.
        details: What else there is to say; may be empty.
        fields: All of them but ``kind``.
        advice: What the lesson says about its use.
        yaml: Lines of an experiment file, with every default.
    """

    kind: str
    summary: str
    details: str
    fields: tuple[Field, ...]
    advice: tuple[str, ...]
    yaml: str


@dataclass(frozen=True)
class Family:
    """A family of techniques.

    Args:
        key: Its key in an experiment file.
        summary: What it is.
        details: What else there is to say; may be empty.
        ratings: The lesson's table, if it has one: forms of its kinds with speed and quality of convergence.
        kinds: Its kinds.
    """

    key: str
    summary: str
    details: str
    ratings: tuple[tuple[str, str, str], ...]
    kinds: tuple[Kind, ...]


def catalogue(key: str) -> Family:
    """Returns everything about a family.

    Args:
        key: One of `families()`.
    """
    kinds = kinds_of(families()[key])
    ratings = getattr(module_of(key), "RATINGS", ())
    return Family(key, *family_text(key), ratings, tuple(_kind(key, kind, one) for kind, one in kinds.items()))


def _kind(key: str, kind: str, section: Schema) -> Kind:
    summary, _, details = section.get("description", "").partition("\n\n")
    fields = tuple(_field(name, one) for name, one in section["properties"].items() if name != "kind")
    (technique,) = (one for one in sections_of(key) if kind in get_args(one.model_fields["kind"].annotation))
    advice = tuple(rule.text for rule in RULES if issubclass(technique, rule.about))
    yaml = Lines(*(write_line(name, value) for name, value in _example(key, kind, section).items()))
    return Kind(kind, _on_one_line(summary), _on_one_line(details), fields, advice, yaml)


def _field(name: str, schema: Schema) -> Field:
    default = shown(schema["default"]).replace("'", "") if "default" in schema else ""
    return Field(name, default, explanation(schema))


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _example(key: str, kind: str, section: Schema) -> Mapping[str, Any]:
    """Returns the shortest experiment with every default of a kind that is right, if possible well advised."""
    right = [one for one in _examples(key, kind, section) if _is_right(one)]
    return next((one for one in right if not findings("advice", Experiment.model_validate(one))), right[0])


def _examples(key: str, kind: str, section: Schema) -> Iterator[Mapping[str, Any]]:
    defaults = {name: one.get("default") for name, one in section["properties"].items() if name != "kind"}
    given = {name: value for name, value in defaults.items() if value is not None}
    entry: Any = {"kind": kind, **given} if given else kind
    yield {key: entry}
    # some kinds have no meaning without a choice that has no default: the default experiment makes it
    usual = Experiment.model_validate({}).model_dump(mode="json", exclude_none=True)[key]
    if isinstance(usual, dict) and usual["kind"] == kind:
        yield {key: {"kind": kind, **usual}}
    # others only go with a certain kind of another family
    for other, family in every_kind():
        if family != key:
            yield {key: entry, family: {"kind": other}}
    yield {key: entry}


def _is_right(written: Mapping[str, Any]) -> bool:
    try:
        Experiment.model_validate(written)
    except ValidationError:
        return False
    return True

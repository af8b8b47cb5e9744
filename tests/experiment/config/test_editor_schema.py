"""The schema for editors accepts what dtrain accepts and refuses what it refuses, judged by the jsonschema package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import ValidationError

from dtrain.experiment.config.catalogue import catalogue
from dtrain.experiment.config.editor_schema import editor_schema
from dtrain.experiment.config.loading import parse_experiment
from dtrain.experiment.config.schema import every_kind, families
from dtrain.experiment.config.template import template
from dtrain.experiment.config.yaml_writer import write_line
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError
from tests.pages import PAGES, blocks
from tests.test_configs import CONFIGS

SCHEMA = editor_schema()
VALIDATOR = Draft7Validator(SCHEMA)


def accepts(text: str) -> bool:
    return bool(VALIDATOR.is_valid(yaml.safe_load(text)))


def dtrain_accepts(text: str) -> bool:
    try:
        parse_experiment(text, "exp.yaml")
    except ConfigError:
        return False
    return True


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_accepted(path: Path) -> None:
    text = path.read_text().replace("1e-4", "0.0001")  # the oracle's YAML is 1.1
    assert accepts(text)


def test_the_template_and_the_examples_of_the_docs_are_accepted() -> None:
    assert accepts(template("experiment.yaml", "schema.json"))
    examples = [text for page in PAGES for text in blocks(page, "yaml")]
    assert examples
    for text in examples:
        assert accepts(text.replace("1e-4", "0.0001"))


@pytest.mark.parametrize(
    "text",
    [
        "dataset: mnist",
        "dataset: {name: ./mine.npz, validation: 5000}",
        "network: [300, 100]",
        "network: {depth: 20, width: 100}",
        "network: {filters: [8]}",
        "network: {kind: conv}",
        "regularizer: dropout",
        "regularizer: {kind: dropout, rate: 0.3}",
        "regularizer: [dropout, {kind: l2}]",
        "regularizer: []",
        "training: {early_stopping: null}",
        "seed: 7",
    ],
)
def test_every_way_to_write_it_is_accepted(text: str) -> None:
    assert dtrain_accepts(text)
    assert accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "optimiser: adam",
        "activation: elo",
        "activation: {alpha: 1.0}",
        "activation: {kind: selu, alpha: 1.0}",
        "network: conv",
        "network: [0]",
        "network: {filters: [8], depth: 3}",
        "optimizer: {kind: adam, momentum: 0.9}",
        "optimizer: {kind: sgd, learning_rate: '0.1'}",
        "optimizer: [adam]",
        "regularizer: [dropout, l3]",
        "training: {epochs: 0}",
        "training: {epochs: true}",
        "training: {save: [onnx]}",
        "seed: -1",
        "dataset: null",
    ],
)
def test_a_planted_mistake_is_refused(text: str) -> None:
    assert not dtrain_accepts(text)
    assert not accepts(text)


VALUES: tuple[object, ...] = (0, -1, 0.5, 3, 1000, "0.5", "no such word", True, None, [], [1, 2], {})


def variations(family: str, kind: str) -> Iterator[str]:
    """The bare name, the lines of the catalogue, and each field in turn with values right and wrong."""
    known = next(one for one in catalogue(family).kinds if one.kind == kind)
    defaults: dict[str, Any] = yaml.safe_load(known.yaml)
    yield known.yaml
    yield write_line(family, kind)
    for field in known.fields:
        for value in VALUES:
            changed = defaults | {family: {"kind": kind, field.name: value}}
            yield "\n".join(write_line(*line) for line in changed.items())
    yield write_line(family, {"kind": kind, "no_such_field": 1})


def only_contradicts_itself(text: str) -> bool:
    """Whether what is wrong lies between keys that are right one by one, which no schema is asked to see."""
    with pytest.raises(ValidationError) as caught:
        Experiment.model_validate(yaml.safe_load(text))
    return {one["type"] for one in caught.value.errors()} == {"value_error"}


@pytest.mark.parametrize(("kind", "family"), every_kind())
def test_schema_and_dtrain_agree_on_every_field_of_every_kind(kind: str, family: str) -> None:
    for text in variations(family, kind):
        assert accepts(text) == (dtrain_accepts(text) or only_contradicts_itself(text)), text


def test_everything_has_a_description() -> None:
    assert set(SCHEMA["properties"]) > set(families())
    assert list(without_description(SCHEMA)) == []


def without_description(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            if not field.get("description"):
                yield name
        for inner in schema.values():
            yield from without_description(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from without_description(inner)

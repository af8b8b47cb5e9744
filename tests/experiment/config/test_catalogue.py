"""The catalogue: every kind says what it is, and shows lines of YAML that are right."""

from __future__ import annotations

from typing import Any

import pytest

from dtrain.experiment.config.catalogue import Kind, catalogue
from dtrain.experiment.config.loading import parse_experiment
from dtrain.experiment.config.schema import every_kind, families, sections_of
from dtrain.experiment.fit.findings import RULES

KINDS: list[tuple[str, Kind]] = [(key, kind) for key in families() for kind in catalogue(key).kinds]


def found(family: str, kind: str) -> Kind:
    return next(one for key, one in KINDS if (key, one.kind) == (family, kind))


def test_every_kind_is_there() -> None:
    assert [(kind.kind, key) for key, kind in KINDS] == list(every_kind())


@pytest.mark.parametrize(("family", "kind"), KINDS, ids=[f"{key}-{kind.kind}" for key, kind in KINDS])
def test_the_lines_of_a_kind_are_right_and_name_it(family: str, kind: Kind) -> None:
    assert kind.yaml.startswith(f"{family}: ")
    value: Any = getattr(parse_experiment(kind.yaml, kind.kind), family)
    assert (value[0] if isinstance(value, tuple) else value).kind == kind.kind
    assert kind.summary.endswith(".")


def test_fields_have_defaults_and_explanations() -> None:
    slope, *others = found("activation", "leaky_relu").fields
    assert (slope.name, slope.default, slope.explanation) == ("negative_slope", "0.2", "a number of at least 0")
    assert others == []
    position = found("normalization", "batch_norm").fields[0]
    assert position.explanation.startswith("after the activation, or before it")


def test_a_kind_without_usable_defaults_shows_the_usual_choice() -> None:
    assert found("network", "dense").yaml == (
        "network: {kind: dense, output: auto, residual: false, fixup: false, hidden: [300, 100]}"
    )


def test_the_lessons_advice_stands_with_the_kinds_that_it_is_about() -> None:
    assert any("standardize" in one for one in found("activation", "selu").advice)
    assert found("activation", "tanh").advice == ()
    kinds = [kind for key in families() for kind in sections_of(key)]
    assert all(any(issubclass(kind, one) for kind in kinds) for rule in RULES for one in rule.about)


def test_families_that_share_a_kinds_name_do_not_share_its_advice() -> None:
    assert not any("decay_epochs" in one for one in found("activation", "exponential").advice)
    assert any("decay_epochs" in one for one in found("schedule", "exponential").advice)
    assert found("schedule", "constant").advice == ()


def test_the_lines_to_copy_follow_the_advice_where_anything_can() -> None:
    assert found("regularizer", "alpha_dropout").yaml.endswith("activation: {kind: selu}")

"""How far plain descent goes: rate, momentum, steps and clipping together, and nothing where others scale the steps."""

from __future__ import annotations

import pytest

from dtrain.experiment.config.loading import parse_experiment
from dtrain.experiment.fit.descent import way
from dtrain.experiment.fit.findings import findings

TEN_STEPS = "dataset: {train_limit: 320}, training: {epochs: 1, batch_size: 32}, schedule: constant, "
SLOW = "optimizer: {kind: sgd, learning_rate: 0.0001}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEN_STEPS + "optimizer: {kind: sgd, learning_rate: 0.1}", 1),
        (TEN_STEPS + "optimizer: {kind: sgd, learning_rate: 0.1, momentum: 0.9}", 10),
        (TEN_STEPS + "optimizer: adam", float("inf")),
        (TEN_STEPS + "optimizer: sgd, normalization: layer_norm", float("inf")),
        ("dataset: ./own.npz, optimizer: sgd", float("inf")),
    ],
)
def test_the_way_is_velocity_times_steps_where_both_are_known(text: str, expected: float) -> None:
    assert way(parse_experiment(f"{{{text}}}", "exp.yaml")) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (SLOW, {"low_rate"}),
        (SLOW + ", training: {epochs: 200}", set()),
        (SLOW + ", transfer: {reuse: all}", set()),
        (TEN_STEPS + "optimizer: sgd", {"few_steps"}),
        ("optimizer: {kind: sgd, learning_rate: 0.1, global_clipnorm: 0.01}", set()),
        ("optimizer: {kind: sgd, learning_rate: 0.1, global_clipnorm: 0.001}", {"cut_steps"}),
        ("optimizer: {kind: sgd, learning_rate: 0.1, clipnorm: 0.001}", {"cut_steps", "clipnorm"}),
    ],
)
def test_a_short_way_is_blamed_on_what_makes_it_short(text: str, rules: set[str]) -> None:
    experiment = parse_experiment(f"{{{text}}}", "exp.yaml")
    assert {one.rule for one in findings("advice", experiment)} - {"no_early_stopping"} == rules

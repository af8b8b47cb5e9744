"""The default tables, and what does not fit together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dtrain.experiment.fit.rule import Contradictions
from dtrain.experiment.spec import Experiment
from dtrain.ground.printable import undotted


def experiment(**written: Any) -> Experiment:
    return Experiment.model_validate(written)


def contradictions(**written: Any) -> dict[tuple[str | int, ...], str]:
    with pytest.raises(ValidationError) as caught:
        experiment(**written)
    error = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(error, Contradictions)
    return {undotted(one.place): one.message for one in error.found}


def test_the_default_table_of_a_shallow_net_has_no_normalization() -> None:
    default = experiment()
    assert (default.initializer.kind, default.activation.kind) == ("he_normal", "elu")
    assert (default.normalization.kind, default.schedule.kind) == ("none", "one_cycle")
    assert default.training.early_stopping is not None
    assert [one.kind for one in default.regularizer] == ["l2"]
    assert default.dataset.scaling == "unit"


@pytest.mark.parametrize("network", [[50] * 5, {"depth": 20, "width": 100}, {"hidden": [50] * 5}])
def test_the_default_table_of_a_deep_net_has_batch_norm(network: object) -> None:
    assert experiment(network=network).normalization.kind == "batch_norm"


def test_selu_brings_the_self_normalising_table() -> None:
    selu = experiment(activation="selu", network={"depth": 20, "width": 100})
    assert (selu.initializer.kind, selu.normalization.kind) == ("lecun_normal", "none")
    assert [one.kind for one in selu.regularizer] == ["alpha_dropout"]
    assert selu.dataset.scaling == "standardize"


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("tanh", "glorot_uniform"), ("sigmoid", "glorot_uniform"), ("linear", "glorot_uniform"), ("selu", "lecun_normal")]
    + [(kind, "he_normal") for kind in ("relu", "leaky_relu", "prelu", "rrelu", "swish", "gelu", "soft_shrink")],
)
def test_an_activation_brings_the_first_weights_that_it_is_paired_with(activation: str, initializer: str) -> None:
    assert experiment(activation=activation).initializer.kind == initializer
    assert experiment(activation={"kind": activation}).initializer.kind == initializer


def test_what_a_file_says_wins_over_the_tables() -> None:
    selu = experiment(activation="selu", initializer="he_normal", regularizer=[], dataset={"scaling": "unit"})
    assert (selu.initializer.kind, selu.regularizer, selu.dataset.scaling) == ("he_normal", (), "unit")


def test_early_stopping_lets_a_cycle_end_by_default() -> None:
    cycle, constant = experiment(training={"epochs": 30}), experiment(schedule="constant", training={"epochs": 30})
    assert cycle.training.early_stopping and cycle.training.early_stopping.patience == 30
    assert constant.training.early_stopping and constant.training.early_stopping.patience == 10
    monitored = experiment(training={"epochs": 30, "early_stopping": {"monitor": "val_accuracy"}})
    assert monitored.training.early_stopping and monitored.training.early_stopping.patience == 30
    impatient = experiment(training={"epochs": 30, "early_stopping": {"patience": 3}})
    assert impatient.training.early_stopping and impatient.training.early_stopping.patience == 3


@pytest.mark.parametrize(("schedule", "patience"), [("cosine", 30), ("polynomial", 30), ("cosine_restarts", 10)])
def test_other_schedules_that_end_low_are_let_end_too(schedule: str, patience: int) -> None:
    stopping = experiment(schedule=schedule, training={"epochs": 30}).training.early_stopping
    assert stopping and stopping.patience == patience


def test_early_stopping_can_be_switched_off_and_stays_when_training_says_something_else() -> None:
    assert experiment(training={"early_stopping": None}).training.early_stopping is None
    assert experiment(training={"epochs": 3}).training.early_stopping is not None


def test_row_13_batch_larger_than_the_training_set() -> None:
    found = contradictions(training={"batch_size": 9001})
    assert found == {("training", "batch_size"): "got 9001; expected at most 9000, the number of training images"}


@pytest.mark.parametrize(
    ("dataset", "path"),
    [
        ({"name": "mnist", "classes": [0, 11]}, ("dataset", "classes", 1)),
        ({"name": "mnist", "classes": [3, 3]}, ("dataset", "classes", 1)),
        ({"name": "fashion_mnist", "train_limit": 56_000}, ("dataset", "train_limit")),
        ({"name": "mnist_sample", "validation": 10_000}, ("dataset", "validation")),
    ],
)
def test_row_35_what_a_known_data_set_cannot_give_is_found_without_reading_it(
    dataset: dict[str, object], path: tuple[str | int, ...]
) -> None:
    assert set(contradictions(dataset=dataset)) == {path}


def test_row_14_too_many_parameters_are_estimated_before_anything_is_built() -> None:
    found = contradictions(network={"depth": 10_000, "width": 10**9})
    assert "parameters" in found[("network",)]


def test_row_16_boundaries_behind_the_last_epoch() -> None:
    found = contradictions(schedule={"kind": "piecewise"}, training={"epochs": 10})
    assert found[("schedule", "boundaries")].startswith("got [5, 15] with training.epochs 10")


def test_row_18_sigmoid_with_ten_classes() -> None:
    assert "10 classes" in contradictions(network={"hidden": [5], "output": "sigmoid"})[("network", "output")]
    assert experiment(network={"hidden": [5], "output": "sigmoid"}, dataset={"classes": [5, 6]})


def test_several_contradictions_are_found_at_once() -> None:
    found = contradictions(regularizer=["l1", "l2", {"kind": "dropout", "rate": [0.1]}], training={"batch_size": 10**6})
    assert set(found) == {("regularizer", 1), ("regularizer", 2, "rate"), ("training", "batch_size")}


def test_one_cycle_says_where_there_is_no_momentum_to_cycle() -> None:
    assert "no momentum to cycle" in experiment(optimizer="adam").notices()[0]
    assert experiment().notices() == ()


RESIDUAL = [
    {"depth": 4, "width": 7, "residual": True},
    {"hidden": [12, 8, 5, 8], "residual": True, "fixup": True},
    {"filters": [4, 4, 4, 4, 3, 6], "hidden": [5], "residual": True},
    {"filters": [4, 4, 3, 6], "hidden": [5], "residual": True, "fixup": True},
]


@pytest.mark.parametrize(
    "network", [[300, 100], {"depth": 3, "width": 7}, {"filters": [4, 6], "hidden": [5]}, *RESIDUAL]
)
def test_parameters_are_counted_as_keras_counts_them(network: object) -> None:
    from dtrain.engine.model import build_model

    one = experiment(network=network, normalization="none")
    model = build_model(one, (28, 28), 10, seed=1)
    assert one.network.parameters((28, 28), 10) == model.count_params()

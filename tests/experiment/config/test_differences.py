"""What differs between experiments, by dotted key."""

from __future__ import annotations

from typing import Any

import pytest

from dtrain.experiment.config.differences import differing_settings
from dtrain.experiment.spec import Experiment


def differing(*written: dict[str, Any]) -> list[dict[str, object]]:
    return differing_settings([Experiment.model_validate(one) for one in written])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"seed": 1}, {"seed": 2}, [{}, {}]),
        ({"network": [20]}, {"network": [20, 10]}, [{"network.hidden": [20]}, {"network.hidden": [20, 10]}]),
        ({"training": {"batch_size": 16}}, {}, [{"training.batch_size": 16}, {"training.batch_size": 32}]),
        (
            {"regularizer": []},
            {"regularizer": [{"kind": "dropout", "rate": 0.1}]},
            [{"regularizer": []}, {"regularizer.0.kind": "dropout", "regularizer.0.rate": 0.1}],
        ),
    ],
)
def test_two_experiments(first: dict[str, Any], second: dict[str, Any], expected: list[dict[str, object]]) -> None:
    assert differing(first, second) == expected


def test_of_another_kind_only_what_was_chosen_is_told_and_the_kind_first() -> None:
    """Adam's beta_1 is left at its default, its beta_2 is not, and gradient descent has neither."""
    sgd, adam = differing({"optimizer": "sgd"}, {"optimizer": {"kind": "adam", "beta_2": 0.9}})
    assert next(iter(adam)) == "optimizer.kind"
    assert adam["optimizer.beta_2"] == 0.9
    assert "optimizer.beta_1" not in adam and "optimizer.beta_2" not in sgd


def test_one_of_three_that_differs() -> None:
    assert differing({}, {"activation": "relu"}, {}) == [{"activation.kind": kind} for kind in ("elu", "relu", "elu")]

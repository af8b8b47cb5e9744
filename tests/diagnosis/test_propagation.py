"""What signals at rest promise: the verdict on each kind of profile, and its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.diagnosis.propagation import LayerAtRest, is_symmetric, layer_at_rest, verdict_on
from dtrain.engine.layer_measures import LayerStep


def layers(gradients: list[float | None], saturated: float = 0.0) -> list[LayerAtRest]:
    return [LayerAtRest(f"dense_{number}", 0.0, 1.0, one, saturated) for number, one in enumerate(gradients, 1)]


@pytest.mark.parametrize(
    ("gradients", "saturated", "fate", "words"),
    [
        ([1.0, 2.0, 4.0], 0.0, "keeps", "x0.5 a layer, x0.25 from dense_3 to dense_1"),
        ([1e-6, 1e-3, 1.0], 0.0, "vanishes", "x0.001 a layer, x1e-06 from dense_3 to dense_1"),
        ([0.0, 0.0, 1.0], 0.0, "vanishes", "no gradient reaches the first layer"),
        ([1e6, 1e3, 1.0], 0.0, "explodes", "x1e+03 a layer"),
        ([None, 1.0], 0.0, "explodes", "beyond what numbers hold"),
        ([1e-6, 1e-3, 1.0], 0.6, "saturates", "60% of the values of dense_3"),
        ([1.0], 0.0, "keeps", "one hidden layer"),
    ],
)
def test_a_verdict_for_each_profile(gradients: list[float | None], saturated: float, fate: str, words: str) -> None:
    found = verdict_on(layers(gradients, saturated), flat_at_best=0.1, symmetric=False)
    assert found.fate == fate and words in found.words


def test_half_of_relu_is_off_without_being_saturated() -> None:
    found = verdict_on(layers([1.0, 1.0], saturated=0.9), flat_at_best=0.5, symmetric=False)
    assert (found.fate, found.forward, found.backward) == ("keeps", 1, 1)


def step(activations: list[list[float]], gradients: list[list[float]]) -> LayerStep:
    values = np.array(activations)
    return LayerStep(np.ones(2), np.zeros(2), None, values, values, np.ones(2), 0.05, np.array(gradients))


def test_units_are_symmetric_where_they_compute_and_learn_the_same() -> None:
    same, other = [[1.0, 1.0], [2.0, 2.0]], [[1.0, 1.0], [2.0, 2.1]]
    assert is_symmetric(step(same, same))
    assert not is_symmetric(step(same, other)) and not is_symmetric(step(other, same))
    assert not is_symmetric(step(same, [[0.0, 0.0]] * 2))


def test_a_layer_is_told_in_numbers_that_json_knows() -> None:
    found = layer_at_rest("dense_1", step([[1.0, 3.0], [3.0, 3.0]], [[0.5, -0.5]]))
    assert found == LayerAtRest("dense_1", 2.5, 0.5, 0.5, 0.0)
    assert layer_at_rest("dense_1", step([[np.inf, 3.0]], [[np.nan, 0.0]])).deviation is None

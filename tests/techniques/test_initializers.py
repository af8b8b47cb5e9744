"""Each initializer's variance against its formula, for a layer of 400 inputs and 100 units."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter

from dtrain.techniques.initializers import Initializer

FAN_IN, FAN_OUT = 400, 100
FAN_AVERAGE = (FAN_IN + FAN_OUT) / 2

VARIANCES = [
    ("glorot_normal", 1 / FAN_AVERAGE),
    ("glorot_uniform", 1 / FAN_AVERAGE),
    ("he_normal", 2 / FAN_IN),
    ("he_uniform", 2 / FAN_IN),
    ("lecun_normal", 1 / FAN_IN),
    ("lecun_uniform", 1 / FAN_IN),
    ({"kind": "variance_scaling", "scale": 2.0, "mode": "fan_avg", "distribution": "uniform"}, 2 / FAN_AVERAGE),
    ({"kind": "variance_scaling", "mode": "fan_out"}, 1 / FAN_OUT),
    ({"kind": "random_normal", "stddev": 1.0}, 1.0),
]


def first_values(written: object, seed: int = 1) -> np.ndarray:
    technique: Initializer = TypeAdapter(Initializer).validate_python(written)
    return np.asarray(technique.build(seed)((FAN_IN, FAN_OUT)))


@pytest.mark.parametrize(("written", "variance"), VARIANCES)
def test_variance_is_that_of_the_formula(written: object, variance: float) -> None:
    values = first_values(written)
    assert values.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / values.size))
    assert values.var() == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize(("written", "limit"), [("glorot_uniform", 3 / FAN_AVERAGE), ("he_uniform", 6 / FAN_IN)])
def test_uniform_values_lie_within_the_square_root_of_three_variances(written: str, limit: float) -> None:
    assert np.abs(first_values(written)).max() == pytest.approx(np.sqrt(limit), rel=0.01)


@pytest.mark.parametrize("written", [written for written, _ in VARIANCES])
def test_equal_seeds_give_equal_values_and_others_do_not(written: object) -> None:
    np.testing.assert_array_equal(first_values(written, seed=5), first_values(written, seed=5))
    assert (first_values(written, seed=5) != first_values(written, seed=6)).any()

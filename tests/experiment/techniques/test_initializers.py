"""Each initializer's variance against its formula, for a layer of 400 inputs and 100 units."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from dtrain.experiment.techniques.initializers import Identity, Initializer, Orthogonal

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
    # the variance of a standard normal cut off at two deviations
    ("truncated_normal", 0.05**2 * 0.7737413),
    ({"kind": "random_uniform", "minval": -0.3, "maxval": 0.3}, 0.6**2 / 12),
    ({"kind": "orthogonal", "gain": 2.0}, 4 / FAN_IN),
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


def test_an_orthogonal_kernel_keeps_lengths_times_the_gain() -> None:
    singular = np.linalg.svd(first_values({"kind": "orthogonal", "gain": 2.0}), compute_uv=False)
    np.testing.assert_allclose(singular, 2.0, rtol=1e-4)


def test_the_identity_stands_in_square_kernels_and_rotations_in_the_others() -> None:
    identity = Identity(gain=0.5)
    np.testing.assert_array_equal(np.asarray(identity.for_kernel(5, 5).build(1)((5, 5))), 0.5 * np.eye(5))
    assert identity.for_kernel(784, 100) == Orthogonal(gain=0.5)


@pytest.mark.parametrize(("written", "value"), [("zeros", 0.0), ({"kind": "constant", "value": 0.3}, 0.3)])
def test_the_bad_examples_make_all_units_equal(written: object, value: float) -> None:
    np.testing.assert_array_equal(first_values(written), np.full((FAN_IN, FAN_OUT), value, np.float32))


def test_bounds_upside_down_are_refused() -> None:
    with pytest.raises(ValidationError, match="expected less than maxval"):
        first_values({"kind": "random_uniform", "minval": 0.1, "maxval": -0.1})

"""Penalties, constraints and the places of noise."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.techniques.regularizers import L1, L1L2, L2, Dropout, MaxNorm
from dtrain.techniques.technique import Contradiction

KERNEL = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("technique", "expected"),
    [
        (L1(factor=0.1), 0.1 * np.abs(KERNEL).sum()),
        (L2(factor=0.1), 0.1 * (KERNEL**2).sum()),
        (L1L2(l1=0.1, l2=0.2), 0.1 * np.abs(KERNEL).sum() + 0.2 * (KERNEL**2).sum()),
    ],
)
def test_penalties_equal_their_formulas(technique: L1 | L2 | L1L2, expected: float) -> None:
    assert float(technique.build()(KERNEL)) == pytest.approx(float(expected), rel=1e-5)


def test_max_norm_bounds_the_incoming_weights_of_each_unit() -> None:
    bounded = np.asarray(MaxNorm(value=1.0).build(convolutional=False)(KERNEL))
    norms = np.linalg.norm(KERNEL, axis=0)
    np.testing.assert_allclose(bounded, KERNEL * np.minimum(1, 1 / norms), rtol=1e-5)


def test_max_norm_of_a_convolution_covers_the_whole_filter() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 5)).astype(np.float32)
    bounded = np.asarray(MaxNorm(value=0.5).build(convolutional=True)(kernel))
    np.testing.assert_allclose(np.sqrt((bounded**2).sum(axis=(0, 1, 2))), np.full(5, 0.5), rtol=1e-5)


def test_max_norm_of_biases_bounds_the_whole_vector_and_only_when_asked() -> None:
    bias = np.array([3.0, 4.0], np.float32)
    constraint = MaxNorm(value=1.0, biases=True).build_for_bias()
    assert constraint is not None
    np.testing.assert_allclose(np.asarray(constraint(bias)), bias / 5, rtol=1e-5)
    assert MaxNorm(value=1.0).build_for_bias() is None


@pytest.mark.parametrize(
    ("dropout", "rates"),
    [
        (Dropout(rate=0.2), (0.2, 0.2, 0.2, 0.2)),
        (Dropout(rate=0.2, layers="hidden"), (0.0, 0.2, 0.2, 0.2)),
        (Dropout(rate=0.2, layers="last"), (0.0, 0.0, 0.0, 0.2)),
        (Dropout(rate=(0.1, 0.2, 0.3, 0.4)), (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_dropout_has_a_rate_for_the_inputs_and_each_hidden_layer(dropout: Dropout, rates: tuple[float, ...]) -> None:
    assert dropout.rates(hidden_layers=3) == rates


def test_a_list_of_rates_must_fit_the_network() -> None:
    with pytest.raises(Contradiction, match=r"got 2 rates; expected 4"):
        Dropout(rate=(0.1, 0.2)).rates(hidden_layers=3)

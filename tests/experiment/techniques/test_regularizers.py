"""Penalties, constraints and the places of noise."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from dtrain.experiment.techniques.regularizers import (
    L1,
    L1L2,
    L2,
    Dropout,
    MaxNorm,
    NonNeg,
    Orthogonal,
    SpatialDropout,
    UnitNorm,
)
from dtrain.experiment.techniques.technique import Contradiction

KERNEL = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def mean_cosine(rows: np.ndarray) -> float:
    """The mean over all pairs of rows of the absolute cosine between them."""
    pairs = itertools.combinations(rows / np.linalg.norm(rows, axis=1, keepdims=True), 2)
    return float(np.mean([abs(one @ other) for one, other in pairs]))


@pytest.mark.parametrize(
    ("technique", "expected"),
    [
        (L1(factor=0.1), 0.1 * np.abs(KERNEL).sum()),
        (L2(factor=0.1), 0.1 * (KERNEL**2).sum()),
        (L1L2(l1=0.1, l2=0.2), 0.1 * np.abs(KERNEL).sum() + 0.2 * (KERNEL**2).sum()),
        (Orthogonal(factor=0.1), 0.1 * mean_cosine(KERNEL)),
        (Orthogonal(factor=0.1, mode="columns"), 0.1 * mean_cosine(KERNEL.T)),
    ],
)
def test_penalties_equal_their_formulas(technique: L1 | L2 | L1L2 | Orthogonal, expected: float) -> None:
    assert float(technique.build()(keras.ops.convert_to_tensor(KERNEL))) == pytest.approx(float(expected), rel=1e-5)


def test_max_norm_bounds_the_incoming_weights_of_each_unit() -> None:
    bounded = np.asarray(MaxNorm(value=1.0).build(convolutional=False)(KERNEL))
    norms = np.linalg.norm(KERNEL, axis=0)
    np.testing.assert_allclose(bounded, KERNEL * np.minimum(1, 1 / norms), rtol=1e-5)


def test_max_norm_of_a_convolution_covers_the_whole_filter() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 5)).astype(np.float32)
    bounded = np.asarray(MaxNorm(value=0.5).build(convolutional=True)(kernel))
    np.testing.assert_allclose(np.sqrt((bounded**2).sum(axis=(0, 1, 2))), np.full(5, 0.5), rtol=1e-5)


def test_unit_norm_brings_the_incoming_weights_of_each_unit_to_length_one() -> None:
    filters = np.random.default_rng(0).normal(size=(3, 3, 2, 5)).astype(np.float32)
    dense, convolution = UnitNorm().build(convolutional=False), UnitNorm().build(convolutional=True)
    np.testing.assert_allclose(np.linalg.norm(dense(KERNEL), axis=0), np.ones(4), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(np.reshape(convolution(filters), (18, 5)), axis=0), np.ones(5), rtol=1e-5)


def test_non_neg_sets_negative_weights_to_zero() -> None:
    np.testing.assert_array_equal(NonNeg().build(convolutional=False)(KERNEL), np.maximum(KERNEL, 0))


def test_a_single_vector_has_nothing_to_be_orthogonal_to() -> None:
    assert not Orthogonal(mode="columns").has_terms(inputs=20, units=1)
    assert Orthogonal(mode="rows").has_terms(inputs=20, units=1)


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
        (SpatialDropout(rate=0.2), (0.0, 0.2, 0.2, 0.2)),
        (SpatialDropout(rate=(0.0, 0.2, 0.3, 0.4)), (0.0, 0.2, 0.3, 0.4)),
    ],
)
def test_dropout_has_a_rate_for_the_inputs_and_each_hidden_layer(
    dropout: Dropout | SpatialDropout, rates: tuple[float, ...]
) -> None:
    assert dropout.rates(hidden_layers=3) == rates


def test_a_list_of_rates_must_fit_the_network() -> None:
    with pytest.raises(Contradiction, match=r"got 2 rates; expected 4"):
        Dropout(rate=(0.1, 0.2)).rates(hidden_layers=3)


def test_spatial_dropout_never_takes_the_inputs_only_channel() -> None:
    with pytest.raises(ValidationError, match=r"got 0\.1 for the inputs; expected 0"):
        SpatialDropout(rate=(0.1, 0.2))

"""Classes that are not equally frequent are counted as scikit-learn counts them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score
from sklearn.utils.class_weight import compute_sample_weight

from dtrain.statistics.balance import (
    are_imbalanced,
    balanced_accuracy,
    balanced_weights,
    kappa_interval,
    majority_share,
)
from dtrain.statistics.intervals import Interval

LABELS = np.array([0] * 90 + [2] * 7 + [3] * 3)
"""Class 1 does not occur."""


@pytest.mark.parametrize("seed", range(3))
def test_balanced_accuracy_and_kappa_agree_with_scikit_learn(seed: int) -> None:
    predictions = np.random.default_rng(seed).choice([0, 2, 3], 100, p=[0.6, 0.2, 0.2])
    assert balanced_accuracy(LABELS, predictions) == pytest.approx(balanced_accuracy_score(LABELS, predictions))
    kappa = kappa_interval(LABELS, predictions)
    assert (kappa.low + kappa.high) / 2 == pytest.approx(cohen_kappa_score(LABELS, predictions))


@pytest.mark.parametrize("shares", [[0.1] * 10, [0.9, 0.1], [0.6, 0.3, 0.1]])
def test_kappa_of_predictions_that_know_nothing_spreads_as_far_as_is_said(shares: list[float]) -> None:
    random = np.random.default_rng(5)
    labels = np.repeat(np.arange(len(shares)), np.rint(np.multiply(shares, 200)).astype(int))
    found = [kappa_interval(labels, random.permutation(labels)) for _ in range(1000)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) == pytest.approx(0.95, abs=0.02)


def test_who_names_one_class_only_is_at_chance() -> None:
    zeros = np.zeros(100, int)
    assert balanced_accuracy(LABELS, zeros) == pytest.approx(1 / 3)
    assert kappa_interval(LABELS, zeros) == Interval(0, 0) and majority_share(LABELS) == 0.9


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    weights = balanced_weights(LABELS)
    np.testing.assert_allclose(weights, compute_sample_weight("balanced", LABELS))
    sums = [weights[one == LABELS].sum() for one in (0, 2, 3)]
    assert weights.mean() == pytest.approx(1) and sums == pytest.approx([100 / 3] * 3)


def test_a_class_with_half_as_many_images_again_as_its_share_is_too_frequent() -> None:
    assert are_imbalanced(np.repeat([0, 1], [75, 25]), 2) and not are_imbalanced(np.repeat([0, 1], [74, 26]), 2)
    assert not are_imbalanced(np.arange(100) % 10, 10)

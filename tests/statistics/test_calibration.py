"""Calibration measures against scikit-learn, against numbers worked out by hand, and intervals against theory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from dtrain.statistics.calibration import (
    BINS,
    Estimate,
    accuracy_verdict,
    bins_of,
    brier_scores,
    compare,
    kept_accuracies,
    log_loss_verdict,
    reliability,
)
from dtrain.statistics.intervals import Interval
from dtrain.statistics.significance import McNemar

RANDOM = np.random.default_rng(0)
PLAIN = RANDOM.dirichlet(np.full(5, 0.5), size=400)
LABELS = np.array([RANDOM.choice(5, p=one) for one in PLAIN])
BLURRED = 0.7 * PLAIN + 0.3 / 5


def test_log_loss_and_brier_score_are_those_of_scikit_learn() -> None:
    found = compare(PLAIN, BLURRED, LABELS)
    for quality, probabilities in ((found.plain, PLAIN), (found.mc, BLURRED)):
        assert quality.log_loss.value == pytest.approx(log_loss(LABELS, probabilities))
        brier = brier_score_loss(LABELS, probabilities, scale_by_half=False)
        assert quality.brier_score.value == pytest.approx(brier)
        assert quality.accuracy.value == (probabilities.argmax(axis=1) == LABELS).mean()


def test_bins_and_calibration_error_are_those_of_scikit_learn() -> None:
    confidence, right = BLURRED.max(axis=1), BLURRED.argmax(axis=1) == LABELS
    accuracy, mean_confidence = calibration_curve(right, confidence, n_bins=BINS)
    filled = [one for one in reliability(BLURRED, LABELS) if one.images]
    assert [one.accuracy for one in filled] == pytest.approx(accuracy)
    assert [one.confidence for one in filled] == pytest.approx(mean_confidence)
    shares = np.array([one.images for one in filled]) / len(LABELS)
    error = compare(PLAIN, BLURRED, LABELS).mc.calibration_error.value
    assert error == pytest.approx((shares * np.abs(accuracy - mean_confidence)).sum())


def test_four_images_by_hand() -> None:
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.4, 0.6], [0.0, 1.0]])
    labels = np.array([0, 1, 1, 1])
    np.testing.assert_allclose(brier_scores(probabilities, labels), [0.08, 1.28, 0.32, 0])
    filled = [one for one in reliability(probabilities, labels) if one.images]
    assert [(one.images, one.confidence, one.accuracy) for one in filled] == [
        (1, 0.6, 1.0),
        (2, 0.8, 0.5),
        (1, 1.0, 1.0),
    ]
    # gaps of 0.4, 0.3 and 0 in a quarter, a half and a quarter of the images
    assert compare(probabilities, probabilities, labels).plain.calibration_error.value == pytest.approx(0.25)


def width(one: Estimate) -> float:
    return one.interval.high - one.interval.low


def test_intervals_of_means_are_those_of_the_central_limit_theorem() -> None:
    found = compare(PLAIN, BLURRED, LABELS)
    scores = brier_scores(PLAIN, LABELS)
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    assert width(found.plain.brier_score) == pytest.approx(2 * 1.96 * error, rel=0.1)
    paired = (brier_scores(BLURRED, LABELS) - scores).std(ddof=1) / np.sqrt(len(scores))
    assert width(found.brier_score) == pytest.approx(2 * 1.96 * paired, rel=0.1)


@pytest.mark.parametrize("measure", ["accuracy", "log_loss", "brier_score", "calibration_error"])
def test_differences_are_those_of_the_two_models(measure: str) -> None:
    found = compare(PLAIN, BLURRED, LABELS)
    difference = getattr(found.mc, measure).value - getattr(found.plain, measure).value
    assert getattr(found, measure).value == pytest.approx(difference)


def test_a_model_compared_with_itself_does_not_differ() -> None:
    found = compare(PLAIN, PLAIN, LABELS)
    for one in (found.accuracy, found.log_loss, found.brier_score, found.calibration_error):
        assert (one.value, one.interval.low, one.interval.high) == (0, 0, 0)


@pytest.mark.parametrize("sharpness", [1.0, 1.3, 0.7])
def test_the_interval_of_the_calibration_error_holds_its_value_and_the_truth(sharpness: float) -> None:
    """Labels are drawn from known probabilities, so that the truth is known; sharpness 1 is a calibrated model."""
    random = np.random.default_rng(7)
    distorted = PLAIN**sharpness / (PLAIN**sharpness).sum(axis=1, keepdims=True)
    best, confidence = distorted.argmax(axis=1), distorted.max(axis=1)
    gaps = confidence - PLAIN[np.arange(len(PLAIN)), best]
    truth = np.abs(np.bincount(bins_of(confidence), gaps, BINS)).sum() / len(PLAIN)
    held = 0
    for _ in range(20):
        labels = np.minimum((PLAIN.cumsum(axis=1) < random.random((len(PLAIN), 1))).sum(axis=1), 4)
        error = compare(distorted, PLAIN, labels).plain.calibration_error
        assert error.interval.low <= error.value <= error.interval.high
        held += error.interval.low <= truth <= error.interval.high
    assert held >= 17  # of 20 intervals of 95%, fewer are less likely than 2%


def test_equal_seeds_give_equal_intervals() -> None:
    assert compare(PLAIN, BLURRED, LABELS, 3) == compare(PLAIN, BLURRED, LABELS, 3)
    assert compare(PLAIN, BLURRED, LABELS, 3) != compare(PLAIN, BLURRED, LABELS, 4)


def test_setting_the_most_uncertain_aside() -> None:
    right = np.arange(20) < 10
    sure_of_the_right, sure_of_the_wrong = np.arange(20.0), -np.arange(20.0)
    kept = kept_accuracies(right, sure_of_the_right, right, sure_of_the_wrong)
    assert [(one.share, one.images) for one in kept][::6] == [(1.0, 20), (0.5, 10)]
    assert [(one.plain, one.mc) for one in kept][::6] == [(0.5, 0.5), (1.0, 0.0)]


def test_the_verdict_follows_the_test() -> None:
    assert accuracy_verdict(McNemar(5, 9, 100, 0.4)).startswith(
        "the accuracies cannot be told apart (9 images right only"
    )
    assert "more accurate" in accuracy_verdict(McNemar(5, 30, 100, 0.001))
    assert "less accurate" in accuracy_verdict(McNemar(30, 5, 100, 0.001))
    loss = Estimate(0.01, Interval(0.001, 0.02))
    assert log_loss_verdict(loss) == "the log loss with dropout on is worse (+0.0100)"
    assert "cannot be told apart" in log_loss_verdict(replace(loss, interval=Interval(-0.01, 0.02)))

"""How good and how honest probabilities are: measures with intervals, of one set of predictions and of two compared.

Intervals cover the chance of the images, not that of the training: accuracies have Wilson's, the other measures and all
differences a basic bootstrap over images (Davison & Hinkley 1997, eq. 5.6) with a fixed seed. The calibration error
adds up absolute gaps, so chance only makes it larger, and a bootstrap larger still: a basic one would miss the truth
of a calibrated model every other time. Its interval reaches as far down as chance alone can have lifted it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.ground.randomness import Stream, generator
from dtrain.statistics.intervals import Interval, wilson_interval
from dtrain.statistics.significance import LEVEL, McNemar
from dtrain.statistics.uncertainty import FloatArray, log_losses

Array = npt.NDArray[Any]

BINS = 15
"""As many as Guo et al. (2017) use."""
RESAMPLES = 1000
_CHUNK = 50
KEPT_SHARES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies above `low` and not above `high`.

    Args:
        low: Lower end.
        high: Upper end.
        images: How many.
        confidence: Mean probability of their predicted class; None where there are none.
        accuracy: Share of them predicted right; None where there are none.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Estimate:
    """A measure and its 95% interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Quality:
    """How good one set of predictions is.

    Args:
        accuracy: Share predicted right.
        log_loss: Mean of -ln of the label's probability.
        brier_score: Mean over images of the squared distance from the label's one-hot vector, 0 to 2 (Brier 1950).
        calibration_error: Gap of confidence and accuracy, mean over images by bins (Naeini et al. 2015).
        bins: What the calibration error is computed from.
    """

    accuracy: Estimate
    log_loss: Estimate
    brier_score: Estimate
    calibration_error: Estimate
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Comparison:
    """Two sets of predictions for the same images.

    Args:
        plain: The predictions with dropout off.
        mc: The means of the passes.
        accuracy: Difference of the accuracies, mc - plain, as all of these.
        log_loss: Difference of the log losses.
        brier_score: Difference of the Brier scores.
        calibration_error: Difference of the calibration errors.
    """

    plain: Quality
    mc: Quality
    accuracy: Estimate
    log_loss: Estimate
    brier_score: Estimate
    calibration_error: Estimate


@dataclass(frozen=True)
class Kept:
    """Accuracy on the images that are left when the most uncertain are set aside.

    Args:
        share: Share of the images that is kept.
        images: How many that are.
        plain: Accuracy of the plain predictions, kept by their own entropy.
        mc: Accuracy of the means, kept by their predictive entropy.
    """

    share: float
    images: int
    plain: float
    mc: float


def brier_scores(probabilities: Array, labels: Array) -> FloatArray:
    """Returns the squared distance of each image's probabilities from its label's one-hot vector [images]."""
    one_hot = np.eye(probabilities.shape[1])[labels]
    return np.asarray(np.square(probabilities - one_hot).sum(axis=1))


def bins_of(confidence: Array) -> npt.NDArray[np.int64]:
    """Returns the bin of each confidence [images]: equally wide, each with its upper end."""
    numbers: npt.NDArray[np.int64] = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return numbers


def compare(plain: Array, mc: Array, labels: Array, seed: int = 0) -> Comparison:
    """Measures two sets of predictions and their differences.

    Args:
        plain: Probabilities [images, classes].
        mc: Probabilities [images, classes] for the same images.
        labels: int [images].
        seed: Seeds the choice of images in the bootstrap, the same for both.
    """
    plain_columns, mc_columns = _columns(plain, labels), _columns(mc, labels)
    # differences have columns of their own: those of equal predictions are 0, in whatever order a processor adds up
    columns = np.concatenate([plain_columns, mc_columns, mc_columns - plain_columns], axis=1)
    drawn = _resampled_means(columns, seed).reshape(RESAMPLES, 3, -1)
    observed = columns.mean(axis=0).reshape(3, -1)
    values, resampled = observed[:, :3], drawn[..., :3]
    accuracy, log_loss, brier = (_estimate(float(values[2, one]), resampled[:, 2, one], -np.inf) for one in range(3))
    *errors, error = _calibration_errors(observed[:, 3:], drawn[..., 3:])
    return Comparison(
        _quality(plain, labels, values[0], resampled[:, 0], errors[0]),
        _quality(mc, labels, values[1], resampled[:, 1], errors[1]),
        *(accuracy, log_loss, brier, error),
    )


def _columns(probabilities: Array, labels: Array) -> FloatArray:
    """Returns what each image adds to every measure: right, log loss, Brier score, and its gap in its bin's column."""
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    confidence = probabilities.max(axis=1)
    gaps = np.zeros((len(labels), BINS))
    gaps[np.arange(len(labels)), bins_of(confidence)] = confidence - right
    measured = [right, log_losses(probabilities, labels), brier_scores(probabilities, labels)]
    return np.concatenate([np.stack(measured, axis=1), gaps], axis=1)


def _resampled_means(columns: FloatArray, seed: int) -> FloatArray:
    """Returns the means of the columns [resamples, columns] over images drawn with replacement."""
    random, images = generator(seed, Stream.BOOTSTRAP), len(columns)
    means = []
    for _ in range(RESAMPLES // _CHUNK):
        drawn = [np.bincount(random.integers(images, size=images), minlength=images) for _ in range(_CHUNK)]
        means.append(np.stack(drawn) @ columns / images)
    return np.concatenate(means)


def _estimate(value: float, resampled: Array, lowest: float) -> Estimate:
    low, high = (2 * value - np.quantile(resampled, (0.975, 0.025))).tolist()
    return Estimate(value, Interval(max(low, lowest), max(high, lowest)))


def _calibration_errors(gaps: FloatArray, resampled: FloatArray) -> tuple[Estimate, Estimate, Estimate]:
    """Returns the calibration errors of both predictions and their difference, with intervals of at least 95%.

    Each is the sum over bins of |gap|, so by the triangle inequality it is above the truth by no more than the sum of
    what chance adds to each gap; and it is below the truth by no more than below its own expectation, which is above
    the truth. The difference is off by no more than both together, nor by more than the predictions are apart.

    Args:
        gaps: Of each bin, in the mean over the images, of both and their difference [3, bins].
        resampled: The same of images drawn with replacement [resamples, 3, bins].
    """
    values, chance = np.abs(gaps).sum(axis=-1), resampled - gaps
    lifted, drawn = np.abs(chance).sum(axis=-1), np.abs(resampled).sum(axis=-1)
    short = drawn.mean(axis=0) - drawn
    apart = 2 * values[2] + lifted[:, 2]
    down, up = (np.minimum(lifted[:, one] + short[:, 1 - one], apart) for one in (1, 0))
    return (
        _within(values[0], lifted[:, 0], short[:, 0], 0.0),
        _within(values[1], lifted[:, 1], short[:, 1], 0.0),
        _within((np.abs(gaps[0] + gaps[2]) - np.abs(gaps[0])).sum(), down, up, -np.inf),
    )


def _within(value: float, down: FloatArray, up: FloatArray, lowest: float) -> Estimate:
    """Returns a value and how far down and up the truth may be from it, by quantiles of the resampled distances."""
    low, high = value - np.quantile(down, 0.975), value + np.quantile(up, 0.975)
    return Estimate(float(value), Interval(max(float(low), lowest), float(high)))


def _quality(
    probabilities: Array, labels: Array, values: FloatArray, resampled: FloatArray, calibration_error: Estimate
) -> Quality:
    right = int((probabilities.argmax(axis=1) == labels).sum())
    accuracy = Estimate(right / len(labels), wilson_interval(right, len(labels)))
    log_loss, brier = (_estimate(float(values[one]), resampled[:, one], 0.0) for one in (1, 2))
    return Quality(accuracy, log_loss, brier, calibration_error, reliability(probabilities, labels))


def reliability(probabilities: Array, labels: Array) -> tuple[Bin, ...]:
    """Returns confidence and accuracy in bins of the confidence, for probabilities [images, classes]."""
    right, confidence = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    numbers = bins_of(confidence)
    bins = []
    for number in range(BINS):
        inside = numbers == number
        images = int(inside.sum())
        means = (float(confidence[inside].mean()), float(right[inside].mean())) if images else (None, None)
        bins.append(Bin(number / BINS, (number + 1) / BINS, images, *means))
    return tuple(bins)


def kept_accuracies(
    plain_right: Array, plain_uncertainty: Array, mc_right: Array, mc_uncertainty: Array
) -> tuple[Kept, ...]:
    """Returns the accuracies on what is left when ever more of the most uncertain images are set aside.

    Args:
        plain_right: Whether each image is predicted right [images].
        plain_uncertainty: What the plain predictions are ordered by [images].
        mc_right: The same for the means of the passes.
        mc_uncertainty: What these are ordered by.
    """
    running = [
        np.cumsum(right[np.argsort(uncertainty, kind="stable")])
        for right, uncertainty in ((plain_right, plain_uncertainty), (mc_right, mc_uncertainty))
    ]
    counts = [max(1, round(share * len(plain_right))) for share in KEPT_SHARES]
    return tuple(
        Kept(share, count, *(float(right[count - 1] / count) for right in running))
        for share, count in zip(KEPT_SHARES, counts, strict=True)
    )


def accuracy_verdict(test: McNemar) -> str:
    """Returns in words what McNemar's test of plain prediction (first) and mean of the passes (second) says."""
    numbers = f"{test.only_second:,} images right only with dropout on, {test.only_first:,} only off"
    if test.probability > LEVEL:
        return f"the accuracies cannot be told apart ({numbers}, p = {test.probability:.2g})"
    better = "more" if test.only_second > test.only_first else "less"
    return f"dropout on is {better} accurate ({numbers}, p = {test.probability:.2g})"


def log_loss_verdict(difference: Estimate) -> str:
    """Returns in words whether the log loss differs, by the interval of the difference, on minus off."""
    if difference.interval.low <= 0 <= difference.interval.high:
        return "the log losses cannot be told apart"
    return f"the log loss with dropout on is {'worse' if difference.value > 0 else 'better'} ({difference.value:+.4f})"

"""How good and how honest probabilities are: measures with intervals, of one set of predictions and of two compared.

Intervals cover the chance of the images, not that of the training: accuracies have Wilson's, the other measures and all
differences a basic bootstrap over images (Davison & Hinkley 1997, eq. 5.6) with a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.statistics import Interval, wilson_interval
from dtrain.uncertainty import FloatArray, log_losses

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
    both = np.concatenate([_columns(plain, labels), _columns(mc, labels)], axis=1)
    drawn = _resampled_means(both, seed).reshape(RESAMPLES, 2, -1)
    observed = both.mean(axis=0).reshape(2, -1)
    values, resampled = _measures(observed), _measures(drawn)
    differences = [
        _estimate(float(value), numbers, -np.inf)
        for value, numbers in zip(values[1] - values[0], (resampled[:, 1] - resampled[:, 0]).T, strict=True)
    ]
    return Comparison(
        _quality(plain, labels, values[0], resampled[:, 0]),
        _quality(mc, labels, values[1], resampled[:, 1]),
        *differences,
    )


def _columns(probabilities: Array, labels: Array) -> FloatArray:
    """Returns what each image adds to every measure: right, log loss, Brier score, and its gap in its bin's column."""
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    confidence = probabilities.max(axis=1)
    gaps = np.zeros((len(labels), BINS))
    gaps[np.arange(len(labels)), bins_of(confidence)] = confidence - right
    measured = [right, log_losses(probabilities, labels), brier_scores(probabilities, labels)]
    return np.concatenate([np.stack(measured, axis=1), gaps], axis=1)


def _measures(means: FloatArray) -> FloatArray:
    """Returns accuracy, log loss, Brier score and calibration error [..., 4] from the means of the columns."""
    calibration_error = np.abs(means[..., 3:]).sum(axis=-1, keepdims=True)
    return np.concatenate([means[..., :3], calibration_error], axis=-1)


def _resampled_means(columns: FloatArray, seed: int) -> FloatArray:
    """Returns the means of the columns [resamples, columns] over images drawn with replacement."""
    random, images = np.random.default_rng(seed), len(columns)
    means = []
    for _ in range(RESAMPLES // _CHUNK):
        drawn = [np.bincount(random.integers(images, size=images), minlength=images) for _ in range(_CHUNK)]
        means.append(np.stack(drawn) @ columns / images)
    return np.concatenate(means)


def _estimate(value: float, resampled: Array, lowest: float) -> Estimate:
    low, high = (2 * value - np.quantile(resampled, (0.975, 0.025))).tolist()
    return Estimate(value, Interval(max(low, lowest), max(high, lowest)))


def _quality(probabilities: Array, labels: Array, values: FloatArray, resampled: FloatArray) -> Quality:
    right = int((probabilities.argmax(axis=1) == labels).sum())
    accuracy = Estimate(right / len(labels), wilson_interval(right, len(labels)))
    log_loss, brier, error = (_estimate(float(values[one]), resampled[:, one], 0.0) for one in (1, 2, 3))
    return Quality(accuracy, log_loss, brier, error, reliability(probabilities, labels))


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

"""What many stochastic passes say of an image: mean, deviation, entropies and votes, summed up pass by pass.

The memory taken does not grow with the number of passes: sums are kept, and the means at chosen numbers of passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dtrain.ground.errors import ConfigError

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

SMALLEST_PROBABILITY = 1e-7
"""What Keras's losses take for zero."""


def check_rates(rates: list[float], where: str) -> None:
    """Refuses a model whose passes would all be the same.

    Args:
        rates: The rate of each dropout layer.
        where: What to call the model.

    Raises:
        ConfigError: No rate is above zero.
    """
    if any(rate > 0 for rate in rates):
        return
    got = "only dropout layers with rate 0" if rates else "no dropout layer"
    raise ConfigError(
        f"got {got}; expected one with a rate above 0: every pass would give the same, with zero variance",
        where=where,
        hint="train one: `dtrain run 'regularizer=[dropout]'`",
    )


def entropy(probabilities: Array) -> FloatArray:
    """Returns -sum of p ln p over the last axis, in nats; 0 ln 0 counts as 0."""
    logarithms = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    result: FloatArray = -(probabilities * logarithms).sum(axis=-1, dtype=np.float64)
    return np.maximum(result, 0.0)


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What passes with dropout say of each image, and the plain prediction beside it.

    Args:
        plain: Probabilities with dropout off [images, classes].
        mean: Mean of the passes' probabilities [images, classes].
        deviation: Their standard deviation, by n - 1 [images, classes].
        predictive_entropy: Entropy of `mean` in nats: all uncertainty [images].
        expected_entropy: Mean of the passes' entropies: what would remain with a certain model [images].
        mutual_information: The difference of the two: how much the passes disagree [images]
            (Houlsby et al. 2011, eq. 1).
        disagreement: Share of the passes that predict another class than the mean does [images].
    """

    plain: FloatArray
    mean: FloatArray
    deviation: FloatArray
    predictive_entropy: FloatArray
    expected_entropy: FloatArray
    mutual_information: FloatArray
    disagreement: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Returns the images of all parts, one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def of(self, image: int) -> dict[str, Any]:
        """Returns everything about one image, as plain numbers."""
        return {field.name: getattr(self, field.name)[image].tolist() for field in fields(self)}


class PassSums:
    """Running sums over the passes of a few images.

    Args:
        plain: Their probabilities with dropout off [images, classes].
        snapshots: Numbers of passes after which to remember the mean.
    """

    def __init__(self, plain: Array, snapshots: Sequence[int]) -> None:
        self._plain = plain.astype(np.float64)
        self._snapshots = frozenset(snapshots)
        self._count = 0
        # of differences from the plain prediction: squares of probabilities would cancel where these hardly vary
        self._sum, self._squares = np.zeros_like(self._plain), np.zeros_like(self._plain)
        self._entropy = np.zeros(len(plain))
        self._votes = np.zeros(plain.shape, np.int64)
        self.means: dict[int, FloatArray] = {}

    def add(self, passes: Array) -> None:
        """Adds passes [passes, images, classes], which must not go beyond the next number to remember."""
        differences = passes - self._plain
        self._count += len(passes)
        self._sum += differences.sum(axis=0)
        self._squares += np.square(differences).sum(axis=0)
        self._entropy += entropy(passes).sum(axis=0)
        winners = passes.argmax(axis=-1)
        for label in range(passes.shape[-1]):
            self._votes[:, label] += (winners == label).sum(axis=0)
        if self._count in self._snapshots:
            self.means[self._count] = self._mean

    @property
    def _mean(self) -> FloatArray:
        mean: FloatArray = self._plain + self._sum / self._count
        return mean

    def result(self) -> Uncertainty:
        """Returns what the passes so far, at least two, say."""
        mean = self._mean
        variance = (self._squares - np.square(self._sum) / self._count) / (self._count - 1)
        predictive, expected = entropy(mean), self._entropy / self._count
        agreeing = np.take_along_axis(self._votes, mean.argmax(axis=-1)[:, None], axis=-1)[:, 0]
        return Uncertainty(
            plain=self._plain,
            mean=mean,
            deviation=np.sqrt(np.maximum(variance, 0.0)),
            predictive_entropy=predictive,
            expected_entropy=expected,
            # never negative but for rounding
            mutual_information=np.maximum(predictive - expected, 0.0),
            disagreement=1 - agreeing / self._count,
        )


@dataclass(frozen=True)
class Settling:
    """The estimate after a number of passes.

    Args:
        passes: How many.
        distance: Half the absolute difference of its mean from that of all passes, summed over the classes (total
            variation); mean over the images.
        accuracy: Share of the images whose mean is right; None without labels.
        log_loss: Mean of -ln of the label's mean probability; None without labels.
    """

    passes: int
    distance: float
    accuracy: float | None
    log_loss: float | None


@dataclass(frozen=True)
class ImageReport:
    """One image with dropout off and on.

    Args:
        image: Its number, from 0.
        label: Its class; empty where nobody knows.
        plain: Probabilities with dropout off [classes].
        mean: Mean of the passes [classes].
        deviation: Standard deviation of the passes [classes].
        predictive_entropy: Entropy of the mean, in nats.
        expected_entropy: Mean entropy of the passes.
        mutual_information: The difference of the two.
        disagreement: Share of the passes that predict another class than the mean.
        passes: The first passes [passes, classes]; empty where they were not asked for.
    """

    image: int
    label: str
    plain: tuple[float, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    predictive_entropy: float
    expected_entropy: float
    mutual_information: float
    disagreement: float
    passes: tuple[tuple[float, ...], ...] = ()


class SettlingSums:
    """Sums over batches of images of how far the estimate has settled after some numbers of passes.

    Args:
        numbers: The numbers of passes, rising; the last is all of them.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers
        self._images = 0
        self._sums = np.zeros((len(numbers), 3))

    def add(self, means: dict[int, FloatArray], labels: Array | None) -> None:
        """Adds the means [images, classes] of one batch of images after each number of passes, and their labels."""
        final = means[self._numbers[-1]]
        self._images += len(final)
        for row, number in enumerate(self._numbers):
            mean = means[number]
            self._sums[row, 0] += np.abs(mean - final).sum() / 2
            if labels is not None:
                self._sums[row, 1] += (mean.argmax(axis=-1) == labels).sum()
                self._sums[row, 2] += log_losses(mean, labels).sum()

    def result(self, *, labelled: bool) -> tuple[Settling, ...]:
        """Returns the means over all images; `labelled` says whether labels were given."""
        means = (self._sums / self._images).tolist()
        return tuple(
            Settling(number, row[0], *(row[1:] if labelled else (None, None)))
            for number, row in zip(self._numbers, means, strict=True)
        )


def passes_to_look_at(samples: int) -> tuple[int, ...]:
    """Returns about seven numbers of passes for each factor of ten, from 1 to `samples`."""
    points = max(2, round(7 * np.log10(samples)) + 1)
    return tuple(sorted({round(float(one)) for one in np.geomspace(1, samples, points)}))


SETTLED_DISTANCE, SETTLED_ACCURACY, SETTLED_LOG_LOSS = 0.01, 0.001, 0.01


def enough_passes(settling: Sequence[Settling]) -> int | None:
    """Returns the first number of passes from which on the estimate stays close to that of all passes.

    Close is: a mean distance of at most 0.01, an accuracy within 0.1 points, a log loss within 1%. None where only all
    of them together are.
    """
    final, enough = settling[-1], None
    for one in reversed(settling[:-1]):
        if not _is_close(one, final):
            break
        enough = one.passes
    return enough


def _is_close(one: Settling, final: Settling) -> bool:
    if one.distance > SETTLED_DISTANCE:
        return False
    if one.accuracy is None or final.accuracy is None or one.log_loss is None or final.log_loss is None:
        return True
    near_loss = abs(one.log_loss - final.log_loss) <= SETTLED_LOG_LOSS * final.log_loss
    return near_loss and abs(one.accuracy - final.accuracy) <= SETTLED_ACCURACY + 1e-12


def log_losses(probabilities: Array, labels: Array) -> FloatArray:
    """Returns -ln of each label's probability [images], for probabilities [images, classes]."""
    chosen = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0].astype(np.float64)
    return np.asarray(-np.log(np.maximum(chosen, SMALLEST_PROBABILITY)))

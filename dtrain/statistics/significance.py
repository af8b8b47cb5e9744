"""Whether a difference is more than chance: tests over seeds, over images and of failures, and their correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np
import numpy.typing as npt

from dtrain.ground.randomness import Stream, generator
from dtrain.statistics.intervals import Interval, t_quantile, t_two_sided

FloatArray = npt.NDArray[np.float64]
Values = Sequence[float] | FloatArray

LEVEL = 0.05
"""A verdict is given where the probability is at most this."""
MOST_COUNTED = 20
"""Of so many pairs all sets of signs are counted; of more a sample is."""
SAMPLED = 100_000
ROUNDING = 1e-12
"""Accuracies are shares of images, so what differs less is equal but for rounding."""


@dataclass(frozen=True)
class Difference:
    """How far the first group's mean lies above the second's, and how likely chance alone makes that.

    Args:
        mean: Mean of the first minus mean of the second.
        paired: Whether values at equal places share a seed.
        deviation: Spread of the differences; where unpaired, the root of the two variances' sum.
        error: Standard error of the mean difference.
        degrees: Degrees of freedom of Student's t; Welch's where unpaired.
        t_probability: Two-sided, from Student's t; None where the values do not spread, but differ.
        exact_probability: The share of signs with a mean at least as far from 0; None where unpaired.
        rearrangements: How many sets of signs were looked at.
        exhaustive: Whether these are all there are, and not a random sample.
    """

    mean: float
    paired: bool
    deviation: float
    error: float
    degrees: float
    t_probability: float | None
    exact_probability: float | None = None
    rearrangements: int = 0
    exhaustive: bool = True

    def interval(self, confidence: float) -> Interval | None:
        """Returns Student's interval of the mean difference; None where the values do not spread."""
        if not self.error:
            return None
        half = t_quantile((1 + confidence) / 2, self.degrees) * self.error
        return Interval(self.mean - half, self.mean + half)


@dataclass(frozen=True)
class McNemar:
    """The images that one of two models alone gets right.

    Args:
        only_first: Images that only the first model gets right.
        only_second: Images that only the second model gets right.
        images: Images in all.
        probability: Two-sided and exact: how likely fair coins split the images so unevenly, or more.
    """

    only_first: int
    only_second: int
    images: int
    probability: float


def paired_difference(first: Values, second: Values) -> Difference:
    """Compares two groups seed by seed: the paired t test, and the exact sign-flip test (Fisher 1935).

    Args:
        first: Accuracies, one for each seed; at least two.
        second: Accuracies of the same seeds, in the same order.
    """
    differences = np.subtract(first, second)
    deviation = _deviation(differences)
    found = _difference(fmean(differences), deviation, deviation / math.sqrt(len(first)), len(first) - 1, paired=True)
    share, number, exhaustive = _sign_flips(differences)
    return replace(found, exact_probability=share, rearrangements=number, exhaustive=exhaustive)


def unpaired_difference(first: Values, second: Values) -> Difference:
    """Compares two groups that are not paired, by Welch's t test (1947).

    Args:
        first: Accuracies, one for each seed; at least two.
        second: Accuracies of other seeds; at least two.
    """
    deviations = _deviation(first), _deviation(second)
    parts = deviations[0] ** 2 / len(first), deviations[1] ** 2 / len(second)
    error = math.sqrt(sum(parts))
    shares = [part / error**2 if error else 0.5 for part in parts]
    degrees = 1 / (shares[0] ** 2 / (len(first) - 1) + shares[1] ** 2 / (len(second) - 1))
    mean = fmean(first) - fmean(second)
    return _difference(mean, math.hypot(*deviations), error, max(1.0, degrees), paired=False)


def mcnemar(first_right: npt.NDArray[np.bool_], second_right: npt.NDArray[np.bool_]) -> McNemar:
    """Compares two models image by image: the exact binomial test of McNemar (1947).

    It answers about these two models and not about the techniques that made them: another seed gives other models.

    Args:
        first_right: bool [images], whether the first model is right.
        second_right: bool [images], whether the second model is right on the same images.

    Raises:
        ValueError: The shapes differ.
    """
    if first_right.shape != second_right.shape:
        raise ValueError(f"got {first_right.shape} and {second_right.shape}; expected the same images")
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    discordant, fewer = only_first + only_second, min(only_first, only_second)
    ways = total = 1
    for number in range(fewer):
        ways = ways * (discordant - number) // (number + 1)
        total += ways
    probability = 1.0 if 2 * fewer == discordant else 2 * total / 2**discordant
    return McNemar(only_first, only_second, first_right.size, probability)


def fisher(failures: tuple[int, int], sizes: tuple[int, int]) -> float:
    """Returns the probability of Fisher's exact test (1935) that two groups fail as often.

    Args:
        failures: How many of each group failed.
        sizes: How many each group has.
    """
    ways = [math.comb(sizes[0], one) * math.comb(sizes[1], sum(failures) - one) for one in range(sum(failures) + 1)]
    return sum(one for one in ways if one <= ways[failures[0]]) / sum(ways)


def deviations_apart(successes: tuple[int, int], sizes: tuple[int, int]) -> float:
    """Returns how many deviations two shares are apart: the root of Wilks's likelihood ratio (1938) of one share.

    Unlike the difference over its standard error it promises no more than chance allows with few trials too.

    Args:
        successes: How many of each group succeeded.
        sizes: How many each group has.
    """
    common = sum(successes) / sum(sizes)
    ratio = sum(size * _divergence(one / size, common) for one, size in zip(successes, sizes, strict=True))
    return math.sqrt(2 * max(0.0, ratio))


def holm(probabilities: Sequence[float]) -> tuple[float, ...]:
    """Returns the probabilities as if each were the only one looked at: Holm's correction (1979), in the given order.

    Args:
        probabilities: One for each comparison.
    """
    adjusted, largest = [0.0] * len(probabilities), 0.0
    for rank, place in enumerate(sorted(range(len(probabilities)), key=lambda place: probabilities[place])):
        largest = max(largest, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        adjusted[place] = largest
    return tuple(adjusted)


def _divergence(share: float, other: float) -> float:
    return sum(one * math.log(one / two) for one, two in ((share, other), (1 - share, 1 - other)) if one)


def _deviation(values: Values) -> float:
    """Exactly 0 where the values are equal but for rounding: a t statistic would take that for certainty."""
    return stdev(values) if max(values) - min(values) > ROUNDING else 0.0


def _difference(mean: float, deviation: float, error: float, degrees: float, *, paired: bool) -> Difference:
    if error:
        probability: float | None = t_two_sided(mean / error, degrees)
    else:
        mean = 0.0 if abs(mean) <= ROUNDING else mean
        probability = None if mean else 1.0
    return Difference(mean, paired, deviation, error, degrees, probability)


def _sign_flips(differences: FloatArray) -> tuple[float, int, bool]:
    """A set of signs and its mirror image are equally far from 0, so the first sign stays.

    What was observed counts among a sample, so that its share is never 0 (Phipson and Smyth 2010).
    """
    pairs, bound = len(differences), abs(differences.sum()) - ROUNDING
    if pairs <= MOST_COUNTED:
        sums = differences[:1]
        for one in differences[1:]:
            sums = np.concatenate([sums + one, sums - one])
        return float(np.mean(np.abs(sums) >= bound)), 2**pairs, True
    signs = generator(0, Stream.SIGN_FLIPS).choice([-1.0, 1.0], (SAMPLED, pairs))
    return float(np.sum(np.abs(signs @ differences) >= bound) + 1) / (SAMPLED + 1), SAMPLED, False

"""Whether a difference is more than chance: tests over seeds and over images, and the verdict that follows them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from statistics import fmean, stdev
from typing import Literal

import numpy as np
import numpy.typing as npt

from dtrain.ground.randomness import Stream, generator
from dtrain.statistics.intervals import Interval, t_quantile, t_two_sided

Verdict = Literal["better", "worse", "no evidence"]
FloatArray = npt.NDArray[np.float64]
Values = Sequence[float] | FloatArray

LEVEL = 0.05
"""A verdict is given where the probability is at most this."""
MOST_REARRANGEMENTS = 2**20
"""All rearrangements are counted up to so many, which is every set of signs of 20 seeds; beyond, a sample is."""
RANDOM_REARRANGEMENTS = 100_000
FEWEST_PAIRS = 6
"""Of fewer pairs even the most extreme signs and their mirror image, 2 of 2^n, are more likely than 0.05."""
ROUNDING = 1e-12
"""Accuracies are shares of images, so what differs less is equal but for rounding."""


@dataclass(frozen=True)
class Difference:
    """How far the first group's mean lies above the second's, and how likely chance alone makes that.

    Args:
        mean: Mean of the first minus mean of the second.
        interval: Student's 95% interval of it (Welch's where unpaired); None where the values do not spread.
        paired: Whether values at equal places share a seed.
        deviation: Spread of the differences; where unpaired, the root of the two variances' sum.
        t_probability: Two-sided, from Student's t; None where the values do not spread, but differ.
        exact_probability: The share of rearrangements with a mean at least as far from 0: of signs where paired, of
            the values over the two groups where not.
        rearrangements: How many were looked at.
        exhaustive: Whether these are all there are, and not a random sample.
        probability: The one of the two probabilities that a verdict follows.
        decided_by: Which one that is.
    """

    mean: float
    interval: Interval | None
    paired: bool
    deviation: float
    t_probability: float | None
    exact_probability: float
    rearrangements: int
    exhaustive: bool
    probability: float
    decided_by: Literal["t", "exact"]


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
    """Compares two groups seed by seed: paired t interval and test, and the exact sign-flip test (Fisher 1935).

    The verdict follows the sign-flip test from six pairs on. With fewer its probability cannot reach 0.05 (it is
    never below 2 / 2^n), and Student's t, which takes the differences for normally distributed, decides. Nothing but
    the number of pairs chooses the test: were it chosen by how many comparisons are corrected for too, one more
    comparison could bring in the more liberal test, and make evidence out of none.

    Args:
        first: Accuracies, one for each seed; at least two.
        second: Accuracies of the same seeds, in the same order.

    Raises:
        ValueError: The lengths differ, or there are fewer than two pairs.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"got {len(first)} and {len(second)} values; expected as many of each, at least 2")
    differences = np.subtract(first, second)
    mean, deviation = fmean(differences), _deviation(differences)
    interval, t_probability = _student(mean, deviation / math.sqrt(len(differences)), len(differences) - 1)
    flips = _sign_flips(differences)
    decisive = len(differences) >= FEWEST_PAIRS
    return _difference(mean, interval, deviation, t_probability, flips, paired=True, exact_decides=decisive)


def smallest_sign_flip_probability(pairs: int) -> float:
    """Returns the probability that the sign-flip test of so many pairs is never below."""
    return 2.0 ** (1 - pairs)


def unpaired_difference(first: Values, second: Values) -> Difference:
    """Compares two groups that share no seeds: Welch's t interval and test (1947), and the permutation test.

    The verdict follows Welch's test: the permutation test takes the two groups to spread alike.

    Args:
        first: Accuracies, one for each seed; at least two.
        second: Accuracies of other seeds; at least two.

    Raises:
        ValueError: A group has fewer than two values.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"got {len(first)} and {len(second)} values; expected at least 2 of each")
    mean = fmean(first) - fmean(second)
    deviations = _deviation(first), _deviation(second)
    parts = deviations[0] ** 2 / len(first), deviations[1] ** 2 / len(second)
    error = math.sqrt(sum(parts))
    shares = [part / error**2 if error else 0.5 for part in parts]
    degrees = 1 / (shares[0] ** 2 / (len(first) - 1) + shares[1] ** 2 / (len(second) - 1))
    interval, t_probability = _student(mean, error, max(1.0, degrees))
    permutations = _permutations(np.asarray(first), np.asarray(second))
    spread = math.hypot(*deviations)
    return _difference(mean, interval, spread, t_probability, permutations, paired=False, exact_decides=False)


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


def verdict_on(mean: float, probability: float) -> Verdict:
    """Returns what may be said of the first of two groups.

    Args:
        mean: First minus second.
        probability: That chance alone makes such a difference; corrected where several are looked at.
    """
    if probability > LEVEL or mean == 0:
        return "no evidence"
    return "better" if mean > 0 else "worse"


def _deviation(values: Values) -> float:
    """Exactly 0 where the values are equal but for rounding: a t statistic would take that for certainty."""
    return stdev(values) if max(values) - min(values) > ROUNDING else 0.0


def _student(mean: float, error: float, degrees: float) -> tuple[Interval | None, float | None]:
    """The 95% interval around a mean with a standard error, and its two-sided probability."""
    if not error:
        return None, None if abs(mean) > ROUNDING else 1.0
    half = t_quantile(1 - LEVEL / 2, degrees) * error
    return Interval(mean - half, mean + half), t_two_sided(mean / error, degrees)


@dataclass(frozen=True)
class _Rearrangements:
    share: float
    number: int
    exhaustive: bool


def _sign_flips(differences: FloatArray) -> _Rearrangements:
    """A set of signs and its mirror image are equally far from 0, so the first sign stays."""
    pairs, observed = len(differences), abs(differences.sum())
    if exhaustive := 2**pairs <= MOST_REARRANGEMENTS:
        sums = differences[:1]
        for one in differences[1:]:
            sums = np.concatenate([sums + one, sums - one])
        return _Rearrangements(_share_as_far(sums, observed), 2**pairs, exhaustive)
    signs = generator(0, Stream.SIGN_FLIPS).choice([-1.0, 1.0], (RANDOM_REARRANGEMENTS, pairs))
    return _Rearrangements(_share_of_sample(signs @ differences, observed), RANDOM_REARRANGEMENTS, exhaustive)


def _permutations(first: FloatArray, second: FloatArray) -> _Rearrangements:
    """Which values make up the first group decides the difference of the means."""
    values, size = np.concatenate([first, second]), len(first)
    number = math.comb(len(values), size)
    centred, observed = values - values.mean(), abs(first.sum() - size * values.mean())
    if exhaustive := number <= MOST_REARRANGEMENTS:
        places = np.fromiter(chain.from_iterable(combinations(range(len(values)), size)), np.intp, number * size)
        sums = centred[places.reshape(number, size)].sum(axis=1)
        return _Rearrangements(_share_as_far(sums, observed), number, exhaustive)
    keys = generator(0, Stream.PERMUTATIONS).random((RANDOM_REARRANGEMENTS, len(values)))
    sums = centred[np.argpartition(keys, size - 1, axis=1)[:, :size]].sum(axis=1)
    return _Rearrangements(_share_of_sample(sums, observed), RANDOM_REARRANGEMENTS, exhaustive)


def _share_as_far(sums: FloatArray, observed: float) -> float:
    return float(np.mean(np.abs(sums) >= observed - ROUNDING))


def _share_of_sample(sums: FloatArray, observed: float) -> float:
    """Counts what was observed among the sample, so that it is never 0 (Phipson and Smyth 2010)."""
    return (_share_as_far(sums, observed) * len(sums) + 1) / (len(sums) + 1)


def _difference(
    mean: float,
    interval: Interval | None,
    deviation: float,
    t_probability: float | None,
    exact: _Rearrangements,
    *,
    paired: bool,
    exact_decides: bool,
) -> Difference:
    by_t = t_probability is not None and not exact_decides
    return Difference(
        mean=mean,
        interval=interval,
        paired=paired,
        deviation=deviation,
        t_probability=t_probability,
        exact_probability=exact.share,
        rearrangements=exact.number,
        exhaustive=exact.exhaustive,
        probability=t_probability if by_t and t_probability is not None else exact.share,
        decided_by="t" if by_t else "exact",
    )

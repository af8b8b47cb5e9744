"""How sure we are: confidence intervals for accuracies and for means over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

import numpy as np

MOST_SUMMED_DEGREES = 1000
"""The closed form sums half as many terms; beyond this the expansion in 1 / degrees is as exact and far cheaper."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Returns the score interval of a proportion, which stays right near 0 and 1 (Wilson 1927).

    Args:
        successes: Such as images classified rightly.
        trials: Such as images classified.
        confidence: The share of such intervals that hold the true proportion.

    Raises:
        ValueError: There are no trials, more successes than trials, or the confidence is not between 0 and 1.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(
            f"got {successes} successes in {trials} trials; expected 0 <= successes <= trials, trials >= 1"
        )
    z = NormalDist().inv_cdf(_upper_probability(confidence))
    proportion, shrinkage = successes / trials, 1 + z**2 / trials
    centre = (proportion + z**2 / (2 * trials)) / shrinkage
    half = z / shrinkage * math.sqrt(proportion * (1 - proportion) / trials + (z / (2 * trials)) ** 2)
    # at the ends the formula is 0 or 1, but for rounding
    low = centre - half if successes else 0.0
    high = centre + half if successes < trials else 1.0
    return Interval(max(0.0, low), min(1.0, high))


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, Interval | None]:
    """Returns the mean and Student's t interval of it.

    Args:
        values: Independent measurements, such as one accuracy for each seed.
        confidence: The share of such intervals that hold the true mean.

    Returns:
        The mean, and its interval or None for a single value, which says nothing about its spread.

    Raises:
        ValueError: There are no values, or the confidence is not between 0 and 1.
    """
    if not values:
        raise ValueError("got no values; expected at least one")
    probability, mean = _upper_probability(confidence), fmean(values)
    if len(values) == 1:
        return mean, None
    half = t_quantile(probability, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return mean, Interval(mean - half, mean + half)


def t_quantile(probability: float, degrees_of_freedom: int) -> float:
    """Returns the value that a Student t variable stays below with the given probability.

    The relative error is under 1e-9 for probabilities between 1e-6 and 1 - 1e-6.

    Args:
        probability: Between 0 and 1, both excluded.
        degrees_of_freedom: At least 1.

    Raises:
        ValueError: An argument is out of its bounds.
    """
    if not 0 < probability < 1:
        raise ValueError(f"got probability {probability}; expected a number between 0 and 1")
    if degrees_of_freedom < 1:
        raise ValueError(f"got {degrees_of_freedom} degrees of freedom; expected at least 1")
    if degrees_of_freedom > MOST_SUMMED_DEGREES:
        return _t_quantile_of_many_degrees(probability, degrees_of_freedom)
    angle = _angle_covering(abs(2 * probability - 1), degrees_of_freedom)
    return math.copysign(math.sqrt(degrees_of_freedom) * math.tan(angle), probability - 0.5)


def _upper_probability(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"got confidence {confidence}; expected a number between 0 and 1")
    return (1 + confidence) / 2


def _angle_covering(coverage: float, degrees: int) -> float:
    """Bisects for the angle whose `_coverage` is the one given, until no float lies between the bounds."""
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _coverage(middle, degrees) < coverage:
            low = middle
        else:
            high = middle
    return middle


def _coverage(angle: float, degrees: int) -> float:
    """The probability of |T| <= sqrt(degrees) tan(angle): Abramowitz and Stegun 26.7.3 (odd) and 26.7.4 (even)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    if degrees == 1:
        return 2 * angle / math.pi
    if degrees % 2:
        index = np.arange(1, (degrees - 3) // 2 + 1)
        series = cosine * (1 + float(np.cumprod(2 * index / (2 * index + 1) * cosine**2).sum()))
        return 2 / math.pi * (angle + sine * series)
    index = np.arange(1, (degrees - 2) // 2 + 1)
    return sine * (1 + float(np.cumprod((2 * index - 1) / (2 * index) * cosine**2).sum()))


def _t_quantile_of_many_degrees(probability: float, degrees: int) -> float:
    """The normal quantile and three corrections: Abramowitz and Stegun 26.7.5."""
    x = NormalDist().inv_cdf(probability)
    corrections = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
    )
    return x + math.fsum(correction / degrees**power for power, correction in enumerate(corrections, start=1))

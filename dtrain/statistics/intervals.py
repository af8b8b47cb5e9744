"""How sure we are: confidence intervals for accuracies and means over seeds, and Student's t distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, fmean, stdev

UPPER = 0.975
"""Of a 95% interval, the probability to be below its upper end."""
MOST_TERMS = 10_000
"""Of a continued fraction, which needs about the root of its larger parameter: a bound, never reached."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


def wilson_interval(successes: int, trials: int) -> Interval:
    """Returns the 95% score interval of a proportion, which stays right near 0 and 1 (Wilson 1927).

    Args:
        successes: Such as images classified rightly.
        trials: Such as images classified.

    Raises:
        ValueError: There are no trials, or more successes than trials.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(
            f"got {successes} successes in {trials} trials; expected 0 <= successes <= trials, trials >= 1"
        )
    z = NormalDist().inv_cdf(UPPER)
    proportion, shrinkage = successes / trials, 1 + z**2 / trials
    centre = (proportion + z**2 / (2 * trials)) / shrinkage
    half = z / shrinkage * math.sqrt(proportion * (1 - proportion) / trials + (z / (2 * trials)) ** 2)
    # at the ends the formula is 0 or 1, but for rounding
    low = centre - half if successes else 0.0
    high = centre + half if successes < trials else 1.0
    return Interval(max(0.0, low), min(1.0, high))


def mean_interval(values: Sequence[float]) -> tuple[float, Interval | None]:
    """Returns the mean of independent measurements and Student's 95% interval; None for a single one.

    Args:
        values: At least one, such as an accuracy for each seed.
    """
    mean = fmean(values)
    if len(values) == 1:
        return mean, None
    half = t_quantile(UPPER, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return mean, Interval(mean - half, mean + half)


def accuracy_interval(accuracies: Sequence[float]) -> tuple[float, Interval | None]:
    """Returns the mean accuracy and the part of its 95% t interval that accuracies can be in, from 0 to 1.

    With few values that spread, Student's interval goes beyond; there are no true means there, so that what is left
    holds the true one as often.

    Args:
        accuracies: At least one, each of a seed; of a single one there is no interval.
    """
    mean, interval = mean_interval(accuracies)
    return mean, interval and Interval(max(0.0, interval.low), min(1.0, interval.high))


@cache
def t_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Returns the value that a Student t variable stays below with the given probability.

    The relative error is under 1e-9 for probabilities between 1e-6 and 1 - 1e-6.

    Args:
        probability: Between 0 and 1, both excluded.
        degrees_of_freedom: At least 1; Welch's are no whole number.
    """
    angle = _angle_exceeded_with(2 * min(probability, 1 - probability), degrees_of_freedom)
    return math.copysign(math.sqrt(degrees_of_freedom) * math.tan(angle), probability - 0.5)


def t_two_sided(value: float, degrees_of_freedom: float) -> float:
    """Returns the probability that a Student t variable is at least as far from 0 as `value`.

    Args:
        value: Such as a mean over its standard error.
        degrees_of_freedom: At least 1.
    """
    return _exceeding(math.atan2(abs(value), math.sqrt(degrees_of_freedom)), degrees_of_freedom)


def _angle_exceeded_with(probability: float, degrees: float) -> float:
    """Bisects for the angle whose `_exceeding` is the probability given, until no float lies between the bounds."""
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _exceeding(middle, degrees) > probability:
            low = middle
        else:
            high = middle
    return middle


def _exceeding(angle: float, degrees: float) -> float:
    """The probability of |T| >= sqrt(degrees) tan(angle): Abramowitz and Stegun 26.7.1 and 26.5.2."""
    sine, cosine = math.sin(angle), math.cos(angle)
    if sine**2 < 3 / (degrees + 5):
        return 1 - _incomplete_beta(sine, cosine, 0.5, degrees / 2)
    return _incomplete_beta(cosine, sine, degrees / 2, 0.5)


def _incomplete_beta(root: float, other_root: float, a: float, b: float) -> float:
    """The regularised incomplete beta function at root^2 = 1 - other_root^2: Abramowitz and Stegun 26.5.8.

    The continued fraction is evaluated from its first term on, as Lentz does it (1976); it converges fast below the
    mean of the distribution, (a + 1) / (a + b + 2).
    """
    if root == 0:
        return 0.0
    x, numerator, inverse_denominator, fraction = root**2, 1.0, 0.0, 1.0
    for number in range(1, MOST_TERMS):
        half = number // 2
        if number % 2:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        inverse_denominator = 1 / (1 + term * inverse_denominator)
        numerator = 1 + term / numerator
        fraction *= numerator * inverse_denominator
        if abs(numerator * inverse_denominator - 1) < 1e-15:
            break
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(logarithm + 2 * a * math.log(root) + 2 * b * math.log(other_root)) / (a * fraction)

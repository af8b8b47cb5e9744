"""How sure we are: confidence intervals for accuracies and means over seeds, and Student's t distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

MOST_EXACT_DEGREES = 1000
"""Beyond this the expansion of the quantile in 1 / degrees is as exact and far cheaper."""
MOST_TERMS = 10_000
"""Of a continued fraction, which needs about the root of its larger parameter: a bound, never reached."""


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


def accuracy_interval(accuracies: Sequence[float]) -> tuple[float, Interval | None]:
    """Returns the mean accuracy and the part of its 95% t interval that accuracies can be in, from 0 to 1.

    With few values that spread, Student's interval goes beyond; there are no true means there, so that what is left
    holds the true one as often.

    Args:
        accuracies: One for each seed.

    Returns:
        The mean, and its interval or None for a single value.

    Raises:
        ValueError: There are no values.
    """
    mean, interval = mean_interval(accuracies)
    return mean, interval and Interval(max(0.0, interval.low), min(1.0, interval.high))


def t_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Returns the value that a Student t variable stays below with the given probability.

    The relative error is under 1e-9 for probabilities between 1e-6 and 1 - 1e-6.

    Args:
        probability: Between 0 and 1, both excluded.
        degrees_of_freedom: At least 1; Welch's are no whole number.

    Raises:
        ValueError: An argument is out of its bounds.
    """
    if not 0 < probability < 1:
        raise ValueError(f"got probability {probability}; expected a number between 0 and 1")
    _check_degrees(degrees_of_freedom)
    if degrees_of_freedom > MOST_EXACT_DEGREES:
        return _t_quantile_of_many_degrees(probability, degrees_of_freedom)
    angle = _angle_exceeded_with(2 * min(probability, 1 - probability), degrees_of_freedom)
    return math.copysign(math.sqrt(degrees_of_freedom) * math.tan(angle), probability - 0.5)


def t_two_sided(value: float, degrees_of_freedom: float) -> float:
    """Returns the probability that a Student t variable is at least as far from 0 as `value`.

    Args:
        value: Such as a mean over its standard error.
        degrees_of_freedom: At least 1.

    Raises:
        ValueError: There are fewer degrees of freedom.
    """
    _check_degrees(degrees_of_freedom)
    return _exceeding(math.atan2(abs(value), math.sqrt(degrees_of_freedom)), degrees_of_freedom)


def _check_degrees(degrees_of_freedom: float) -> None:
    if not degrees_of_freedom >= 1:
        raise ValueError(f"got {degrees_of_freedom} degrees of freedom; expected at least 1")


def _upper_probability(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"got confidence {confidence}; expected a number between 0 and 1")
    return (1 + confidence) / 2


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


def _t_quantile_of_many_degrees(probability: float, degrees: float) -> float:
    """The normal quantile and three corrections: Abramowitz and Stegun 26.7.5."""
    x = NormalDist().inv_cdf(probability)
    corrections = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
    )
    return x + math.fsum(correction / degrees**power for power, correction in enumerate(corrections, start=1))

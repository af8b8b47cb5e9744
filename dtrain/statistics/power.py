"""What so many seeds can see: the smallest difference, and the seeds that a difference of a given size takes."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from dtrain.statistics.intervals import t_quantile

POWER = 0.8
"""A difference is seen where the t test comes to a verdict in four of five cases."""
MOST_SEEDS = 1000
"""A difference that needs more seeds than this to be seen is not worth training for."""
GRID, HALVINGS = 200, 20
FEWEST_PAIRS = 5
"""Seeds are compared one by one from so many on. With fewer the pairing costs more, in degrees of freedom, than it
brings: arms hardly correlate over seeds (by 0.2 on average over 307 pairs of the lesson's settings)."""


@cache
def smallest_seen(degrees: float, level: float) -> float:
    """Returns the smallest true difference, in standard errors, that a two-sided t test sees in four of five cases.

    Args:
        degrees: Degrees of freedom, at least 1.
        level: The level of the test.
    """
    bound = t_quantile(1 - level / 2, degrees)
    low, high = 0.0, 2 * bound + 4
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _power(middle, bound, degrees) < POWER else (low, middle)
    return high


def seeds_to_see(effect: float, level: float, *, paired: bool = True) -> int | None:
    """Returns the fewest seeds (of each group) that see a difference in four of five cases.

    Args:
        effect: The true difference over the spread of the differences; where unpaired, over the root of the two
            variances' sum.
        level: The level of the test.
        paired: Whether both groups have the same seeds, so that enough of them are compared one by one.

    Returns:
        At least 5 where paired and 2 where not; None if it is above 1000.
    """
    low, high = (FEWEST_PAIRS if paired else 2) - 1, MOST_SEEDS + 1
    while high - low > 1:
        middle = (low + high) // 2
        degrees = (middle - 1) * (1 if paired else 2)
        if effect * math.sqrt(middle) < smallest_seen(degrees, level):
            low = middle
        else:
            high = middle
    return high if high <= MOST_SEEDS else None


def _power(centre: float, bound: float, degrees: float) -> float:
    """The chance that a noncentral t variable is above the bound; what is below its mirror image is next to nothing.

    Its numerator is normal around the centre, its denominator the root of a chi-square over its degrees: the normal
    probabilities are averaged over the density of the latter on a fine grid.
    """
    reach = 10 / math.sqrt(2 * degrees)
    edges = np.linspace(max(0.0, 1 - reach), 1 + reach, GRID + 1)
    scales = (edges[1:] + edges[:-1]) / 2
    logarithms = (degrees - 1) * np.log(scales) - degrees * scales**2 / 2
    weights = np.exp(logarithms - logarithms.max())
    normal = NormalDist()
    return float(np.average([normal.cdf(centre - bound * scale) for scale in scales], weights=weights))

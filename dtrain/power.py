"""How many seeds a comparison would have needed: the power of a t test."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from dtrain.significance import LEVEL, Difference
from dtrain.statistics import t_quantile

POWER = 0.8
MOST_SEEDS = 1000
"""A difference that needs more seeds than this to be seen is not worth training for."""
GRID = 1000


def seeds_needed(difference: Difference, comparisons: int = 1) -> int | None:
    """Returns how many seeds (of each group) a t test needs to see the observed difference with a power of 80%.

    That is the smallest number whose noncentral t distribution puts 80% beyond the two-sided 5% bound, if the true
    difference and spread are those observed. With several comparisons the bound is that of 5% divided by their number.

    Args:
        difference: What was observed.
        comparisons: How many are corrected for.

    Returns:
        At least 2; None if it is above 1000, or there is no difference or no spread.
    """
    if not difference.mean or not difference.deviation:
        return None
    effect, level = abs(difference.mean) / difference.deviation, LEVEL / comparisons
    low, high = 1, MOST_SEEDS
    if _power(effect, high, level, paired=difference.paired) < POWER:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _power(effect, middle, level, paired=difference.paired) < POWER:
            low = middle
        else:
            high = middle
    return high


def _power(effect: float, seeds: int, level: float, *, paired: bool) -> float:
    """The chance that a t test at `level` sees a difference of `effect` spreads: the noncentral t distribution.

    Its numerator is normal around `effect` times the root of the seeds, its denominator the root of a chi-square
    over its degrees: the normal probabilities are averaged over the density of the latter on a fine grid.
    """
    degrees = (seeds - 1) * (1 if paired else 2)
    bound, centre, reach = t_quantile(1 - level / 2, degrees), effect * math.sqrt(seeds), 10 / math.sqrt(2 * degrees)
    edges = np.linspace(max(0.0, 1 - reach), 1 + reach, GRID + 1)
    scales = (edges[1:] + edges[:-1]) / 2
    logarithms = (degrees - 1) * np.log(scales) - degrees * scales**2 / 2
    weights = np.exp(logarithms - logarithms.max())
    normal = NormalDist()
    beyond = [normal.cdf(centre - bound * scale) + normal.cdf(-centre - bound * scale) for scale in scales]
    return float(np.average(beyond, weights=weights))

"""How many seeds a comparison would have needed: the power of the test that decides with so many."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from dtrain.ground.randomness import Stream, generator
from dtrain.statistics.intervals import t_quantile
from dtrain.statistics.significance import FEWEST_PAIRS, LEVEL, ROUNDING, Difference

POWER = 0.8
MOST_SEEDS = 1000
"""A difference that needs more seeds than this to be seen is not worth training for."""
GRID = 1000
SIMULATIONS = 4000
MOST_COUNTED = 50
"""With more sets of signs than this within its level, the sign-flip test has the t test's power, but for a percent."""


def seeds_needed(difference: Difference, seeds: int, comparisons: int = 1) -> int | None:
    """Returns how many seeds (of each group), more than there are, see the observed difference with a power of 80%.

    That is the smallest number with which the test that decides then, the t test or the sign-flip test, comes to a
    verdict in four of five cases, if the true differences are normal with the mean and spread observed. With several
    comparisons the test is one at a level of 5% divided by their number.

    Args:
        difference: What was observed.
        seeds: How many seeds there were; where the groups are of unlike sizes, their harmonic mean.
        comparisons: How many are corrected for.

    Returns:
        More than `seeds`, and at least 2; None if it is above 1000, or there is no difference or no spread.
    """
    if not difference.mean or not difference.deviation:
        return None
    effect, level = abs(difference.mean) / difference.deviation, LEVEL / comparisons
    needed = _needed_by_t(effect, seeds, level, paired=difference.paired)
    if needed is None or not difference.paired:
        return needed
    # the exact test needs a few more than the t test
    while needed >= FEWEST_PAIRS and _sign_flip_power(effect, needed, level) < POWER:
        needed += 1
    return needed


def _needed_by_t(effect: float, seeds: int, level: float, *, paired: bool) -> int | None:
    low, high = max(1, seeds), MOST_SEEDS
    if low >= high or _t_power(effect, high, level, paired=paired) < POWER:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if _t_power(effect, middle, level, paired=paired) < POWER:
            low = middle
        else:
            high = middle
    return high


def _sign_flip_power(effect: float, pairs: int, level: float) -> float:
    """The chance that the sign-flip test at `level` sees a difference of `effect` spreads, from simulations.

    A set of signs is as far from 0 as the observed one where what it makes negative adds up to no more (up to mirror
    images), so that only the smallest sums of subsets count, as many as the level allows and one more.
    """
    counted = math.floor(2**pairs * level / 2)
    if counted > MOST_COUNTED:
        return _t_power(effect, pairs, level, paired=True)
    differences = effect + generator(0, Stream.POWER, pairs).standard_normal((SIMULATIONS, pairs))
    observed = np.minimum(np.maximum(differences, 0).sum(axis=1), np.maximum(-differences, 0).sum(axis=1))
    sums = np.zeros((SIMULATIONS, 1))
    for one in np.abs(differences).T:
        sums = np.concatenate([sums, sums + one[:, np.newaxis]], axis=1)
        if sums.shape[1] > counted + 1:
            sums = np.partition(sums, counted, axis=1)[:, : counted + 1]
    return float(np.mean(sums.max(axis=1) > observed + ROUNDING))


def _t_power(effect: float, seeds: int, level: float, *, paired: bool) -> float:
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

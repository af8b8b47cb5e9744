"""The seeds needed agree with SciPy's noncentral t distribution, and with simulations."""

import numpy as np
import pytest
from scipy import stats

from dtrain.power import seeds_needed
from dtrain.significance import paired_difference, unpaired_difference


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("effect", [0.2, 0.9, 1.5, 6.0])
def test_the_seeds_needed_are_the_fewest_with_a_power_of_80_percent(effect: float, paired: bool) -> None:
    """The two groups of the unpaired case spread by 1 / root 2 each, so that their difference spreads by 1."""
    shape = np.array([-1.0, 0.0, 1.0])
    if paired:
        seeds = seeds_needed(paired_difference(shape + effect, np.zeros(3)))
    else:
        seeds = seeds_needed(unpaired_difference(shape / 2**0.5 + effect, shape / 2**0.5))
    assert seeds is not None
    powers = [0.0]
    for number in range(max(2, seeds - 1), seeds + 1):
        degrees, centre = (number - 1) * (1 if paired else 2), effect * number**0.5
        bound = stats.t.ppf(0.975, degrees)
        other_side = np.nan_to_num(stats.nct.cdf(-bound, degrees, centre))  # SciPy gives nan for next to nothing
        powers.append(stats.nct.sf(bound, degrees, centre) + other_side)
    assert powers[-2] < 0.8 <= powers[-1]


def test_the_seeds_needed_do_see_the_difference_in_four_of_five_simulations() -> None:
    seeds = seeds_needed(paired_difference([1.9, 0.9, -0.1], [0, 0, 0]))
    assert seeds is not None
    simulated = stats.ttest_1samp(np.random.default_rng(0).normal(0.9, 1, (20_000, seeds)), 0, axis=1).pvalue
    assert 0.79 < np.mean(simulated <= 0.05) < 0.85


def test_a_difference_that_needs_too_many_seeds_gets_no_number() -> None:
    assert seeds_needed(paired_difference([1.01, 0.01, -0.99], [0, 0, 0])) is None


@pytest.mark.parametrize("group", [[0.88, 0.88], [0.8, 0.81, 0.82]])
def test_no_difference_needs_no_number(group: list[float]) -> None:
    assert seeds_needed(paired_difference(group, group)) is None


def test_several_comparisons_need_more_seeds() -> None:
    """As many as one comparison at a level of 5% divided by their number."""
    found, comparisons = paired_difference([1.9, 0.9, -0.1], [0, 0, 0]), 6
    seeds = seeds_needed(found, comparisons)
    assert seeds is not None
    powers = [
        stats.nct.sf(stats.t.ppf(1 - 0.05 / comparisons / 2, number - 1), number - 1, 0.9 * number**0.5)
        for number in (seeds - 1, seeds)
    ]
    assert powers[0] < 0.8 <= powers[1]

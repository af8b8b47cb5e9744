"""The seeds needed agree with SciPy's noncentral t distribution, and with simulations of the test that decides."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from dtrain.statistics.power import seeds_needed
from dtrain.statistics.significance import paired_difference, unpaired_difference

SHAPE = np.array([-1.0, 0.0, 1.0])


def needed(effect: float, seeds: int = 1, comparisons: int = 1) -> int:
    """For pairs whose differences spread by 1 around `effect`."""
    found = seeds_needed(paired_difference(SHAPE + effect, np.zeros(3)), seeds, comparisons)
    assert found is not None
    return found


def power_of_t(effect: float, seeds: int, degrees: int, level: float = 0.05) -> float:
    bound, centre = stats.t.ppf(1 - level / 2, degrees), effect * seeds**0.5
    other_side = np.nan_to_num(stats.nct.cdf(-bound, degrees, centre))  # SciPy gives nan for next to nothing
    return float(stats.nct.sf(bound, degrees, centre) + other_side)


@pytest.mark.parametrize("effect", [0.2, 0.9, 1.5, 6.0])
def test_unpaired_seeds_are_the_fewest_with_a_power_of_80_percent(effect: float) -> None:
    """The groups spread by 1 / root 2 each, so that their difference spreads by 1."""
    seeds = seeds_needed(unpaired_difference(SHAPE / 2**0.5 + effect, SHAPE / 2**0.5), 1)
    assert seeds is not None
    assert power_of_t(effect, seeds, 2 * (seeds - 1)) >= 0.8
    assert seeds == 2 or power_of_t(effect, seeds - 1, 2 * (seeds - 2)) < 0.8


@pytest.mark.parametrize(("effect", "comparisons"), [(6.0, 1), (2.0, 1), (0.7, 1), (0.3, 1), (0.2, 6)])
def test_paired_seeds_are_the_fewest_where_the_t_test_decides_or_is_as_good(effect: float, comparisons: int) -> None:
    seeds, level = needed(effect, comparisons=comparisons), 0.05 / comparisons
    assert power_of_t(effect, seeds, seeds - 1, level) >= 0.8
    assert power_of_t(effect, seeds - 1, seeds - 2, level) < 0.8


@pytest.mark.parametrize(
    ("effect", "seeds"), [(2.5, 5), (1.81, 5), (1.6, 6), (1.5, 6), (1.45, 6), (1.3, 7), (1.15, 7), (1.0, 7)]
)
def test_where_few_seeds_decide_by_signs_the_test_of_them_sees_the_difference(effect: float, seeds: int) -> None:
    """With fewer it does so in fewer than four of five of 4,000 samples, each flipped in all ways that there are."""
    random, found = np.random.default_rng(0), needed(effect, seeds)
    powers = {}
    for number in range(seeds + 1, found + 1):
        samples = random.normal(effect, 1, (4000, number))
        flips = np.array(list(product((-1, 1), repeat=number)))
        probabilities = np.mean(np.abs(samples @ flips.T) >= np.abs(samples.sum(1, keepdims=True)) - 1e-9, axis=1)
        powers[number] = np.mean(probabilities <= 0.05)
    assert powers.pop(found) > 0.78
    assert all(power < 0.82 for power in powers.values())


@pytest.mark.parametrize(("comparisons", "pairs"), [(1, 6), (3, 7), (6, 8), (45, 11)])
def test_with_the_fewest_pairs_that_can_reach_the_level_all_signs_must_agree(comparisons: int, pairs: int) -> None:
    """In closed form: n normal differences are all above 0 with probability Phi(effect)^n."""
    enough = stats.norm.ppf(0.8 ** (1 / pairs))
    assert needed(enough + 0.1, pairs - 1, comparisons) == pairs
    assert needed(enough - 0.1, pairs - 1, comparisons) > pairs


@pytest.mark.parametrize("seeds", [1, 5, 6, 17, 999])
def test_more_seeds_are_needed_than_there_are(seeds: int) -> None:
    assert needed(3.0, seeds) > seeds


def test_a_difference_that_needs_too_many_seeds_gets_no_number() -> None:
    assert seeds_needed(paired_difference([1.01, 0.01, -0.99], [0, 0, 0]), 3) is None
    assert seeds_needed(paired_difference([1.9, 0.9, -0.1], [0, 0, 0]), 1000) is None


@pytest.mark.parametrize("group", [[0.88, 0.88], [0.8, 0.81, 0.82]])
def test_no_difference_needs_no_number(group: list[float]) -> None:
    assert seeds_needed(paired_difference(group, group), 2) is None

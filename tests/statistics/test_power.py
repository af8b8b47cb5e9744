"""What so many seeds can see agrees with SciPy's noncentral t distribution."""

import numpy as np
import pytest
from scipy import stats

from dtrain.statistics.power import seeds_to_see, smallest_seen


def power_of_t(centre: float, degrees: float, level: float = 0.05) -> float:
    bound = stats.t.ppf(1 - level / 2, degrees)
    other_side = np.nan_to_num(stats.nct.cdf(-bound, degrees, centre))  # SciPy gives nan for next to nothing
    return float(stats.nct.sf(bound, degrees, centre) + other_side)


@pytest.mark.parametrize("level", [0.05, 0.05 / 3, 0.05 / 45])
@pytest.mark.parametrize("degrees", [1, 2, 3.7, 5, 11, 300])
def test_the_smallest_difference_is_seen_in_four_of_five_cases(degrees: float, level: float) -> None:
    assert power_of_t(smallest_seen(degrees, level), degrees, level) == pytest.approx(0.8, abs=0.004)


@pytest.mark.parametrize(("effect", "comparisons"), [(6.0, 1), (2.0, 1), (0.7, 1), (0.3, 1), (0.2, 6)])
def test_paired_seeds_are_the_fewest_that_see_the_difference(effect: float, comparisons: int) -> None:
    seeds, level = seeds_to_see(effect, 0.05 / comparisons), 0.05 / comparisons
    assert seeds is not None
    assert power_of_t(effect * seeds**0.5, seeds - 1, level) >= 0.8
    assert seeds == 5 or power_of_t(effect * (seeds - 1) ** 0.5, seeds - 2, level) < 0.8


@pytest.mark.parametrize("effect", [0.2, 0.9, 1.5, 6.0])
def test_unpaired_seeds_are_the_fewest_that_see_the_difference(effect: float) -> None:
    seeds = seeds_to_see(effect, 0.05, paired=False)
    assert seeds is not None
    assert power_of_t(effect * seeds**0.5, 2 * (seeds - 1)) >= 0.8
    assert seeds == 2 or power_of_t(effect * (seeds - 1) ** 0.5, 2 * (seeds - 2)) < 0.8


def test_a_difference_that_takes_too_many_seeds_gets_no_number() -> None:
    assert seeds_to_see(0.05, 0.05) is None
    assert seeds_to_see(0.1, 0.05) == 787

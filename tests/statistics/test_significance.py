"""Tests agree with SciPy."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from dtrain.statistics.significance import (
    Difference,
    deviations_apart,
    fisher,
    holm,
    mcnemar,
    paired_difference,
    unpaired_difference,
)

Floats = npt.NDArray[np.float64]
ACCURACIES = np.random.default_rng(5).normal(0.88, 0.004, (2, 24)).round(4)


def mean_of_difference(first: Floats, second: Floats, axis: int) -> Floats:
    difference: Floats = first.mean(axis) - second.mean(axis)
    return difference


@pytest.mark.parametrize("seeds", [2, 3, 5, 6, 10])
def test_a_paired_difference_equals_scipy(seeds: int) -> None:
    first, second = ACCURACIES[0, :seeds], ACCURACIES[1, :seeds]
    ours, t_test = paired_difference(first, second), stats.ttest_rel(first, second)
    flips = stats.permutation_test(
        (first, second), mean_of_difference, permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    interval = ours.interval(0.9)
    assert interval is not None
    theirs = (t_test.pvalue, *t_test.confidence_interval(0.9), flips.pvalue)
    assert (ours.t_probability, interval.low, interval.high, ours.exact_probability) == pytest.approx(theirs)
    assert ours.mean == pytest.approx(float((first - second).mean()))
    assert (ours.rearrangements, ours.exhaustive, ours.degrees) == (2**seeds, True, seeds - 1)


@pytest.mark.parametrize("sizes", [(2, 2), (3, 5), (6, 6), (8, 2)])
def test_an_unpaired_difference_equals_scipy(sizes: tuple[int, int]) -> None:
    first, second = ACCURACIES[0, : sizes[0]], ACCURACIES[1, 10 : 10 + sizes[1]]
    ours, welch = unpaired_difference(first, second), stats.ttest_ind(first, second, equal_var=False)
    interval = ours.interval(0.95)
    assert interval is not None
    theirs = (welch.pvalue, *welch.confidence_interval(0.95), welch.df)
    assert (ours.t_probability, interval.low, interval.high, ours.degrees) == pytest.approx(theirs)


def test_beyond_what_can_be_counted_a_sample_comes_near_the_t_test() -> None:
    found = paired_difference(*ACCURACIES)
    assert (found.exhaustive, found.rearrangements) == (False, 100_000)
    assert found.exact_probability == pytest.approx(found.t_probability, abs=0.02)
    sure = paired_difference(ACCURACIES[0] + 1, ACCURACIES[1])
    assert sure.exact_probability == pytest.approx(1 / 100_001)


@pytest.mark.parametrize("difference", [paired_difference, unpaired_difference])
@pytest.mark.parametrize("group", [[0.88, 0.88], [0.8805, 0.8795, 0.881, 0.9, 0.7, 0.1, 0.5]])
def test_a_group_against_itself_differs_by_exactly_0(difference: Callable[..., Difference], group: list[float]) -> None:
    found = difference(group, group)
    assert (found.mean, found.t_probability, found.exact_probability) in ((0, 1, 1), (0, 1, None))


def test_equal_differences_say_nothing_of_their_spread() -> None:
    """In floating point they are not quite equal, and a t test would be certain."""
    found = paired_difference([0.8805, 0.9005, 0.3005], [0.88, 0.9, 0.3])
    assert (found.interval(0.95), found.t_probability, found.deviation) == (None, None, 0)


@pytest.mark.parametrize("counts", [(0, 0), (5, 5), (9, 2), (2, 9), (0, 40), (300, 250), (4000, 4200)])
def test_mcnemar_equals_the_binomial_test(counts: tuple[int, int]) -> None:
    right = np.repeat([[True, False], [False, True], [True, True], [False, False]], [*counts, 20, 7], axis=0)
    found = mcnemar(right[:, 0], right[:, 1])
    expected = stats.binomtest(counts[0], sum(counts)).pvalue if sum(counts) else 1.0
    assert (found.only_first, found.only_second, found.images) == (*counts, sum(counts) + 27)
    assert found.probability == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("failures", "sizes"), [((4, 0), (8, 8)), ((0, 6), (6, 6)), ((1, 3), (5, 12)), ((2, 2), (4, 4)), ((0, 1), (1, 1))]
)
def test_fishers_test_equals_scipys(failures: tuple[int, int], sizes: tuple[int, int]) -> None:
    table = [[lost, size - lost] for lost, size in zip(failures, sizes, strict=True)]
    assert fisher(failures, sizes) == pytest.approx(stats.fisher_exact(table).pvalue)


@pytest.mark.parametrize("successes", [(95, 242), (20, 500), (0, 3), (100, 499)])
def test_the_likelihood_ratio_of_two_shares_equals_scipys(successes: tuple[int, int]) -> None:
    table = [[one, size - one] for one, size in zip(successes, (100, 500), strict=True)]
    ratio = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert deviations_apart(successes, (100, 500)) ** 2 == pytest.approx(ratio)
    assert deviations_apart((100, 500), (100, 500)) == 0


def test_chance_does_not_bring_two_shares_five_deviations_apart() -> None:
    """Of 20,000 pairs of 20 to 10,000 trials each; the difference over its standard error would be, now and then."""
    random = np.random.default_rng(1)
    for share in (0.1, 0.5, 0.9, 0.99, 0.999):
        for size in (20, 100, 1000, 10_000):
            counts = random.binomial((size, 5 * size), share, (1000, 2)).tolist()
            assert max(deviations_apart((one, other), (size, 5 * size)) for one, other in counts) < 5


def test_holm_corrects_in_order_of_probability() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1, 1)
    assert holm([]) == ()


def test_models_on_unlike_images_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the same images"):
        mcnemar(np.ones(2, bool), np.ones(3, bool))

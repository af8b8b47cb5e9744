"""Intervals agree with SciPy, with closed forms, and with how often they hold the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from dtrain.statistics.intervals import (
    Interval,
    accuracy_interval,
    mean_interval,
    t_quantile,
    t_two_sided,
    wilson_interval,
)

PROBABILITIES = [1e-6, 0.025, 0.3, 0.501, 0.75, 0.9, 0.975, 0.995, 0.9999, 1 - 1e-6]


@pytest.mark.parametrize("degrees_of_freedom", [*range(1, 201), 1.3, 7.25, 1000, 10_000])
def test_t_quantile_equals_scipy(degrees_of_freedom: float) -> None:
    ours = [t_quantile(probability, degrees_of_freedom) for probability in PROBABILITIES]
    np.testing.assert_allclose(ours, stats.t.ppf(PROBABILITIES, degrees_of_freedom), rtol=1e-9)


@pytest.mark.parametrize("degrees_of_freedom", [1, 1.3, 2, 4.7, 10, 99.5, 1000, 100_000])
def test_t_two_sided_equals_scipy(degrees_of_freedom: float) -> None:
    values = [0, 1e-9, 0.1, 1, -2, 5, 12]
    ours = [t_two_sided(value, degrees_of_freedom) for value in values]
    np.testing.assert_allclose(ours, 2 * stats.t.sf(np.abs(values), degrees_of_freedom), rtol=1e-8)


def test_t_quantile_with_one_degree_is_the_cauchy_quantile() -> None:
    assert t_quantile(0.9, 1) == pytest.approx(math.tan(math.pi * 0.4), rel=1e-12)


def test_t_quantile_is_zero_at_the_median() -> None:
    assert t_quantile(0.5, 7) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("successes, trials", [(0, 1), (1, 1), (0, 20), (20, 20), (7, 10), (8857, 10_000)])
def test_wilson_interval_equals_scipy(successes: int, trials: int) -> None:
    theirs = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    ours = wilson_interval(successes, trials)
    np.testing.assert_allclose([ours.low, ours.high], [theirs.low, theirs.high], atol=1e-14)


def test_wilson_interval_stays_between_0_and_1() -> None:
    for trials in range(1, 200):
        assert wilson_interval(0, trials).low >= 0
        assert wilson_interval(trials, trials).high <= 1


def test_wilson_interval_holds_the_true_proportion_as_often_as_it_says() -> None:
    """The probability is summed over all outcomes of 200 trials, so it is exact."""
    held = [
        wilson_interval(successes, 200).low <= 0.9 <= wilson_interval(successes, 200).high for successes in range(201)
    ]
    assert stats.binom.pmf(np.arange(201), 200, 0.9)[held].sum() == pytest.approx(0.95, abs=0.015)


def test_mean_interval_equals_scipy() -> None:
    accuracies = [0.881, 0.887, 0.884, 0.890, 0.879]
    mean, interval = mean_interval(accuracies)
    theirs = stats.ttest_1samp(accuracies, 0).confidence_interval(0.95)
    assert interval is not None
    assert (mean, interval.low, interval.high) == pytest.approx((np.mean(accuracies), theirs.low, theirs.high))


@pytest.mark.parametrize(
    ("accuracies", "low", "high"),
    [([0.02, 0.9], 0, 1), ([0.9, 0.99], 0.37322, 1), ([0.01, 0.1], 0, 0.62678), ([0.88, 0.88], 0.88, 0.88)],
)
def test_the_interval_of_an_accuracy_ends_where_accuracies_do(accuracies: list[float], low: float, high: float) -> None:
    """Of two values Student's interval is the mean -+ 12.706 times half of what they differ by."""
    mean, interval = accuracy_interval(accuracies)
    assert interval is not None
    assert (mean, interval.low, interval.high) == pytest.approx((np.mean(accuracies), low, high), abs=1e-4)


def test_one_value_has_no_interval() -> None:
    assert mean_interval([0.88]) == accuracy_interval([0.88]) == (0.88, None)


def test_equal_values_have_an_interval_without_width() -> None:
    assert mean_interval([0.5, 0.5, 0.5]) == (0.5, Interval(0.5, 0.5))


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson_interval(0, 0),
        lambda: wilson_interval(3, 2),
        lambda: wilson_interval(-1, 2),
    ],
)
def test_impossible_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="got"):
        call()

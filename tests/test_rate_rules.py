"""Every rule against a curve worked out by hand, and the edge against quadratics whose stability is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from dtrain.rate_rules import (
    Curve,
    FloatArray,
    Marks,
    agreed_rate,
    divergence_step,
    edge_step,
    marks,
    read_curve,
    slide,
    smooth,
    spread,
    steepest,
    suggest,
    valley,
)

RATES = np.geomspace(1e-6, 10, 300)
FOUND = Marks(steepest=0.01, minimum=0.01, valley=0.01, slide=0.01, edge=0.1)
NOISE = np.random.default_rng(0)


def curve(found: Marks | None = FOUND, losses: FloatArray = RATES, *, diverged: bool = True) -> Curve:
    return Curve(1, losses, losses, diverged, found is not None, found)


def descent_on_quadratic(curvature: float, rates: FloatArray) -> FloatArray:
    """Losses of plain gradient descent on curvature x^2 / 2, which is stable below the rate 2 / curvature."""
    with np.errstate(over="ignore", invalid="ignore"):
        positions = np.cumprod(np.concatenate([[1.0], 1 - curvature * rates[:-1]]))
        return curvature * positions**2 / 2


def test_smoothing_is_a_normal_kernel_on_the_logarithm() -> None:
    losses = np.exp(NOISE.normal(size=200))
    expected = np.exp(gaussian_filter1d(np.log(losses), 4.0, mode="constant", truncate=4))
    np.testing.assert_allclose(smooth(losses, 200)[20:-20], expected[20:-20], rtol=1e-3)


def test_smoothing_keeps_a_constant_also_at_the_ends() -> None:
    np.testing.assert_allclose(smooth(np.full(20, 2.3), 300), 2.3)


@pytest.mark.parametrize("losses, step", [([4, 2, 1, 3.9, 4.1, 9], 4), ([4, 2, 1, 3.9], None), ([1, 5], 1)])
def test_a_divergence_is_four_times_the_best_so_far(losses: list[float], step: int | None) -> None:
    assert divergence_step(np.array(losses, float)) == step


def test_the_steepest_descent_of_a_logistic_fall_is_its_middle() -> None:
    steps = np.arange(100)
    assert steepest(2.3 / (1 + np.exp((steps - 60) / 5))) == 60


def test_the_steepest_descent_is_before_the_minimum_also_where_a_deeper_fall_follows_an_explosion() -> None:
    assert steepest(np.array([3.0, 2.9, 2.0, 1.1, 1.0, 50, 2.0])) == 2


def test_the_minimum_rule_is_a_tenth_of_the_rate_of_the_lowest_loss() -> None:
    losses = np.concatenate([np.linspace(3, 1, 200), np.linspace(1.01, 3, 100)])
    assert marks(losses, RATES, diverged=False).minimum == pytest.approx(RATES[199] / 10)


@pytest.mark.parametrize(
    "losses, middle",
    [
        ([5, 4, 3, 2, 1], 2),
        ([1, 9, 8, 7, 6, 5, 20], 3),  # 9 8 7 6 5: steps 1 to 5
        ([5, 6, 4, 7, 3, 2, 8], 3),  # 5 4 3 2: four points that end with step 5
        ([1, 1, 1], 0),
    ],
)
def test_the_valley_is_the_middle_of_the_longest_descent(losses: list[float], middle: int) -> None:
    assert valley(np.array(losses, float)) == middle


def test_the_slide_stops_where_both_ends_of_its_window_have_one_slope() -> None:
    # flat for 50 steps, then down by 0.02 a step for 40, then steeply up: slopes differ by 0.02 x 100 = 2 and more
    down, up = 2 - 0.02 * np.arange(1, 41), 1.2 + 5.0 * np.arange(1, 11)
    losses = np.concatenate([np.full(50, 2.0), down, up])
    # a window of 15 whose right end is the last step with the slope of the fall, number 88
    assert slide(losses, 100) == 88 - 15


def test_the_slide_ends_at_the_first_step_of_a_curve_without_a_steady_slope() -> None:
    assert slide(np.arange(100.0) ** 2, 100) == 0


@pytest.mark.parametrize("curvature", [0.5, 1, 3, 20, 100, 1000])
def test_the_edge_of_a_quadratic_is_found_within_10_per_cent(curvature: float) -> None:
    found = read_curve(descent_on_quadratic(curvature, RATES), RATES, 0).marks
    assert found is not None
    assert found.edge == pytest.approx(2 / curvature, rel=0.1)


def test_a_plateau_near_the_minimum_is_below_the_edge() -> None:
    assert edge_step(np.array([3, 1.0, 1.04, 1.04, 1.2, 9])) == 2


def test_a_loss_that_still_falls_has_no_edge() -> None:
    found = read_curve(np.linspace(2.3, 1, 300), RATES, 0)
    assert not found.diverged
    assert found.marks is not None
    assert found.marks.edge is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_curve_ends_before_a_loss_that_is_not_finite(value: float) -> None:
    losses = np.linspace(2.3, 1, 300)
    losses[200:] = value
    found = read_curve(losses, RATES, 7)
    assert (len(found.losses), found.diverged, found.seed) == (200, True, 7)
    assert found.marks is not None
    assert found.marks.edge is not None
    assert found.marks.edge <= RATES[199]


def test_noise_alone_is_no_fall() -> None:
    for noise in (0.01, 0.1, 0.5):
        found = read_curve(2.3 * np.exp(noise * NOISE.normal(size=300)), RATES, 0)
        assert (found.falls, found.marks) == (False, None)


def test_a_spread_is_geometric() -> None:
    found = spread([0.001, 0.1])
    assert found.middle == pytest.approx(0.01)
    assert (found.low, found.high) == (0.001, 0.1)


@pytest.mark.parametrize(
    "found, rate",
    [
        (FOUND, 0.01**0.5 * 0.1**0.5),
        (Marks(1e-9, 0.01, 0.01, 1.0, 0.04), 0.02),  # one rule far too low and one far too high
        (Marks(0.001, 0.004, 0.002, 0.003, 0.6), (0.002 * 0.003) ** 0.25 * 0.6**0.5),
        (Marks(0.01, 0.01, 0.01, 0.01, None), 0.01**0.5 * 0.1**0.5),
    ],
)
def test_agreement_is_half_way_from_the_median_of_the_rules_to_the_edge(found: Marks, rate: float) -> None:
    assert agreed_rate(found) == pytest.approx(rate)


def test_the_suggestion_is_the_geometric_mean_over_the_seeds_with_two_digits() -> None:
    found = suggest((curve(), curve(replace(FOUND, edge=0.2))), RATES)
    assert (found.rate, found.reason, found.edge) == (0.038, "", 0.1)  # (0.0316 x 0.0447) ** 0.5
    assert found.seeds is not None
    assert [found.seeds.low, found.seeds.high] == pytest.approx([0.001**0.5, 0.002**0.5])


def test_the_lowest_edge_counts() -> None:
    assert suggest((curve(), curve(replace(FOUND, edge=0.05)), curve(replace(FOUND, edge=None))), RATES).edge == 0.05


@pytest.mark.parametrize(
    "second, reason",
    [
        (curve(None), "1 of 2 seeds never falls"),
        (curve(None, RATES[:3]), "1 of 2 seeds diverges at once: lower --min"),
        (curve(Marks(1e-5, 1e-5, 1e-5, 1e-5, 0.1)), "disagree by more than 10x: 0.001 to 0.032"),
        (curve(replace(FOUND, edge=0.005)), "lies beyond the edge of divergence at 0.005"),
        (curve(replace(FOUND, edge=0.03)), "is within 2x of the edge of divergence at 0.03"),
    ],
)
def test_row_54_what_is_not_safe_is_refused_with_the_reason(second: Curve, reason: str) -> None:
    found = suggest((curve(), second), RATES)
    assert found.rate is None
    assert reason in found.reason


def test_row_54_seeds_that_all_explode_at_once_are_refused() -> None:
    exploded = read_curve(np.array([2.3, np.nan]), RATES, 0)
    found = suggest((exploded, exploded), RATES)
    assert found.rate is None
    assert "lower --min" in found.reason
    nothing = read_curve(np.array([]), RATES, 0)
    assert suggest((nothing,), RATES).rate is None

"""Every rule against a curve worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from dtrain.rates.rules import (
    RULE_NAMES,
    divergence_step,
    edge_step,
    learnt_step,
    marks,
    noise_left,
    pool_size,
    slide,
    smooth,
    steepest,
    valley,
)

RATES = np.geomspace(1e-6, 10, 300)
NOISE = np.random.default_rng(0)


def test_smoothing_is_a_normal_kernel_on_the_logarithm() -> None:
    losses = np.exp(NOISE.normal(size=200))
    expected = np.exp(gaussian_filter1d(np.log(losses), 4.0, mode="constant", truncate=4))
    np.testing.assert_allclose(smooth(losses, 200)[20:-20], expected[20:-20], rtol=1e-3)


def test_smoothing_keeps_a_constant_also_at_the_ends() -> None:
    np.testing.assert_allclose(smooth(np.full(20, 2.3), 300), 2.3)


@pytest.mark.parametrize("batch_size, batches", [(1, 32), (2, 16), (20, 2), (32, 1), (128, 1)])
def test_so_many_batches_hold_32_examples(batch_size: int, batches: int) -> None:
    assert pool_size(batch_size) == batches


def test_single_images_are_averaged_before_the_logarithm_is_taken() -> None:
    losses = np.tile([0.01, 4.0], 2000)  # their geometric mean is 0.2
    np.testing.assert_allclose(smooth(losses, 4000, pool_size(1)), 2.0, rtol=0.05)


def test_a_loss_of_zero_does_not_drag_its_neighbours_down() -> None:
    losses = np.ones(300)
    losses[150] = 0.0
    assert smooth(losses, 300)[150] > 0.2


def test_the_noise_left_is_what_smoothing_leaves_of_it() -> None:
    losses = np.exp(0.3 * np.random.default_rng(1).normal(size=20_000))
    smoothed = gaussian_filter1d(np.log(losses), 6.0)
    assert noise_left(losses, np.exp(smoothed), 300) == pytest.approx(smoothed.std(), rel=0.1)


def test_what_is_learnt_is_below_two_hundredths_of_the_first_loss() -> None:
    assert learnt_step(np.array([2.0, 0.1, 0.041, 0.039, 1.0])) == 3
    assert learnt_step(np.array([2.0, 0.1, 0.041])) is None


def test_crumbs_of_a_loss_do_not_count_as_a_divergence() -> None:
    assert divergence_step(np.array([2.0, 0.001, 0.1, 0.15])) is None
    assert divergence_step(np.array([2.0, 0.001, 0.1, 0.17])) == 3


def test_rules_look_no_further_than_where_hardly_any_loss_is_left() -> None:
    fall = np.geomspace(2.0, 1e-4, 200)
    found = marks(np.concatenate([fall, np.full(100, 1e-5)]), RATES, diverged=False)
    learnt = int((fall < 0.04).argmax())
    assert found.learnt == RATES[learnt]
    assert all(getattr(found, name) < RATES[learnt] for name in RULE_NAMES)


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


def test_a_plateau_near_the_minimum_is_below_the_edge() -> None:
    losses = np.array([3, 1.0, 1.04, 1.04, 1.2, 9])
    assert edge_step(losses) == 2
    assert edge_step(losses, noise=0.2) == 3

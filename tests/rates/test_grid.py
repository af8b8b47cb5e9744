"""The search by brief trainings, each at one rate, on losses whose lowest is known."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.rates.grid import compare_rates, rate_grid, suggest_best
from dtrain.rates.rules import FloatArray
from dtrain.rates.suggestion import Curve

RATES = rate_grid(1e-3, 10)


def descent(curvature: float, rates: FloatArray) -> FloatArray:
    """Losses of gradient descent on 1 + curvature x^2 / 2, which ends where it is no longer finite."""
    position, losses = 1.0, []
    with np.errstate(over="ignore", invalid="ignore"):
        for rate in rates:
            losses.append(1 + curvature * position**2 / 2)
            position -= rate * curvature * position
    found = np.array(losses)
    return found[: int(np.isfinite(found).argmin())] if not np.isfinite(found).all() else found


def searched(curvature: float, steps: int = 100) -> Curve:
    return compare_rates(lambda rates: descent(curvature, rates), RATES, steps, seed=1)


def test_a_grid_has_two_rates_a_decade() -> None:
    np.testing.assert_allclose(RATES, 10.0 ** np.arange(-3, 1.1, 0.5))
    assert list(rate_grid(0.1, 0.11)) == pytest.approx([0.1, 0.11])


def test_the_loss_of_a_training_is_the_geometric_mean_of_its_last_fifth() -> None:
    curve = compare_rates(lambda rates: np.arange(1.0, 11.0), np.array([0.1, 0.2]), 10, seed=1)
    np.testing.assert_allclose(curve.losses, np.sqrt(9 * 10))


@pytest.mark.parametrize("curvature", [0.3, 3.0])
def test_descent_on_a_quadratic_is_best_at_its_own_rate_and_diverges_beyond_its_edge(curvature: float) -> None:
    found = suggest_best((searched(curvature), searched(curvature)), RATES)
    converged = [rate for rate in RATES if abs(1 - rate * curvature) < 0.9]
    assert found.rate in [pytest.approx(rate, rel=0.05) for rate in converged]
    assert found.edge == pytest.approx(min(rate for rate in RATES if rate * curvature > 2), rel=1e-9)


def test_row_54_equal_losses_at_every_rate_are_no_suggestion() -> None:
    flat = compare_rates(lambda rates: np.full(len(rates), 2.3), RATES, 100, seed=1)
    found = suggest_best((flat,), RATES)
    assert (found.rate, found.edge) == (None, None)
    assert "nowhere lower than at the lowest rate" in found.reason


def test_row_54_seeds_that_diverge_at_once_are_no_suggestion() -> None:
    nothing = compare_rates(lambda rates: np.array([2.3]), RATES, 100, seed=1)
    found = suggest_best((nothing, searched(3.0)), RATES)
    assert found.rate is None
    assert found.edge == pytest.approx(1e-3)
    assert "lower --min" in found.reason


def test_images_that_are_learnt_to_a_loss_of_zero_are_no_divergence() -> None:
    learnt = compare_rates(lambda rates: np.where(rates > 0.1, 0.0, 2.3), RATES, 100, seed=1)
    assert not learnt.diverged
    assert suggest_best((learnt,), RATES).rate == pytest.approx(0.32)


def test_single_losses_are_averaged_before_their_logarithm() -> None:
    losses = np.tile([0.5, 1.5], 50)
    curve = compare_rates(lambda rates: losses, np.array([0.1, 0.2]), 100, seed=1, pool=50)
    np.testing.assert_allclose(curve.losses, 1, rtol=0.02)


def test_a_lowest_loss_at_the_highest_rate_has_no_edge() -> None:
    falling = compare_rates(lambda rates: 2.3 / (1 + rates), RATES, 100, seed=1)
    found = suggest_best((falling,), RATES)
    assert (found.rate, found.edge) == (10, None)

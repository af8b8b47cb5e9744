"""What several seeds say together, and the edge against quadratics whose stability is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtrain.rates.rules import FloatArray, Marks, pool_size
from dtrain.rates.suggestion import FLAT, NOISY, Curve, agreed_rate, read_curve, spread, suggest

RATES = np.geomspace(1e-6, 10, 300)
FOUND = Marks(steepest=0.01, minimum=0.01, valley=0.01, slide=0.01, edge=0.1)
NOISE = np.random.default_rng(0)


def curve(found: Marks | None = FOUND, losses: FloatArray = RATES, *, diverged: bool = True) -> Curve:
    return Curve(1, losses, losses, diverged, "" if found else FLAT, found)


def descent_on_quadratic(
    curvature: float, rates: FloatArray, *, momentum: float = 0.0, nesterov: bool = False, noise: float = 0.0
) -> FloatArray:
    """Losses of gradient descent on curvature x^2 / 2, as Keras's SGD goes down; the noise is the gradient's."""
    position, velocity, losses = 1.0, 0.0, []
    random = np.random.default_rng(int(curvature))
    with np.errstate(over="ignore", invalid="ignore"):
        for rate in rates:
            losses.append(curvature * position**2 / 2)
            gradient = curvature * position + noise * np.sqrt(curvature) * random.normal()
            velocity = momentum * velocity - rate * gradient
            position += momentum * velocity - rate * gradient if nesterov else velocity
    return np.array(losses)


def relative_edge(curvature: float, limit: float, **descent: float) -> float:
    """The edge found, as a share of the closed form's: the rate `limit` / curvature."""
    found = read_curve(descent_on_quadratic(curvature, RATES, **descent), RATES, 0).marks  # type: ignore[arg-type]
    assert found is not None
    assert found.edge is not None
    return found.edge * curvature / limit


@pytest.mark.parametrize("curvature", [0.5, 1, 3, 20, 100, 1000])
def test_the_edge_of_a_quadratic_is_found_within_10_per_cent(curvature: float) -> None:
    assert relative_edge(curvature, 2.0) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("curvature", [10, 100, 1000])
def test_the_edge_under_momentum(curvature: float) -> None:
    nesterov = relative_edge(curvature, 2 * 1.9 / 2.8, momentum=0.9, nesterov=True)
    assert nesterov == pytest.approx(1, rel=0.1)
    # the smoothed loss of the heavy ball turns well before the limit
    assert 0.5 < relative_edge(curvature, 2 * 1.9, momentum=0.9) < 1


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("curvature", [10, 100, 1000])
def test_noisy_gradients_move_the_edge_to_the_safe_side_only(curvature: float, momentum: float) -> None:
    assert relative_edge(curvature, 2 * (1 + momentum), momentum=momentum, noise=0.1) < 1.1


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


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
def test_noise_alone_is_seldom_a_fall_of_one_seed_and_never_of_three(noise: float) -> None:
    curves = [read_curve(2.3 * np.exp(noise * NOISE.normal(size=300)), RATES, 0) for _ in range(300)]
    assert np.mean([not curve.fault for curve in curves]) < 0.1
    three = zip(curves[::3], curves[1::3], curves[2::3], strict=True)
    assert all(suggest(seeds, RATES).rate is None for seeds in three)


def test_what_explodes_behind_the_lowest_loss_does_not_hide_its_fall() -> None:
    course = np.concatenate([np.zeros(100), np.linspace(0, -0.3, 150), np.linspace(-0.3, 3, 50)])
    noise = np.concatenate([np.full(250, 0.15), np.full(50, 1.5)])
    for seed in range(20):
        losses = 2.3 * np.exp(course + noise * np.random.default_rng(seed).normal(size=300))
        assert not read_curve(losses, RATES, 0).fault


def test_what_noise_could_hide_is_not_said_never_to_happen() -> None:
    noisy = 2.3 * np.exp(np.random.default_rng(2).normal(size=300))
    assert read_curve(noisy, RATES, 0).fault == NOISY


def test_few_single_images_are_too_noisy_and_do_not_fake_a_divergence() -> None:
    single = NOISE.choice(np.array([0.01, 6.0]), size=300).astype(np.float64)
    found = read_curve(single, RATES, 0, pool_size(1))
    assert (found.fault, found.diverged) == (NOISY, False)
    assert NOISY in suggest((found,), RATES).reason


def test_what_is_read_off_learnt_images_lies_below_the_rate_at_which_they_were_learnt() -> None:
    losses = np.concatenate([np.full(100, 2.3), np.geomspace(2.3, 1e-5, 100), np.full(100, 1e-5)])
    found = read_curve(losses, RATES, 0)
    suggestion = suggest((found,), RATES)
    assert found.marks is not None
    assert found.marks.learnt is not None
    assert suggestion.rate is not None
    assert suggestion.rate < found.marks.learnt
    assert suggestion.learnt == 1


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
        (Marks(0.01, 0.01, 0.01, 0.01, 1.0, learnt=0.04), 0.02),  # an edge behind what is learnt says nothing
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
        (curve(None, diverged=False), "1 of 2 seeds does not fall"),
        (curve(None, RATES[:3]), "begins within 30x of the edge of divergence at 1.1e-06: lower --min"),
        (curve(replace(FOUND, edge=2e-5)), "begins within 30x of the edge of divergence at 2e-05: lower --min"),
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

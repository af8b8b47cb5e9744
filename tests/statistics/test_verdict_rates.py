"""How often verdicts are wrong, see what is there, and hold the truth in their intervals: simulated studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

import dtrain.statistics.verdicts
from dtrain.statistics.policy import Measured, Policy, Verdict
from dtrain.statistics.verdicts import judge

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
SPREAD = 0.005


def outliers(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """One seed in twenty is eight times as far away."""
    return random.normal(0, 1, shape) * np.where(random.random(shape) < 0.05, 8, 1)


DRAWS: dict[str, Draw] = {
    "normal": lambda random, shape: random.normal(0, 1, shape),
    "skewed": lambda random, shape: 1 - random.exponential(1, shape),
    "t3": lambda random, shape: random.standard_t(3, shape),
    "outliers": outliers,
}


@pytest.fixture(autouse=True)
def without_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """What so many seeds can see costs most of the time, and decides nothing."""
    monkeypatch.setattr(dtrain.statistics.verdicts, "smallest_seen", lambda degrees, level: 1.0)
    monkeypatch.setattr(dtrain.statistics.verdicts, "seeds_to_see", lambda effect, level, paired: None)


def studies(number: int, arms: int, seeds: int, draw: str = "normal", correlation: float = 0.2) -> Iterator[Floats]:
    """Accuracies [arms, seeds] of equal arms, which correlate over seeds as those of the lesson's settings do."""
    random = np.random.default_rng([arms, seeds, list(DRAWS).index(draw)])
    for _ in range(number):
        shared, own = DRAWS[draw](random, (1, seeds)), DRAWS[draw](random, (arms, seeds))
        yield 0.88 + SPREAD * (correlation**0.5 * shared + (1 - correlation) ** 0.5 * own)


def best_with_each(accuracies: Floats, order: Floats) -> tuple[list[int], tuple[Verdict, ...]]:
    """The arms by rank, and the verdicts as `compare` asks for them."""
    ranks = [int(arm) for arm in np.argsort(-order)]
    measured: Measured = {str(arm): dict(enumerate(map(float, accuracies[arm]))) for arm in ranks}
    pairs = tuple((str(ranks[0]), str(arm)) for arm in ranks[1:])
    return ranks, judge(measured, Policy(pairs, "all pairs"))


def allowed(number: int, level: float = 0.05) -> int:
    """How many of so many studies may come out wrong before it is more than chance."""
    return int(stats.binom.ppf(0.999, number, level))


@pytest.mark.parametrize(
    ("number", "arms", "seeds", "draw"),
    [
        *((150, *one) for one in ((2, 3, "normal"), (2, 6, "outliers"), (3, 5, "skewed"), (5, 6, "t3"))),
        *(
            pytest.param(500, arms, seeds, draw, marks=pytest.mark.slow)
            for arms in (2, 3, 5)
            for seeds in (3, 4, 5, 6, 12)
            for draw in DRAWS
        ),
    ],
)
def test_chance_alone_makes_a_winner_at_most_once_in_twenty(number: int, arms: int, seeds: int, draw: str) -> None:
    """The best of equal arms: a model that is better by chance is so on validation and test images alike, so that the
    winner of a ranking is lucky."""
    random, wrong = np.random.default_rng(0), 0
    for accuracies in studies(number, arms, seeds, draw):
        noise = random.normal(0, SPREAD / 2, (2, arms, seeds))
        _, verdicts = best_with_each(accuracies + noise[0], (accuracies + noise[1]).mean(axis=1))
        wrong += any(one.verdict != "undecided" for one in verdicts)
    assert wrong <= allowed(number)


@pytest.mark.parametrize("number", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_another_seed_takes_no_power_away(number: int) -> None:
    """Of three arms of which the first is a point better, deviations of half a point."""
    powers = []
    for seeds in (4, 5, 6, 8):
        gains = np.array([[0.01], [0.0], [0.0]])
        found = [best_with_each(one + gains, gains[:, 0])[1][0] for one in studies(number, 3, seeds)]
        powers.append(float(np.mean([one.verdict == "better" for one in found])))
    assert powers == sorted(powers) and powers[-1] > 0.85


@pytest.mark.parametrize("number", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_intervals_of_the_best_with_the_others_hold_the_truth_together(number: int) -> None:
    """Five equal arms: the best and the last differ by chance, which a plain interval takes for a difference."""
    missed = 0
    for accuracies in studies(number, 5, 6):
        _, verdicts = best_with_each(accuracies, accuracies.mean(axis=1))
        missed += any(one.interval is None or not one.interval.low <= 0 <= one.interval.high for one in verdicts)
    assert missed <= allowed(number)


@pytest.mark.parametrize("number", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_intervals_of_arms_that_differ_hold_the_truth_together(number: int) -> None:
    """Two contrasts, as `transfer` asks for them, with one large difference and one that Holm's method may yet see."""
    truth, missed = np.array([[0.0], [-0.03], [-0.005]]), 0
    for accuracies in studies(number, 3, 6):
        measured = {str(arm): dict(enumerate(map(float, one))) for arm, one in enumerate(accuracies + truth)}
        verdicts = judge(measured, Policy((("0", "1"), ("0", "2"))))
        ends = [one.interval for one in verdicts if one.interval]
        missed += any(not end.low <= gain <= end.high for end, gain in zip(ends, (0.03, 0.005), strict=True))
    assert missed <= allowed(number)


@pytest.mark.parametrize(
    "seeds", [6, pytest.param(8, marks=pytest.mark.slow), pytest.param(12, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("diverging", [0.1, 0.4])
@pytest.mark.parametrize("number", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_arms_that_diverge_as_often_are_told_apart_at_most_once_in_twenty(
    number: int, diverging: float, seeds: int
) -> None:
    random, wrong = np.random.default_rng(seeds), 0
    for accuracies in studies(number, 2, seeds):
        lost = random.random(accuracies.shape) < diverging
        measured = {
            name: {seed: None if lost[arm, seed] else float(accuracies[arm, seed]) for seed in range(seeds)}
            for arm, name in enumerate("ab")
        }
        (verdict,) = judge(measured, Policy((("a", "b"),)))
        wrong += verdict.verdict in ("better", "worse")
        losers = [name for arm, name in enumerate("ab") if lost[arm].any()]
        winner = {"better": "a", "worse": "b"}.get(verdict.verdict)
        assert verdict.decided_by == "divergence" or winner not in losers
    assert wrong <= allowed(number)


@pytest.mark.parametrize("number", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_either_contrast_of_two_is_wrong_at_most_once_in_twenty(number: int) -> None:
    wrong = 0
    for accuracies in studies(number, 3, 6):
        measured = {str(arm): dict(enumerate(map(float, one))) for arm, one in enumerate(accuracies)}
        wrong += any(one.verdict != "undecided" for one in judge(measured, Policy((("0", "1"), ("0", "2")))))
    assert wrong <= allowed(number)

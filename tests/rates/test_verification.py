"""What brief trainings around a suggestion say of it, and how often chance alone makes them say the wrong thing."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.rates.verification import SEEDS, Trial, Verdict, verdict_on

Accuracies = tuple[float | None, ...]
NOISE = np.array([0.004, -0.003, 0.001, -0.005, 0.002, 0.001])
"""Of six seeds, around 0."""
CHANCE = 0.13
SUGGESTED: Accuracies = (0.81, 0.8, 0.79, 0.8, 0.82, 0.78)


def verdict(lower: Accuracies, suggested: Accuracies, higher: Accuracies) -> Verdict:
    return verdict_on((Trial(0.03, 0.3, lower), Trial(0.1, 1.0, suggested), Trial(0.3, 3.0, higher)), CHANCE)


def better_by(gain: float, spread: float = 1) -> Accuracies:
    return tuple(np.array(SUGGESTED, float) + gain + spread * NOISE)


@pytest.mark.parametrize(
    ("lower", "higher", "words"),
    [
        (better_by(-0.1), better_by(0.01), "confirmed: no other of the rates is more than 2 points better"),
        (
            better_by(-0.1),
            better_by(0.06),
            "better rate: 3x, by +6.00 points, 95% interval +5.65 to +6.35; consider 0.3; longer trainings usually want"
            " less",
        ),
        (better_by(0.06), better_by(-0.1), "better rate: 0.3x, by +6.00 points, 95% interval +5.65 to +6.35; consider"),
        (better_by(0.04), better_by(0.07, 20), "better rate: 0.3x, by +4.00 points"),
        (better_by(0.005), better_by(0.03, 10), "not told apart: 3x may be more than 2 points better"),
        (better_by(0.01, 10), better_by(-0.1), "not told apart: 0.3x may be more than 2 points better"),
        (better_by(0, 10), better_by(0, 10), "not told apart: 0.3x or 3x may be more than 2 points better"),
        (SUGGESTED, SUGGESTED, "confirmed: no other of the rates is more than 2 points better"),
        (
            better_by(-0.1),
            (*better_by(0.05)[:5], None),
            "confirmed: no other of the rates at which every seed trains is more than 2 points better; 1 of 6 seeds",
        ),
        ((None,) * 6, (None,) * 6, "no other rate to compare it with; 6 of 6 seeds diverged at 0.3x"),
    ],
)
def test_what_the_trials_say(lower: Accuracies, higher: Accuracies, words: str) -> None:
    assert verdict(lower, SUGGESTED, higher).words.startswith(words)


def test_each_other_rate_is_told_beside_the_suggestion() -> None:
    lower, suggested, higher = verdict(better_by(-0.1), SUGGESTED, (*better_by(0.05)[:5], None)).trials
    assert suggested.beside is None and higher.beside is None
    assert lower.beside and lower.beside.interval and lower.beside.interval.high < -0.09


def test_a_suggestion_at_which_a_seed_diverges_is_not_safe() -> None:
    found = verdict_on((Trial(0.03, 0.3, (0.7, 0.7)), Trial(0.1, 1.0, (0.8, None))), CHANCE)
    assert (found.safe, found.words) == (False, "1 of 2 brief trainings at 0.1 diverged")
    assert verdict((0.7,), (0.8,), (None,)).safe


def test_rates_none_of_which_learns_anything_get_no_verdict() -> None:
    found = verdict((0.1, 0.11), (0.12, 0.1), (0.1, None))
    assert found.words == "no verdict: at none of the rates do brief trainings learn more than chance"
    assert found.safe and all(one.beside is None for one in found.trials)
    assert not verdict((0.1, 0.11), (0.12, 0.1), (0.14, None)).words.startswith("no verdict")


@pytest.mark.parametrize("studies", [100, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("lower", "higher", "confirmed", "better"),
    [(0, 0, (0.5, 1), (0, 0.05)), (-0.015, 0.02, (0, 0.05), (0.7, 1)), (-0.015, 0.04, (0, 0.01), (0.98, 1))],
    ids=["none", "2 points", "4 points"],
)
def test_how_often_it_says_what(
    studies: int, lower: float, higher: float, confirmed: tuple[float, float], better: tuple[float, float]
) -> None:
    """Differences that spread over seeds by 1.4 points, the median of those of brief trainings measured."""
    random, said = np.random.default_rng(0), list[str]()
    for _ in range(studies):
        accuracies = 0.8 + np.array([[lower], [0], [higher]]) + random.normal(0, 0.014 / 2**0.5, (3, SEEDS))
        said.append(verdict(*(tuple(map(float, one)) for one in accuracies)).words)
    allowance = 2 * (0.25 / studies) ** 0.5
    for words, (low, high) in (("confirmed", confirmed), ("better rate", better)):
        share = np.mean([one.startswith(words) for one in said])
        assert low - allowance <= share <= high + allowance

"""What brief trainings around a suggestion say of it."""

from __future__ import annotations

import pytest

from dtrain.rates.verification import Trial, judge

Accuracies = tuple[float | None, ...]


def verdict(lower: Accuracies, suggested: Accuracies, higher: Accuracies) -> str:
    return judge((Trial(0.03, 0.3, lower), Trial(0.1, 1.0, suggested), Trial(0.3, 3.0, higher))).words


@pytest.mark.parametrize(
    ("lower", "suggested", "higher", "words"),
    [
        ((0.7, 0.7, 0.7), (0.8, 0.8, 0.8), (0.81, 0.82, 0.8), "confirmed: no other of the rates is more than 2 points"),
        (
            (0.7, 0.7, 0.7),
            (0.8, 0.8, 0.8),
            (0.9, 0.83, 0.85),
            "3x did better in all 3 seeds (+6.0 points on average): consider 0.3; longer trainings usually want less",
        ),
        (
            (0.9, 0.83, 0.85),
            (0.8, 0.8, 0.8),
            (0.7, 0.7, 0.7),
            "0.3x did better in all 3 seeds (+6.0 points on average)",
        ),
        (
            (0.9, 0.9, 0.79),
            (0.8, 0.8, 0.8),
            (0.7, 0.7, 0.7),
            "not told apart: 0.3x is better by +6.3 points on average",
        ),
        ((0.84, 0.84, 0.84), (0.8, 0.8, 0.8), (0.99, 0.99, 0.79), "0.3x did better in all 3 seeds (+4.0 points"),
        ((0.7, 0.7, 0.7), (0.8, 0.8, 0.8), (0.9, None, 0.9), "2 points better; 1 of 3 seeds diverged at 3x"),
        ((None,) * 3, (0.8, 0.8, 0.8), (None,) * 3, "no other rate to compare it with; 3 of 3 seeds diverged at 0.3x"),
    ],
)
def test_what_the_trials_say(lower: Accuracies, suggested: Accuracies, higher: Accuracies, words: str) -> None:
    assert words in verdict(lower, suggested, higher)


def test_a_suggestion_at_which_a_seed_diverges_is_not_safe() -> None:
    found = judge((Trial(0.03, 0.3, (0.7, 0.7)), Trial(0.1, 1.0, (0.8, None))))
    assert (found.safe, found.words) == (False, "1 of 2 brief trainings at 0.1 diverged")


def test_other_outcomes_are_safe() -> None:
    assert judge((Trial(0.03, 0.3, (0.7,)), Trial(0.1, 1.0, (0.8,)), Trial(0.3, 3.0, (None,)))).safe

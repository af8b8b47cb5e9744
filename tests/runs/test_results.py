"""Results of runs: when a result is no better than chance."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.runs.results import SplitResult
from dtrain.statistics.balance import chance_accuracy
from dtrain.statistics.intervals import wilson_interval


def result(
    accuracy: float, majority: float | None = 0.1, balanced: float | None = None, images: int = 2000
) -> SplitResult:
    interval = wilson_interval(round(images * accuracy), images)
    return SplitResult(0.5, accuracy, interval, images, majority=majority, balanced_accuracy=balanced)


def test_guesses_hardly_ever_exceed_chance() -> None:
    guessed = np.random.default_rng(0).binomial(2000, 0.1, 100_000) / 2000
    assert 0 < np.mean(guessed > chance_accuracy(0.1, 2000)) < 0.005


@pytest.mark.parametrize(
    ("one", "at_chance"),
    [
        (result(0.1), True),
        (result(0.119), True),
        (result(0.13), False),
        (result(0.1, majority=None), False),
        (result(0.97, majority=0.97, balanced=0.5), True),
        (result(1.0, majority=0.97, balanced=1.0), False),
        (result(0.0, majority=0.97, balanced=0.0), False),
        (result(0.5, majority=7.0), False),
        (result(0.5, majority=-1.0), False),
        (result(1.0, images=4, majority=0.5), False),
        (result(0.9, majority=0.97, balanced=0.87), False),
        (result(0.6, majority=0.6, balanced=1 / 3), True),
    ],
)
def test_a_result_is_at_chance_where_nothing_was_learnt(one: SplitResult, at_chance: bool) -> None:
    assert one.at_chance == at_chance

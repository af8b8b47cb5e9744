"""What is said of reuse: the verdicts of its contrasts in words, and no seed that diverged is passed over."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dtrain.experiment.transfer import Arm
from dtrain.runs.results import SplitResult
from dtrain.statistics.intervals import wilson_interval
from dtrain.statistics.policy import Verdict
from dtrain.studies.transfer_report import arm_report, contrasts, verdict_in_words

SIX = tuple(range(6))
BETTER = {seed: 0.9 + 0.001 * seed for seed in SIX}
WORSE = dict.fromkeys(SIX, 0.8)
MIXED = {seed: value - (0.02 if seed % 2 else -0.01) for seed, value in BETTER.items()}
LAST: dict[int, float] = {5: 0.996}


def said(seeds: tuple[int, ...] = SIX, **accuracies: Mapping[int, float]) -> tuple[tuple[Verdict, ...], str]:
    """The contrasts and the verdict of arms."""
    names: dict[Arm, Mapping[int, float]] = {name: accuracies[name] for name in accuracies}  # type: ignore[misc]
    tests = {name: {seed: split(accuracy) for seed, accuracy in one.items()} for name, one in names.items()}
    arms = tuple(arm_report(name, (), seeds, one) for name, one in tests.items())
    found = contrasts(arms, seeds)
    return found, verdict_in_words(found, arms)


def split(accuracy: float) -> SplitResult:
    """A result on 2,000 test images of two classes."""
    return SplitResult(0.5, accuracy, wilson_interval(round(2000 * accuracy), 2000), 2000, majority=0.5)


def test_two_arms_that_have_learnt_nothing_are_not_compared() -> None:
    guesses = {seed: 0.5 + 0.002 * seed for seed in SIX}
    (scratch, random), verdict = said(transfer=guesses, scratch=dict.fromkeys(SIX, 0.5), random=WORSE)
    assert (scratch.at_chance, scratch.verdict, random.verdict) == (True, "cannot be decided", "worse")
    assert verdict.startswith(
        "beside the same network from scratch, neither has learnt more than chance, so there is nothing to compare; "
        "beside random layers, the same stages, reuse hurts"
    )


def test_each_contrast_is_corrected_for_the_other() -> None:
    found, verdict = said(transfer=BETTER, scratch=WORSE, random=MIXED)
    assert [(one.second, one.verdict, one.comparisons) for one in found] == [
        ("scratch", "better", 2),
        ("random", "undecided", 2),
    ]
    assert found[0].corrected == pytest.approx(2 * (found[0].probability or 0))
    assert verdict.startswith(
        "beside the same network from scratch, reuse helps (+10.25 points, 95% interval +10.01 to +10.49 (of all 2 "
        "comparisons together); p = "
    )
    assert "; beside random layers, the same stages, it is undecided whether reuse helps or hurts (+0.50" in verdict
    assert "; so many seeds see a difference of" in verdict and "diverged" not in verdict
    assert "reuse hurts" in said(transfer=WORSE, scratch=BETTER)[1]


def test_a_control_that_always_diverges_stays_in_the_verdict() -> None:
    found, verdict = said(transfer=BETTER, scratch={}, random=WORSE)
    assert [one.decided_by for one in found] == ["divergence", "t"]
    assert verdict.startswith("beside the same network from scratch, reuse diverges less often (p = 0.0022 (0.0022 as")
    assert verdict.endswith("; 6 of 6 seeds of the same network from scratch diverged")


def test_one_seed_in_common_is_no_comparison() -> None:
    found, verdict = said((0, 1), transfer={0: 0.99}, scratch={0: 0.9, 1: 0.9})
    assert (found[0].verdict, found[0].difference) == ("cannot be decided", None)
    assert verdict == (
        "beside the same network from scratch, it cannot be decided whether reuse helps or hurts (p = 1); "
        "1 of 2 seeds of reused layers diverged: the mean of the rest flatters"
    )


def test_reuse_that_lost_a_seed_does_not_help_by_the_mean_of_the_rest() -> None:
    without_first = {seed: value for seed, value in BETTER.items() if seed}
    (found,), verdict = said(transfer=without_first, scratch=WORSE)
    assert found.difference and found.difference.mean == pytest.approx(0.103)
    assert (found.verdict, found.measured, found.diverged) == ("undecided", (5, 6), (1, 0))
    assert verdict.endswith("; 1 of 6 seeds of reused layers diverged: the mean of the rest flatters")


def test_without_controls_what_diverged_is_said_too() -> None:
    verdict = said(transfer=LAST)[1]
    assert verdict.startswith("nothing to compare with: nobody knows what reuse did; 5 of 6 seeds")
    assert said((5,), transfer=LAST)[1] == "one seed cannot say what reuse did"

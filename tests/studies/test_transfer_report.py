"""What is said of reuse: the verdict follows p, and no seed that diverged is passed over."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dtrain.experiment.transfer import Arm
from dtrain.studies.transfer_report import Contrast, arm_report, contrasts, verdict_in_words

SIX = tuple(range(6))
BETTER = {seed: 0.9 + 0.001 * seed for seed in SIX}
WORSE = dict.fromkeys(SIX, 0.8)
MIXED = {seed: value - (0.02 if seed % 2 else -0.01) for seed, value in BETTER.items()}
LAST: dict[int, float] = {5: 0.996}
ALL_SCRATCH_LOST = "beside the same network from scratch, no comparison: every seed of it diverged"


def said(seeds: tuple[int, ...] = SIX, **accuracies: Mapping[int, float]) -> tuple[tuple[Contrast, ...], str]:
    """The contrasts and the verdict of arms."""
    arms: dict[Arm, Mapping[int, float]] = {name: accuracies[name] for name in accuracies}  # type: ignore[misc]
    found = contrasts(arms)
    return found, verdict_in_words(found, tuple(arm_report(name, (), seeds, one) for name, one in arms.items()))


def test_verdicts_follow_p() -> None:
    found, verdict = said(transfer=BETTER, scratch=WORSE, random=MIXED)
    assert [one.verdict for one in found] == ["better", "no evidence"]
    assert found[0].difference.probability == 2 / 64
    assert "beside the same network from scratch, reuse helps (+10.25 points, p = 0.031)" in verdict
    assert "reuse gives no evidence that it helps or hurts" in verdict
    assert f"about {found[1].seeds_needed})" in verdict
    assert "diverged" not in verdict
    assert "reuse hurts" in said(transfer=WORSE, scratch=BETTER)[1]


def test_a_control_that_always_diverges_stays_in_the_verdict() -> None:
    found, verdict = said(transfer=BETTER, scratch={}, random=WORSE)
    assert [one.control for one in found] == ["random"]
    assert verdict.startswith(f"{ALL_SCRATCH_LOST}; beside random layers, the same stages, reuse helps")
    assert said(transfer=BETTER, scratch={})[1] == ALL_SCRATCH_LOST


def test_one_seed_in_common_is_no_comparison() -> None:
    found, verdict = said(transfer=LAST, scratch=BETTER)
    assert found == ()
    assert verdict == (
        "beside the same network from scratch, no comparison: 1 of 6 seeds in common; "
        "5 of 6 seeds of reused layers diverged: the mean of the rest flatters"
    )


def test_a_difference_is_over_the_seeds_that_neither_lost_and_says_so() -> None:
    without_first = {seed: value for seed, value in BETTER.items() if seed}
    without_last = {seed: value for seed, value in WORSE.items() if seed < 5}
    (found,), verdict = said(transfer=without_first, scratch=without_last)
    assert found.seeds == 4
    assert found.difference.mean == pytest.approx(0.1025)
    assert "reuse helps (+10.25 points over 4 of 6 seeds, p = " in verdict
    assert verdict.endswith(
        "; 1 of 6 seeds of reused layers diverged: the mean of the rest flatters"
        "; 1 of 6 seeds of the same network from scratch diverged: the mean of the rest flatters"
    )


def test_without_controls_what_diverged_is_said_too() -> None:
    verdict = said(transfer=LAST)[1]
    assert verdict.startswith("nothing to compare with: nobody knows what reuse did; 5 of 6 seeds")
    assert said((5,), transfer=LAST)[1] == "one seed cannot say what reuse did"


def test_without_evidence_more_seeds_are_needed_than_there_are() -> None:
    """The t test alone would see this difference with the six seeds that there are; the exact test does not."""
    reused = dict(enumerate([0.902, 0.903, 0.902, 0.903, 0.902, 0.8995]))
    (found,) = contrasts({"transfer": reused, "scratch": dict.fromkeys(range(6), 0.9)})
    assert found.difference.t_probability is not None and found.difference.t_probability < 0.05
    assert found.verdict == "no evidence" and found.seeds_needed is not None and found.seeds_needed > 6

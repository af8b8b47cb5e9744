"""Verdicts on arms over seeds: the right test for each pair, corrected as asked, with words that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dtrain.statistics.policy import Policy, Verdict
from dtrain.statistics.significance import McNemar
from dtrain.statistics.verdicts import judge, with_models

BOTH = (("elu", "selu"),)
ELU = [0.90, 0.92, 0.91, 0.92, 0.90, 0.91]


def seeds(accuracies: Sequence[float | None], first: int = 0) -> dict[int, float | None]:
    return dict(enumerate(accuracies, start=first))


def two(elu: Sequence[float | None], selu: Sequence[float | None], first: int = 0, **policy: Any) -> Verdict:
    """The verdict on two arms; the seeds of the second from `first` upwards."""
    (verdict,) = judge({"elu": seeds(elu), "selu": seeds(selu, first)}, Policy(BOTH, **policy))
    return verdict


def above(gains: Sequence[float]) -> tuple[list[float], list[float]]:
    """Two arms whose seeds differ by so many thousandths."""
    second = np.linspace(0.8, 0.9, len(gains))
    return list(second + np.array(gains) / 1000), list(second)


def test_shared_seeds_are_paired() -> None:
    """The seeds differ far more than the arms, which only a paired test can see."""
    shared = np.array([0.70, 0.75, 0.80, 0.85, 0.90, 0.72])
    better = shared + np.array([0.010, 0.011, 0.009, 0.012, 0.010, 0.008])
    found, paired = two(list(better), list(shared)), stats.ttest_rel(better, shared)
    assert (found.verdict, found.seeds, found.decided_by) == ("better", (0, 1, 2, 3, 4, 5), "t")
    assert found.interval and found.probability == pytest.approx(paired.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(paired.confidence_interval()))
    assert found.correlation == pytest.approx(np.corrcoef(better, shared)[0, 1])
    assert stats.ttest_ind(better, shared).pvalue > 0.7
    assert two(list(shared), list(better)).verdict == "worse"


def test_arms_that_have_learnt_nothing_are_not_compared() -> None:
    found = two([0.101, 0.102, 0.100, 0.101, 0.102], [0.098, 0.098, 0.097, 0.098, 0.098], at_chance=frozenset(BOTH[0]))
    assert (found.verdict, found.at_chance) == ("cannot be decided", True)
    assert found.words == "neither elu nor selu is better than chance, so there is nothing to compare"
    assert two(ELU, [0.1] * 5, at_chance=frozenset({"selu"})).verdict == "better"


@pytest.mark.parametrize(
    ("number", "first", "paired"), [(5, 0, 5), (12, 0, 12), (10, 5, 5), (10, 6, 0), (4, 0, 0), (6, 20, 0)]
)
def test_five_shared_seeds_are_paired_if_they_are_half_of_each(number: int, first: int, paired: int) -> None:
    accuracies = np.random.default_rng(number).normal(0.88, 0.004, (2, number))
    found = two(list(accuracies[0]), list(accuracies[1]), first)
    assert found.difference and (len(found.seeds), found.difference.paired) == (paired, bool(paired))
    if not paired:
        welch = stats.ttest_ind(*accuracies, equal_var=False)
        assert found.probability == pytest.approx(welch.pvalue)
        assert f"Welch's t test of {number} and {number} seeds p = {welch.pvalue:.2g}, which decides" in found.words


def four() -> dict[str, Mapping[int, float]]:
    tests = np.random.default_rng(3).normal(0.88, 0.01, (4, 6)) + np.array([[0.03], [0.02], [0.01], [0]])
    return {name: dict(enumerate(map(float, one))) for name, one in zip("abcd", tests, strict=True)}


def raw(first: str, second: str) -> float:
    arms = four()
    return float(stats.ttest_rel(list(arms[first].values()), list(arms[second].values())).pvalue)


def holm(probabilities: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """The rule, written out: the p of rank r is multiplied by how many are left, and never falls."""
    corrected, largest = {}, 0.0
    for rank, pair in enumerate(sorted(probabilities, key=lambda pair: probabilities[pair])):
        corrected[pair] = largest = max(largest, min(1.0, (len(probabilities) - rank) * probabilities[pair]))
    return corrected


@pytest.mark.parametrize("correction", ["all pairs", "given pairs", "none"])
def test_a_policy_says_which_comparisons_are_corrected_for(correction: Any) -> None:
    pairs = (("a", "b"), ("d", "a"), ("a", "c"))
    every = (*pairs, ("b", "c"), ("b", "d"), ("c", "d"))
    expected = {pair: raw(*pair) for pair in (every if correction == "all pairs" else pairs)}
    comparisons = len(expected)
    if correction == "none":
        comparisons = 1
    else:
        expected = holm(expected)
    found = judge(four(), Policy(pairs, correction))
    assert [(one.first, one.second, one.comparisons) for one in found] == [(*pair, comparisons) for pair in pairs]
    assert [one.probability for one in found] == pytest.approx([raw(*pair) for pair in pairs])
    assert [one.corrected for one in found] == pytest.approx([expected[pair] for pair in pairs])
    assert all((f"as one of {comparisons} comparisons" in one.words) == (comparisons > 1) for one in found)


def test_intervals_hold_together_and_end_at_0_where_holms_method_says_more() -> None:
    """Bonferroni's at 1 - 0.05 / 2; that of a verdict which only Holm's second step gives would hold 0."""
    arms = {"elu": seeds([0.9] * 6), "selu": seeds([0.79, 0.81, 0.8, 0.8, 0.8, 0.79]), "tanh": seeds([])}
    arms["tanh"] = seeds([0.9 - gain for gain in (0.001, 0.004, 0.002, 0.005, -0.0004, 0.003)])
    far, near = judge(arms, Policy((("elu", "selu"), ("elu", "tanh"))))
    differences = 0.9 - np.array(list(arms["selu"].values()), float)
    together = stats.t.interval(1 - 0.05 / 2, 5, differences.mean(), stats.sem(differences))
    assert far.interval and (far.interval.low, far.interval.high) == pytest.approx(together)
    assert near.probability and 0.025 < near.probability < 0.05
    assert near.verdict == "better" and near.interval and near.interval.low == 0 < near.interval.high
    assert "(of all 2 comparisons together)" in near.words


@pytest.mark.parametrize("number", [2, 4, 6, 7])
def test_another_arm_never_makes_evidence_out_of_none(number: int) -> None:
    """Of 60 pairs whose difference is near the border of a verdict, most have none; a third that is worse than both
    by far, and a fourth that is like the second, are only more to correct for."""
    random, verdicts = np.random.default_rng(number), list[list[str]]()
    for _ in range(60):
        second = random.normal(0.88, 0.004, number)
        arms = [second + random.normal(0.004, 0.004, number), second]
        arms += [second - 0.5 + random.normal(0, 0.004, number), second + random.normal(0, 0.004, number)]
        measured = {name: seeds(list(one)) for name, one in zip("abcd", arms, strict=True)}
        some = [{name: measured[name] for name in "abcd"[:count]} for count in (2, 3, 4)]
        found = [judge(one, Policy((("a", "b"),), "all pairs"))[0] for one in some]
        assert len({one.probability for one in found}) == 1
        verdicts.append([one.verdict for one in found])
    for before, after in ((0, 1), (1, 2)):
        assert all(one[after] in (one[before], "undecided") for one in verdicts)
    assert {one[0] for one in verdicts} == {"better", "undecided"}


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ([1, 2, 3, 2, 1, 2], "paired t test of 6 seeds p = {t:.2g}, which decides; exact sign-flip test p = 0.031; co"),
        ([1, 2, 3, 2, 1], "which decides; exact sign-flip test p = 0.062, never below 0.062 with so few; correlation"),
        ([1, 1, 1, 1, 1, 20], "exact sign-flip test p = 0.031, which disagrees: look at the single seeds"),
        ([1, 2, 3] * 7, "paired t test of 21 seeds p = {t:.2g}, which decides; sampled sign-flip test p = 1e-05"),
        ([1] * 6, "; all differ by as much, so that there is no t test; exact sign-flip test p = 0.031, which decides"),
    ],
)
def test_both_tests_are_told_and_which_one_decides(gains: list[float], said: str) -> None:
    t_probability = stats.ttest_1samp(gains, 0).pvalue if len(set(gains)) > 1 else 0
    assert said.format(t=t_probability) in two(*above(gains)).words


def test_equal_differences_of_few_seeds_cannot_be_decided() -> None:
    found = two(*above([1] * 5))
    assert (found.verdict, found.decided_by, found.interval) == ("cannot be decided", "exact", None)
    assert found.probability == 2 / 2**5


def test_an_arm_against_itself_differs_by_exactly_0() -> None:
    found = two(ELU, ELU)
    assert (found.verdict, found.probability, found.interval, found.smallest_seen) == ("undecided", 1, None, None)
    assert found.words.startswith("undecided whether elu and selu differ; +0.00 points; paired t test of 6 seeds p = 1")


def test_undecided_says_what_so_many_seeds_can_see() -> None:
    """From the spread, and not from the difference, which would only be p in other words."""
    gains = np.array([20.0, -20, 10, -10, 15, -12])
    found, moved = two(*above(list(gains))), two(*above(list(gains + 3)))
    assert found.verdict == moved.verdict == "undecided" and found.difference and found.smallest_seen
    assert moved.smallest_seen == pytest.approx(found.smallest_seen) and moved.seeds_needed == found.seeds_needed
    centre = found.smallest_seen / found.difference.error
    assert stats.nct.sf(stats.t.ppf(0.975, 5), 5, centre) == pytest.approx(0.8, abs=1e-3)
    assert found.words.endswith(
        "so many seeds see a difference of 2.4 points in four of five cases; 24 seeds would see 1 point"
    )
    assert two(*above(list(gains)), worth=0.015).words.endswith("cases; 12 seeds would see 1.5 points")
    assert two(*above(list(gains * 100))).words.endswith("more than 1,000 seeds would see 1 point")


def test_the_seeds_needed_of_few_seeds_are_those_of_the_paired_test() -> None:
    """Three shared seeds are compared as groups, of which many more would be needed than of pairs."""
    found = two([0.80, 0.85, 0.90], [0.801, 0.849, 0.902])
    assert (found.verdict, found.seeds, found.seeds_needed) == ("undecided", (), 5)
    unlike = two([0.80, 0.85, 0.90], [0.801, 0.849, 0.902], first=10)
    assert unlike.seeds_needed and unlike.seeds_needed > 300 and unlike.correlation is None


@pytest.mark.parametrize(
    ("gains", "worth", "verdict", "claim"),
    [
        ([1, -1, 2, -2, 1, -1], 0.005, "equivalent", "elu and selu differ by no more than 0.5 points; +0.00 points"),
        ([1, -1, 2, -2, 1, -1], 0.001, "undecided", "undecided whether elu and selu differ"),
        ([1, -1, 2, -2, 1, -1], None, "undecided", "undecided whether elu and selu differ"),
        ([2, 1, 2, 1, 2, 1], 0.005, "better", "elu is better than selu, but by no more than 0.5 points"),
    ],
)
def test_a_difference_that_would_matter_is_ruled_out_where_the_interval_says_so(
    gains: list[float], worth: float | None, verdict: str, claim: str
) -> None:
    found = two(*above(gains), worth=worth)
    assert found.verdict == verdict and found.words.startswith(claim)


def test_one_seed_decides_nothing() -> None:
    found = two([0.9], [0.6, 0.61])
    assert (found.verdict, found.difference, found.probability) == ("cannot be decided", None, None)
    assert found.words == (
        "it cannot be decided whether elu and selu differ: one seed of elu does not show how much is chance of the seed"
    )


@pytest.mark.parametrize(
    ("only_first", "only_second", "comparisons", "on_models", "said"),
    [
        (30, 0, 1, "better", "two of their models differ, that of elu is better on these 100 images (30 right only"),
        (0, 8, 1, "worse", "two of their models differ, that of selu is better on these 100 images (0 right only"),
        (0, 8, 10, "undecided", "two of their models cannot be told apart on these 100 images (0 right only with elu"),
    ],
)
def test_of_one_seed_two_models_may_be_told_apart(
    only_first: int, only_second: int, comparisons: int, on_models: str, said: str
) -> None:
    arms = {name: {0: 0.9} for name in ("elu", "selu", "a", "b", "c")}
    verdict = judge(arms, Policy(BOTH, "none" if comparisons == 1 else "all pairs"))[0]
    test = McNemar(only_first, only_second, 100, stats.binomtest(only_first, only_first + only_second).pvalue)
    found = with_models(verdict, test)
    assert (found.verdict, found.verdict_on_models) == ("cannot be decided", on_models)
    assert said in found.words and found.corrected == pytest.approx(min(1, comparisons * test.probability))


def test_the_mean_of_what_is_left_makes_no_arm_better() -> None:
    """Two points better in each of the seeds that it did not lose."""
    better: list[float | None] = [0.92, 0.93, 0.925, 0.93, None, None, None, None]
    found = two(better, [0.9, 0.91, 0.905, 0.91, 0.9, 0.9, 0.91, 0.9])
    assert (found.verdict, found.decided_by, found.measured, found.diverged) == (
        "undecided",
        "divergence",
        (4, 8),
        (4, 0),
    )
    assert found.probability == pytest.approx(stats.fisher_exact([[4, 4], [0, 8]]).pvalue)
    assert found.words == (
        "undecided whether elu and selu differ; elu diverged with 4 of 8 seeds, selu diverged with 0 of 8 seeds, "
        "Fisher's exact test p = 0.077, which decides; +2.19 points, 95% interval +1.47 to +2.90 where training did "
        "not diverge; the mean of the rest flatters elu"
    )
    both = two(better, [0.9, 0.91, 0.905, 0.91, 0.9, 0.9, 0.91, None])
    assert both.verdict == "undecided"


def test_an_arm_that_diverges_more_often_is_worse_for_that() -> None:
    found = two([0.9, 0.91, 0.9, 0.91, 0.9, 0.91], [None] * 5 + [0.95])
    assert (found.verdict, found.difference, found.decided_by) == ("better", None, "divergence")
    assert found.words.startswith("selu diverges more often than elu; elu diverged with 0 of 6 seeds, selu diverged wi")
    assert two([None] * 6, [0.9, 0.91, 0.9, 0.91, 0.9, 0.91]).verdict == "worse"


def test_an_arm_that_lost_seeds_may_be_worse_by_what_is_left() -> None:
    found = two([*ELU, 0.9], [None, *(one - 0.02 + noise for one, noise in zip(ELU, (0, 2e-3) * 3, strict=True))])
    assert (found.verdict, found.decided_by, len(found.seeds)) == ("better", "t", 6)
    assert "where training did not diverge; paired t test of 6 seeds" in found.words


@pytest.mark.parametrize("lost", [1, 3])
def test_too_few_seeds_that_trained_to_their_end_decide_nothing(lost: int) -> None:
    found = two([*[None] * lost, *[0.9, 0.91, 0.9][lost:]], [0.8])
    assert found.verdict == "cannot be decided"
    assert ("one seed of selu" if lost == 1 else "no seed of elu trained to its end") in found.words

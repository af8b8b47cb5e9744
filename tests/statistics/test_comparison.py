"""Comparisons of experiments: the right test for each pair, corrected for all pairs, and words that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

import dtrain.statistics.comparison
from dtrain.statistics.comparison import Contestant, Pair, compare_with_best, fewest_seeds, ranking
from dtrain.statistics.power import seeds_needed

RIGHT = {"elu": np.arange(100) < 90, "selu": np.arange(100) < 60, "tanh": np.arange(100) < 89}


def contestant(name: str, tests: Sequence[float], validation: float = 0.9, first_seed: int = 0) -> Contestant:
    """An experiment with seeds from `first_seed` upwards."""
    seeds = range(first_seed, first_seed + len(tests))
    return Contestant(
        name, dict.fromkeys(seeds, validation), dict(zip(seeds, tests, strict=True)), lambda seed: RIGHT[name]
    )


def only(*contestants: Contestant) -> Pair:
    (pair,) = compare_with_best(contestants)
    return pair


def test_the_ranking_is_by_validation_and_the_verdict_by_test() -> None:
    lucky = contestant("lucky", [0.80, 0.81, 0.80, 0.82, 0.81, 0.80], validation=0.95)
    good = contestant("good", [0.90, 0.92, 0.91, 0.92, 0.90, 0.91], validation=0.90)
    assert [one.name for one in ranking([good, lucky])] == ["lucky", "good"]
    pair = only(good, lucky)
    assert (pair.first, pair.second, pair.verdict) == ("lucky", "good", "worse")
    assert pair.words.startswith("lucky is worse than good; -10.33 points of test accuracy, 95% t interval -11.")


def test_shared_seeds_are_paired() -> None:
    """The seeds differ far more than the experiments, which only a paired test can see."""
    seeds = np.array([0.70, 0.75, 0.80, 0.85, 0.90, 0.72])
    better = seeds + np.array([0.010, 0.011, 0.009, 0.012, 0.010, 0.008])
    pair = only(contestant("elu", list(better), 0.95), contestant("selu", list(seeds)))
    assert pair.difference is not None and pair.difference.paired
    assert pair.seeds == (0, 1, 2, 3, 4, 5)
    assert pair.probability == pytest.approx(2 / 2**6) and pair.verdict == "better"
    assert stats.ttest_ind(better, seeds).pvalue > 0.7


@pytest.mark.parametrize(
    ("first_seed", "compared"), [(0, (0, 1, 2, 3)), (2, (2, 3)), (3, ()), (10, ())], ids=["all", "half", "few", "none"]
)
def test_seeds_that_few_share_are_not_paired(first_seed: int, compared: tuple[int, ...]) -> None:
    first = contestant("elu", [0.90, 0.92, 0.91, 0.93], 0.95)
    second = contestant("selu", [0.88, 0.87, 0.86, 0.89], first_seed=first_seed)
    pair = only(first, second)
    assert pair.difference is not None
    assert (pair.seeds, pair.difference.paired) == (compared, bool(compared))
    if not compared:
        welch = stats.ttest_ind(list(first.test.values()), list(second.test.values()), equal_var=False)
        assert pair.probability == pytest.approx(welch.pvalue)
        assert (
            f"unlike seeds; Welch's t test p = {welch.pvalue:.2g}, which decides; exact permutation test" in pair.words
        )


def test_the_comparisons_of_all_pairs_are_corrected_for() -> None:
    """Holm's rule, written out: the p of rank r is multiplied by how many are left, and never falls."""
    tests = np.random.default_rng(3).normal(0.88, 0.01, (4, 4)) + np.array([[0.03], [0.02], [0.01], [0]])
    pairs = compare_with_best([contestant(str(row), list(tests[row]), 0.9 - row / 100) for row in range(4)])
    raw = {
        (one, other): stats.ttest_rel(tests[one], tests[other]).pvalue
        for one in range(4)
        for other in range(one + 1, 4)
    }
    expected, largest = {}, 0.0
    for rank, key in enumerate(sorted(raw, key=lambda key: raw[key])):
        expected[key] = largest = max(largest, min(1.0, (6 - rank) * raw[key]))
    assert [pair.corrected for pair in pairs] == pytest.approx([expected[0, other] for other in (1, 2, 3)])
    assert [pair.probability for pair in pairs] == pytest.approx([raw[0, other] for other in (1, 2, 3)])
    assert all("as one of 6 comparisons" in pair.words for pair in pairs)


@pytest.mark.parametrize("seeds", [2, 4, 6, 7])
def test_another_experiment_never_makes_evidence_out_of_none(seeds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 150 pairs whose difference is near the border of a verdict, most have none; a third that is worse than both
    by far, and a fourth that is like the second, are only more to correct for."""
    monkeypatch.setattr(dtrain.statistics.comparison, "seeds_needed", lambda found, seeds, comparisons: None)
    random = np.random.default_rng(seeds)
    verdicts = []
    for _ in range(150):
        second = random.normal(0.88, 0.004, seeds)
        first = second + random.normal(0.004, 0.004, seeds)
        others = [second - 0.5 + random.normal(0, 0.004, seeds), second + random.normal(0, 0.004, seeds)]
        all_of_them = [
            contestant(name, list(tests), 0.9 - place / 100)
            for place, (name, tests) in enumerate(zip("abcd", [first, second, *others], strict=True))
        ]
        found = [compare_with_best(all_of_them[:number])[0] for number in (2, 3, 4)]
        assert {(one.first, one.second, one.probability) for one in found} == {("a", "b", found[0].probability)}
        assert list(found) == sorted(found, key=lambda one: one.corrected)
        verdicts.append([one.verdict for one in found])
    for before, after in zip((0, 1), (1, 2), strict=True):
        assert all(one[after] in (one[before], "no evidence") for one in verdicts)
    assert any(one[0] != "no evidence" for one in verdicts) and any(one[0] == "no evidence" for one in verdicts)


def test_it_is_said_where_the_exact_test_cannot_reach_the_level() -> None:
    """Six seeds that all agree have p = 2 / 64, times three comparisons 0.094; of seven seeds it is 0.047."""
    elu, noise = (
        np.array([0.90, 0.91, 0.905, 0.902, 0.907, 0.904, 0.903]),
        np.array([0.003, 0.004, 0.002, 0.003, 0.005]),
    )
    selu, tanh = elu - [0.003, *noise, 0.004], elu - [0.007, *noise[::-1], 0.006]
    for seeds, verdict in ((6, "no evidence"), (7, "better")):
        three = [
            contestant(name, list(tests[:seeds]), 0.9 - place / 100)
            for place, (name, tests) in enumerate(zip(("elu", "selu", "tanh"), (elu, selu, tanh), strict=True))
        ]
        pair = compare_with_best(three)[0]
        assert pair.verdict == verdict
        said = "as one of 3 comparisons the exact test of 6 seeds cannot reach 0.05, that of 7 seeds could"
        assert (said in pair.words) == (seeds == 6)
        assert ("leaves 0 out because it takes the differences for normal" in pair.words) == (seeds == 6)


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        (
            [1, 2, 3],
            "paired t test p = {t:.2g}, which decides; exact sign-flip test p = 0.25, never below 0.25 with 3 seeds",
        ),
        ([1, 2, 3, 2, 1, 2], "exact sign-flip test p = 0.031, which decides; paired t test p = {t:.2g}"),
        ([1, 1, 1], "exact sign-flip test p = 0.25, which decides; all differ by as much, so that there is no t test"),
        ([1, 2, 3] * 7, "sampled sign-flip test p = 1e-05, which decides; paired t test p = "),
    ],
)
def test_both_tests_are_told_and_which_one_decides(differences: list[int], said: str) -> None:
    second = np.linspace(0.8, 0.9, len(differences))
    pair = only(contestant("elu", list(second + np.array(differences) / 1000), 0.95), contestant("selu", list(second)))
    t_probability = stats.ttest_1samp(differences, 0).pvalue if len(set(differences)) > 1 else 0
    assert f"{len(differences)} paired seeds; {said.format(t=t_probability)}" in pair.words


@pytest.mark.parametrize(
    ("differences", "verdict", "why"),
    [
        (
            [1, 1, 1, 1, 1, 20],
            "better",
            "holds 0 because it takes the differences for normal, which the exact test does",
        ),
        ([20, 21, 22, 23, 24, -1], "no evidence", "leaves 0 out because it takes the differences for normal, which"),
        ([1, 1.3, 1, 1.2, 1, 1.1], "better", ""),
        ([1, -1, 3, 2, -2, 2], "no evidence", ""),
    ],
)
def test_where_interval_and_verdict_disagree_it_is_said_why(differences: list[float], verdict: str, why: str) -> None:
    second = np.linspace(0.8, 0.9, 6)
    pair = only(contestant("elu", list(second + np.array(differences) / 1000), 0.95), contestant("selu", list(second)))
    assert pair.verdict == verdict
    assert (f"; the interval {why}" in pair.words) if why else ("; the interval" not in pair.words)


def test_an_interval_is_not_corrected_and_says_so() -> None:
    """The mean of 2.5 +- 1.29 of four seeds has p = 0.03 alone, and three times that as one of three comparisons."""
    second = np.linspace(0.8, 0.9, 4)
    first, third = second + np.array([1, 2, 3, 4]) / 1000, second - np.array([0.1, 0.2, -0.3, 0.4]) / 1000
    three = [
        contestant("elu", list(first), 0.95),
        contestant("selu", list(second)),
        contestant("tanh", list(third), 0.8),
    ]
    pair = compare_with_best(three)[0]
    assert (pair.verdict, pair.probability < 0.05) == ("no evidence", True)
    assert "; the interval leaves 0 out because it is not corrected for the other comparisons" in pair.words


def test_two_identical_groups_differ_by_exactly_0() -> None:
    tests = [0.8805, 0.8795, 0.881]
    pair = only(contestant("elu", tests), contestant("selu", tests))
    assert pair.difference is not None and pair.difference.mean == 0
    assert (pair.probability, pair.verdict, pair.seeds_needed) == (1, "no evidence", None)
    assert pair.words.startswith("no evidence that elu and selu differ; +0.00 points")
    assert "needed" not in pair.words


def test_without_evidence_more_seeds_are_needed_than_there_are() -> None:
    """The t test alone would see this difference with the six seeds that there are; the exact test does not."""
    better = [0.902, 0.903, 0.902, 0.903, 0.902, 0.8995]
    pair = only(contestant("elu", better), contestant("selu", [0.9] * 6))
    assert pair.difference is not None and pair.difference.t_probability is not None
    assert pair.difference.t_probability < 0.05 < pair.probability
    assert pair.seeds_needed == 7 and "about 7 seeds each would be needed" in pair.words


def test_seeds_of_unlike_numbers_are_worth_their_harmonic_mean() -> None:
    """2 and 6 unlike seeds make a mean difference as certain as 3 and 3 do, so that 4 are the fewest that are more."""
    many = contestant("selu", [0.9, 0.89, 0.875, 0.9, 0.88, 0.88], first_seed=9)
    pair = only(contestant("elu", [0.93, 0.95], 0.95), many)
    assert pair.difference is not None and not pair.difference.paired
    assert (pair.verdict, pair.seeds_needed) == ("no evidence", 4)
    assert seeds_needed(pair.difference, 2) == 3


def test_a_difference_that_is_hardly_there_needs_more_seeds_than_anybody_trains() -> None:
    pair = only(contestant("elu", [0.9001, 0.95, 0.85]), contestant("selu", [0.90, 0.85, 0.95]))
    assert pair.seeds_needed is None
    assert pair.words.endswith("; to see a difference as small as this one more than 1,000 seeds each would be needed")


@pytest.mark.parametrize(
    ("second", "on_models", "said"),
    [
        ("selu", "better", "the two models differ, that of elu is better on these 100 images (30 right only with elu"),
        (
            "tanh",
            "no evidence",
            "the two models cannot be told apart on these 100 images (1 right only with elu, 0 only",
        ),
    ],
)
def test_row_55_one_seed_is_no_evidence_on_experiments(second: str, on_models: str, said: str) -> None:
    pair = only(contestant("elu", [0.9], 0.95), contestant(second, [0.6]))
    assert (pair.verdict, pair.verdict_on_models, pair.difference) == ("no evidence", on_models, None)
    assert said in pair.words
    assert pair.words.startswith(f"no evidence on elu and {second}: one seed does not show")


def test_one_seed_against_several_takes_the_seed_that_both_have() -> None:
    asked: list[tuple[str, int]] = []

    def recorded(name: str, seeds: Sequence[int]) -> Contestant:
        def right(seed: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
            asked.append((name, seed))
            return np.ones(3, np.bool_)

        accuracies = dict.fromkeys(seeds, 0.9)
        return Contestant(name, accuracies, accuracies, right)

    only(recorded("elu", [5]), recorded("selu", [4, 5, 6]))
    only(recorded("tanh", [1]), recorded("relu", [7, 8]))
    assert asked == [("elu", 5), ("selu", 5), ("tanh", 1), ("relu", 7)]


@pytest.mark.parametrize(("experiments", "seeds"), [(2, 6), (3, 7), (4, 8), (10, 11)])
def test_the_fewest_seeds_let_the_exact_test_reach_the_level(experiments: int, seeds: int) -> None:
    comparisons = experiments * (experiments - 1) / 2
    assert fewest_seeds(experiments) == seeds
    assert comparisons * 2 / 2**seeds <= 0.05 < comparisons * 2 / 2 ** (seeds - 1)


@pytest.mark.parametrize(
    ("experiments", "seeds"), [(2, 3), (2, 6), (3, 3), (3, 7), pytest.param(10, 14, marks=pytest.mark.slow)]
)
def test_chance_alone_makes_a_winner_at_most_once_in_twenty(
    experiments: int, seeds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best of equal experiments, 500 times.

    A model that is better by chance is so on validation and test images alike: the winner of a ranking is lucky, and a
    correction for the comparisons with it alone would call it better too often (of ten, in one of eleven cases).
    """
    monkeypatch.setattr(dtrain.statistics.comparison, "seeds_needed", lambda found, seeds, comparisons: None)
    random = np.random.default_rng([experiments, seeds])
    winners = 0
    for _ in range(500):
        quality = random.normal(0.88, 0.004, (experiments, seeds))
        validation, test = quality + random.normal(0, 0.002, (2, experiments, seeds))
        pairs = compare_with_best(
            [
                Contestant(
                    str(one), dict(enumerate(validation[one])), dict(enumerate(test[one])), lambda seed: RIGHT["elu"]
                )
                for one in range(experiments)
            ]
        )
        winners += any(pair.verdict != "no evidence" for pair in pairs)
    assert winners <= stats.binom.ppf(0.999, 500, 0.05)

"""Groups of runs against each other: which test each pair allows, and what may be said after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean

import numpy as np
import numpy.typing as npt

from dtrain.statistics.power import MOST_SEEDS, seeds_needed
from dtrain.statistics.significance import (
    FEWEST_PAIRS,
    LEVEL,
    Difference,
    McNemar,
    Verdict,
    holm,
    mcnemar,
    paired_difference,
    smallest_sign_flip_probability,
    unpaired_difference,
    verdict_on,
)


@dataclass(frozen=True)
class Contestant:
    """One experiment, with the accuracies of each seed.

    Args:
        name: What it is called.
        validation: Validation accuracy by seed; at least one.
        test: Test accuracy by seed; the same seeds.
        right: From a seed to which test images its model gets right, bool [images].
    """

    name: str
    validation: Mapping[int, float]
    test: Mapping[int, float]
    right: Callable[[int], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Pair:
    """The test accuracies of two experiments; with a single seed of either only those of two models.

    Args:
        first: The one that is best by validation.
        second: The other.
        seeds: The seeds compared one by one; empty where the groups share too few.
        difference: First minus second over seeds; None with a single seed of either.
        mcnemar: Two models image by image; None where seeds are compared.
        probability: That chance alone makes such a difference, if it were the only comparison.
        corrected: The same as one of all comparisons that there are.
        verdict: What may be said of the first experiment; with a single seed always that there is no evidence.
        verdict_on_models: What may be said of the first model on these images; None where seeds are compared.
        seeds_needed: How many seeds each such a difference needs, more than there are; None if it needs too many or
            nobody can say, and where there is evidence.
        words: All of it in a sentence.
    """

    first: str
    second: str
    seeds: tuple[int, ...]
    difference: Difference | None
    mcnemar: McNemar | None
    probability: float
    corrected: float
    verdict: Verdict = "no evidence"
    verdict_on_models: Verdict | None = None
    seeds_needed: int | None = None
    words: str = ""


def ranking(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Returns the contestants by mean validation accuracy, the best first; of equal ones the first stays first."""
    return sorted(contestants, key=lambda one: -fmean(one.validation.values()))


def comparisons_among(contestants: int) -> int:
    """Returns how many comparisons the best of so many contestants stands for.

    Which one is the best is known only from the results, so that it has in effect been compared with all others and
    they with each other: correcting for the comparisons with the best alone would be too little.
    """
    return math.comb(contestants, 2)


def fewest_seeds(contestants: int) -> int:
    """Returns with how many seeds the exact test can come to a verdict at all."""
    return _fewest_pairs(comparisons_among(contestants))


def _fewest_pairs(comparisons: int) -> int:
    pairs = FEWEST_PAIRS
    while comparisons * smallest_sign_flip_probability(pairs) > LEVEL:
        pairs += 1
    return pairs


def compare_with_best(contestants: Sequence[Contestant]) -> tuple[Pair, ...]:
    """Compares the best contestant with each other one.

    The best is chosen by validation accuracy and compared by test accuracy. The probabilities are corrected for the
    comparisons of all pairs, by Holm's method.

    Args:
        contestants: At least two.

    Returns:
        The best against each other one, in the order of the ranking.
    """
    ranked = ranking(contestants)
    comparisons = comparisons_among(len(ranked))
    pairs = [_tested(first, second) for first, second in combinations(ranked, 2)]
    probabilities = [one.probability for one in pairs]
    against_best = zip(pairs[: len(ranked) - 1], holm(probabilities), strict=False)
    return tuple(
        _judged(
            replace(one, corrected=corrected),
            comparisons,
            in_reach=_in_reach(one, place, probabilities),
            corrected_t=_corrected_t(one, place, probabilities),
            seeds=_worth(one, ranked[0], ranked[place + 1]),
        )
        for place, (one, corrected) in enumerate(against_best)
    )


def _worth(pair: Pair, first: Contestant, second: Contestant) -> int:
    """How many seeds each are worth as much as those that there are: of unlike numbers their harmonic mean."""
    sizes = len(first.test), len(second.test)
    return len(pair.seeds) or 2 * sizes[0] * sizes[1] // sum(sizes)


def _in_reach(pair: Pair, place: int, probabilities: Sequence[float]) -> bool:
    """Whether the test of so many seeds could have come to a verdict, had all of them agreed."""
    if pair.difference is None or not pair.difference.paired or pair.difference.decided_by == "t":
        return True
    return _corrected(smallest_sign_flip_probability(len(pair.seeds)), place, probabilities) <= LEVEL


def _corrected_t(pair: Pair, place: int, probabilities: Sequence[float]) -> float | None:
    if pair.difference is None or pair.difference.t_probability is None:
        return None
    return _corrected(pair.difference.t_probability, place, probabilities)


def _corrected(probability: float, place: int, probabilities: Sequence[float]) -> float:
    """Returns another probability of the pair in that place, corrected for the comparisons of all pairs."""
    others = list(probabilities)
    others[place] = probability
    return float(holm(others)[place])


def _tested(first: Contestant, second: Contestant) -> Pair:
    common = tuple(sorted(first.test.keys() & second.test.keys()))
    if min(len(first.test), len(second.test)) < 2:
        one, other = (common[0], common[0]) if common else (min(first.test), min(second.test))
        models = mcnemar(first.right(one), second.right(other))
        return Pair(first.name, second.name, (), None, models, models.probability, models.probability)
    if len(common) >= 2 and 2 * len(common) >= max(len(first.test), len(second.test)):
        values = [[one.test[seed] for seed in common] for one in (first, second)]
        found = paired_difference(values[0], values[1])
        return Pair(first.name, second.name, common, found, None, found.probability, found.probability)
    found = unpaired_difference(list(first.test.values()), list(second.test.values()))
    return Pair(first.name, second.name, (), found, None, found.probability, found.probability)


def _judged(pair: Pair, comparisons: int, *, in_reach: bool, corrected_t: float | None, seeds: int) -> Pair:
    correction = f" ({pair.corrected:.2g} as one of {comparisons} comparisons)" if comparisons > 1 else ""
    if pair.mcnemar:
        return _judged_models(pair, pair.mcnemar, f"p = {pair.probability:.2g}{correction}")
    assert pair.difference
    verdict, needed = verdict_on(pair.difference.mean, pair.corrected), None
    if verdict == "no evidence":
        needed = seeds_needed(pair.difference, seeds, comparisons)
        out_of_reach = "" if in_reach else _out_of_reach(len(pair.seeds), comparisons)
        ending = out_of_reach + _needed_in_words(pair.difference, needed)
        beginning = f"no evidence that {pair.first} and {pair.second} differ"
    else:
        beginning, ending = f"{pair.first} is {verdict} than {pair.second}", ""
    middle = _difference_in_words(pair, pair.difference, correction)
    middle += _disagreement(pair.difference, corrected_t, verdict)
    return replace(pair, verdict=verdict, seeds_needed=needed, words=f"{beginning}; {middle}{ending}")


def _judged_models(pair: Pair, found: McNemar, chance: str) -> Pair:
    verdict = verdict_on(found.only_first - found.only_second, pair.corrected)
    said = "cannot be told apart"
    if verdict != "no evidence":
        said = f"differ, that of {pair.first if verdict == 'better' else pair.second} is better"
    words = (
        f"no evidence on {pair.first} and {pair.second}: one seed does not show how much is chance of the seed; "
        f"the two models {said} on these {found.images:,} images ({found.only_first:,} right only with {pair.first}, "
        f"{found.only_second:,} only with {pair.second}), McNemar's test, {chance}"
    )
    return replace(pair, verdict_on_models=verdict, words=words)


def _difference_in_words(pair: Pair, found: Difference, correction: str) -> str:
    interval = found.interval
    ends = f", 95% t interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f}" if interval else ""
    over = f"{len(pair.seeds)} paired seeds" if found.paired else "unlike seeds"
    return f"{100 * found.mean:+.2f} points of test accuracy{ends}, {over}; {_tests_in_words(pair, found, correction)}"


def _tests_in_words(pair: Pair, found: Difference, correction: str) -> str:
    """Both tests, the one that decides first."""
    kind = "exact" if found.exhaustive else "sampled"
    exact = f"{kind} {'sign-flip' if found.paired else 'permutation'} test p = {found.exact_probability:.2g}"
    if found.t_probability is None:
        return f"{exact}{correction}, which decides; all differ by as much, so that there is no t test"
    name = "paired" if found.paired else "Welch's"
    t_test = f"{name} t test p = {found.t_probability:.2g}"
    if found.decided_by == "exact":
        return f"{exact}{correction}, which decides; {t_test}"
    seeds = len(pair.seeds)
    bound = f", never below {smallest_sign_flip_probability(seeds):.2g} with {seeds} seeds" if found.paired else ""
    return f"{t_test}{correction}, which decides; {exact}{bound}"


def _disagreement(found: Difference, corrected_t: float | None, verdict: Verdict) -> str:
    """Where interval and verdict disagree, why: a corrected t test would agree with the verdict, or not even that."""
    holds = found.interval is None or found.interval.low <= 0 <= found.interval.high
    if corrected_t is None or holds == (verdict == "no evidence"):
        return ""
    if verdict == "no evidence" and corrected_t > LEVEL:
        return "; the interval leaves 0 out because it is not corrected for the other comparisons"
    said = "holds 0" if holds else "leaves 0 out"
    return f"; the interval {said} because it takes the differences for normal, which the exact test does not"


def _out_of_reach(seeds: int, comparisons: int) -> str:
    context = f"as one of {comparisons} comparisons " if comparisons > 1 else ""
    enough = _fewest_pairs(comparisons)
    return f"; {context}the exact test of {seeds} seeds cannot reach {LEVEL}, that of {enough} seeds could"


def _needed_in_words(found: Difference, needed: int | None) -> str:
    if not (found.mean and found.deviation):
        return ""
    if needed is None:
        return f"; to see a difference as small as this one more than {MOST_SEEDS:,} seeds each would be needed"
    return f"; to see a difference like this one in four of five cases, about {needed} seeds each would be needed"

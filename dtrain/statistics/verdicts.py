"""What may be said of arms measured over seeds: the one rule by which they are compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from statistics import correlation

from dtrain.statistics.intervals import Interval
from dtrain.statistics.policy import Measured, Outcome, Policy, Test, Verdict
from dtrain.statistics.power import FEWEST_PAIRS, seeds_to_see, smallest_seen
from dtrain.statistics.significance import (
    LEVEL,
    Difference,
    McNemar,
    fisher,
    holm,
    paired_difference,
    unpaired_difference,
)
from dtrain.statistics.wording import models_in_words, sentence

FEWEST_CORRELATED = 3
"""Two seeds are always on a line."""


def judge(measured: Measured, policy: Policy) -> tuple[Verdict, ...]:
    """Compares arms over seeds.

    The t test decides: paired where five seeds or more are shared, and else Welch's. Nothing but the number of seeds
    chooses it: no result, and no other arm. The exact test stands beside it. An arm that lost seeds to divergence is
    never better on the mean of the rest; how often each diverged is tested too. Of two arms that have learnt nothing
    none is better.

    Args:
        measured: Every arm, with at least one seed.
        policy: What is asked for.

    Returns:
        A verdict for each pair of the policy, in its order.
    """
    pairs, given = list(policy.pairs), {frozenset(pair) for pair in policy.pairs}
    if policy.correction == "all pairs":
        pairs += [pair for pair in combinations(measured, 2) if frozenset(pair) not in given]
    comparisons = 1 if policy.correction == "none" else len(pairs)
    tested = [_tested(first, second, measured, policy, comparisons) for first, second in pairs]
    alone = [1.0 if one.probability is None else one.probability for one in tested]
    corrected = alone if policy.correction == "none" else holm(alone)
    return tuple(_judged(*one, policy) for one in zip(tested[: len(policy.pairs)], corrected, strict=False))


def with_models(verdict: Verdict, found: McNemar) -> Verdict:
    """Returns the verdict on two arms of which one has a single seed, with what may be said of two of their models.

    Args:
        verdict: That it cannot be decided.
        found: The two models image by image.
    """
    corrected = min(1.0, verdict.comparisons * found.probability)
    better: Outcome = "better" if found.only_first > found.only_second else "worse"
    on_models = better if corrected <= LEVEL else "undecided"
    told = replace(verdict, mcnemar=found, verdict_on_models=on_models)
    told = replace(told, probability=found.probability, corrected=corrected)
    return replace(told, words=f"{verdict.words}; {models_in_words(told, found)}")


def _tested(first: str, second: str, measured: Measured, policy: Policy, comparisons: int) -> Verdict:
    ones, others = ({seed: one for seed, one in measured[name].items() if one is not None} for name in (first, second))
    planned = len(measured[first]), len(measured[second])
    lost = planned[0] - len(ones), planned[1] - len(others)
    shared = sorted(ones.keys() & others.keys())
    shared = shared if 2 * len(shared) >= max(len(ones), len(others)) else []
    values = [ones[seed] for seed in shared], [others[seed] for seed in shared]
    of_pairs = paired_difference(*values) if len(shared) > 1 else None
    of_groups = unpaired_difference([*ones.values()], [*others.values()]) if min(len(ones), len(others)) > 1 else None
    difference = of_pairs if len(shared) >= FEWEST_PAIRS else of_groups
    probability, decided_by = _deciding(difference, lost, planned)
    found = Verdict(
        first=first,
        second=second,
        measured=(len(ones), len(others)),
        diverged=lost,
        seeds=tuple(shared) if len(shared) >= FEWEST_PAIRS else (),
        correlation=_correlation(*values),
        difference=difference,
        decided_by=decided_by,
        probability=probability,
        comparisons=comparisons,
    )
    return _with_power(found, of_pairs or of_groups, policy.level / comparisons, policy.sought)


def _correlation(ones: list[float], others: list[float]) -> float | None:
    if len(ones) < FEWEST_CORRELATED or max(ones) == min(ones) or max(others) == min(others):
        return None
    return correlation(ones, others)


def _deciding(
    difference: Difference | None, lost: tuple[int, int], planned: tuple[int, int]
) -> tuple[float | None, Test | None]:
    """Of the tests that may speak the one that is most sure: what is left of an arm that lost seeds flatters it."""
    tests = list[tuple[float, Test]]()
    if difference and not lost[0 if difference.mean > 0 else 1]:
        if difference.t_probability is not None:
            tests.append((difference.t_probability, "t"))
        elif difference.exact_probability is not None:
            tests.append((difference.exact_probability, "exact"))
    if any(lost):
        tests.append((fisher(lost, planned), "divergence"))
    return min(tests, default=(None, None))


def _with_power(one: Verdict, of_more: Difference | None, level: float, sought: float) -> Verdict:
    """Adds the interval and what so many seeds can see; `of_more` is how more of these would be compared."""
    difference = one.difference
    if not (difference and difference.error and of_more):
        return one
    spread = of_more.deviation or difference.deviation
    return replace(
        one,
        interval=difference.interval(1 - level),
        smallest_seen=difference.error * smallest_seen(difference.degrees, level),
        seeds_needed=seeds_to_see(sought / spread, level, paired=of_more.paired),
    )


def _judged(one: Verdict, corrected: float, policy: Policy) -> Verdict:
    if one.decided_by:
        one = replace(one, corrected=corrected)
    if {one.first, one.second} <= policy.at_chance:
        return replace(one, at_chance=True, words=sentence(replace(one, at_chance=True), policy))
    one = replace(one, verdict=_outcome(one, policy))
    if one.interval and one.decided_by == "t" and one.verdict in ("better", "worse"):
        # Holm's method corrects all but its first step for less than the interval does, which then ends at 0
        low, high = one.interval.low, one.interval.high
        one = replace(one, interval=Interval(max(0.0, low), high) if high > -low else Interval(low, min(0.0, high)))
    return replace(one, words=sentence(one, policy))


def _outcome(one: Verdict, policy: Policy) -> Outcome:
    if one.corrected is not None and one.corrected <= policy.level:
        gain = one.difference.mean if one.difference else 0.0
        if one.decided_by == "divergence":
            (lost, others_lost), (rest, others_rest) = one.diverged, one.measured
            gain = others_lost / (others_lost + others_rest) - lost / (lost + rest)
        return "better" if gain > 0 else "worse"
    if policy.rules_out(one.interval) and not any(one.diverged):
        return "equivalent"
    return "undecided" if one.difference and one.decided_by in ("t", "divergence") else "cannot be decided"

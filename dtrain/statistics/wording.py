"""A verdict in words: what may be said, the numbers behind it, and what so many seeds can see."""

from __future__ import annotations

from collections.abc import Iterator

from dtrain.statistics.policy import POINT, Policy, Verdict
from dtrain.statistics.significance import Difference, McNemar


def sentence(verdict: Verdict, policy: Policy) -> str:
    """Returns the verdict and, divided by semicolons, all that speaks for it."""
    if verdict.at_chance:
        return f"neither {verdict.first} nor {verdict.second} is better than chance, so there is nothing to compare"
    return "; ".join([_claim(verdict, policy), *_evidence(verdict, policy)])


def difference_in_words(verdict: Verdict, policy: Policy) -> str:
    """Returns the mean difference and its interval, in points; the verdict must have a difference."""
    assert verdict.difference
    mean = f"{100 * verdict.difference.mean:+.2f} points"
    if not verdict.interval:
        return mean
    low, high = 100 * verdict.interval.low, 100 * verdict.interval.high
    together = f" (of all {verdict.comparisons} comparisons together)" if verdict.comparisons > 1 else ""
    return f"{mean}, {1 - policy.level:.0%} interval {low:+.2f} to {high:+.2f}{together}"


def probability_in_words(verdict: Verdict) -> str:
    """Returns the probability that decides, and as what it was corrected."""
    correction = f" ({verdict.corrected:.2g} as one of {verdict.comparisons} comparisons)"
    return f"p = {verdict.probability:.2g}{correction if verdict.comparisons > 1 else ''}"


def seen_in_words(verdict: Verdict, policy: Policy) -> str:
    """Returns what so many seeds see in four of five cases; the spread of the differences must be known."""
    assert verdict.smallest_seen
    seen = f"so many seeds see a difference of {100 * verdict.smallest_seen:.2g} points in four of five cases"
    if verdict.smallest_seen <= policy.sought:
        return seen
    return f"{seen}; {verdict.seeds_needed or 'more than 1,000'} seeds would see {_sought(policy)}"


def models_in_words(verdict: Verdict, found: McNemar) -> str:
    """Returns what may be said of two models on the images that they were tested on."""
    first, second = verdict.first, verdict.second
    better = {"better": f"differ, that of {first} is better", "worse": f"differ, that of {second} is better"}
    said = better.get(verdict.verdict_on_models or "", "cannot be told apart")
    numbers = f"{found.only_first:,} right only with {first}, {found.only_second:,} only with {second}"
    chance = f"McNemar's test, {probability_in_words(verdict)}"
    return f"two of their models {said} on these {found.images:,} images ({numbers}), {chance}"


def _sought(policy: Policy) -> str:
    return f"{100 * policy.sought:g} point{'' if policy.sought == POINT else 's'}"


def _claim(verdict: Verdict, policy: Policy) -> str:
    first, second = verdict.first, verdict.second
    if verdict.verdict in ("better", "worse") and verdict.decided_by == "divergence":
        often, seldom = (second, first) if verdict.verdict == "better" else (first, second)
        return f"{often} diverges more often than {seldom}"
    if verdict.verdict in ("better", "worse"):
        little = f", but by no more than {_sought(policy)}" if policy.rules_out(verdict.interval) else ""
        return f"{first} is {verdict.verdict} than {second}{little}"
    if verdict.verdict == "equivalent":
        return f"{first} and {second} differ by no more than {_sought(policy)}"
    if verdict.verdict == "undecided":
        return f"undecided whether {first} and {second} differ"
    said = f"it cannot be decided whether {first} and {second} differ"
    fewest = min(verdict.measured)
    name = (first, second)[verdict.measured.index(fewest)]
    if fewest == 0:
        return f"{said}: no seed of {name} trained to its end"
    return f"{said}: one seed of {name} does not show how much is chance of the seed" if fewest == 1 else said


def _evidence(verdict: Verdict, policy: Policy) -> Iterator[str]:
    difference, names = verdict.difference, (verdict.first, verdict.second)
    if any(verdict.diverged):
        counts = zip(names, verdict.diverged, verdict.measured, strict=True)
        lost = ", ".join(f"{name} diverged with {lost} of {lost + rest} seeds" for name, lost, rest in counts)
        decides = f", Fisher's exact test {probability_in_words(verdict)}, which decides"
        yield f"{lost}{decides if verdict.decided_by == 'divergence' else ''}"
    if not difference:
        return
    yield difference_in_words(verdict, policy) + (" where training did not diverge" if any(verdict.diverged) else "")
    winner = 0 if difference.mean > 0 else 1
    if verdict.diverged[winner]:
        yield f"the mean of the rest flatters {names[winner]}"
    if verdict.decided_by == "divergence":
        return
    yield from _tests(verdict, difference, policy)
    if verdict.correlation is not None:
        yield f"correlation over seeds {verdict.correlation:.2f}"
    if verdict.verdict == "undecided" and verdict.smallest_seen:
        yield seen_in_words(verdict, policy)


def _tests(verdict: Verdict, found: Difference, policy: Policy) -> Iterator[str]:
    """Both tests, the one that decides first; where the other one cannot agree, or does not, that too."""
    if found.t_probability is None:
        yield "all differ by as much, so that there is no t test"
    else:
        seeds = f"{len(verdict.seeds)}" if found.paired else " and ".join(map(str, verdict.measured))
        name = "paired" if found.paired else "Welch's"
        yield f"{name} t test of {seeds} seeds {probability_in_words(verdict)}, which decides"
    if found.exact_probability is None:
        return
    remark, lowest = "", 2 / found.rearrangements
    if lowest > policy.level:
        remark = f", never below {lowest:.2g} with so few"
    elif found.t_probability is None:
        remark = ", which decides"
    elif (found.exact_probability <= policy.level) != (found.t_probability <= policy.level):
        remark = ", which disagrees: look at the single seeds"
    yield f"{'exact' if found.exhaustive else 'sampled'} sign-flip test p = {found.exact_probability:.2g}{remark}"

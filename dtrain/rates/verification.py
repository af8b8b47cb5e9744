"""What brief trainings around a suggested rate say of it: confirmed, too low, too high, or not told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from dtrain.statistics.policy import Policy
from dtrain.statistics.policy import Verdict as Comparison
from dtrain.statistics.verdicts import judge
from dtrain.statistics.wording import difference_in_words

MULTIPLES = (0.3, 1.0, 3.0)
SEEDS = 6
"""Of three seeds even the interval of a rate that is as good holds gains of several points."""
WITHIN = 0.02
"""A rate must be better by more validation accuracy than this to be missed."""


@dataclass(frozen=True)
class Trial:
    """Brief trainings at one constant rate.

    Args:
        learning_rate: The rate.
        multiple: The rate as a multiple of the suggestion.
        accuracies: Validation accuracy at the end, of each seed; None where it diverged.
        beside: How it compares with the suggestion; None for that itself, and where a seed diverged.
    """

    learning_rate: float
    multiple: float
    accuracies: tuple[float | None, ...]
    beside: Comparison | None = None

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.multiple:g}x"

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return self.accuracies.count(None)

    @property
    def finite(self) -> tuple[float, ...]:
        """The accuracies of the seeds that did not diverge."""
        return tuple(one for one in self.accuracies if one is not None)


@dataclass(frozen=True)
class Verdict:
    """What the trials say of the suggestion.

    Args:
        words: In one sentence.
        trials: The trials, each with how it compares.
        safe: Whether no seed diverged at the suggestion.
    """

    words: str
    trials: tuple[Trial, ...]
    safe: bool = True


def verdict_on(trials: Sequence[Trial], chance: float) -> Verdict:
    """Returns what trials of the same seeds say of the rate whose multiple is one.

    No probability is corrected: each of two rates that are as good is called better in 2.5% of cases, and the
    suggestion is confirmed only where both are ruled out.

    Args:
        trials: The suggestion and its neighbours.
        chance: The accuracy up to which nothing may have been learnt; 0 where accuracy does not tell.
    """
    suggested = next(one for one in trials if one.multiple == 1)
    if suggested.diverged:
        count = f"{suggested.diverged} of {len(suggested.accuracies)} brief trainings"
        return Verdict(f"{count} at {suggested.learning_rate:.2g} diverged", tuple(trials), safe=False)
    if chance and all(accuracy <= chance for one in trials for accuracy in one.finite):
        return Verdict("no verdict: at none of the rates do brief trainings learn more than chance", tuple(trials))
    rivals = [one for one in trials if one is not suggested and not one.diverged]
    policy = Policy(tuple((one.name, suggested.name) for one in rivals), "none", worth=WITHIN)
    found = judge({one.name: dict(enumerate(one.accuracies)) for one in trials}, policy)
    beside = {one.first: one for one in found}
    compared = tuple(replace(one, beside=beside.get(one.name)) for one in trials)
    return Verdict(_words(compared, policy) + _end_of_safety(trials), compared)


def _words(trials: Sequence[Trial], policy: Policy) -> str:
    found = {one: one.beside for one in trials if one.beside}
    if not found:
        return "no other rate to compare it with"
    possible = [one.name for one, beside in found.items() if _highest_gain(beside) > WITHIN]
    if not possible:
        others = "of the rates at which every seed trains" if any(one.diverged for one in trials) else "of the rates"
        return f"confirmed: no other {others} is more than {100 * WITHIN:.0f} points better"
    better = [one for one, beside in found.items() if beside.verdict == "better" and one.name in possible]
    if not better:
        return f"not told apart: {' or '.join(possible)} may be more than {100 * WITHIN:.0f} points better"
    best = max(better, key=lambda one: fmean(one.finite))
    gain = difference_in_words(found[best], policy)
    longer = "; longer trainings usually want less" if best.multiple > 1 else ""
    return f"better rate: {best.name}, by {gain}; consider {best.learning_rate:.2g}{longer}"


def _highest_gain(beside: Comparison) -> float:
    """The upper end of the interval, or what every seed gained alike."""
    if beside.interval:
        return beside.interval.high
    return beside.difference.mean if beside.difference else math.inf


def _end_of_safety(trials: Sequence[Trial]) -> str:
    diverged = [one for one in trials if one.diverged]
    return "".join(f"; {one.diverged} of {len(one.accuracies)} seeds diverged at {one.name}" for one in diverged)

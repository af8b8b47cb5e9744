"""What brief trainings around a suggested rate say of it: confirmed, too low, too high, or not told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MULTIPLES = (0.3, 1.0, 3.0)
SEEDS = 3
WITHIN = 0.02
"""Validation accuracy that tells two rates apart, where every seed agrees on the order."""


@dataclass(frozen=True)
class Trial:
    """Brief trainings at one constant rate.

    Args:
        learning_rate: The rate.
        multiple: The rate as a multiple of the suggestion.
        accuracies: Validation accuracy at the end, of each seed; None where it diverged.
    """

    learning_rate: float
    multiple: float
    accuracies: tuple[float | None, ...]

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
        safe: Whether no seed diverged at the suggestion.
    """

    words: str
    safe: bool = True


def judge(trials: tuple[Trial, ...]) -> Verdict:
    """Returns what trials of the same seeds say of the rate whose multiple is one.

    Args:
        trials: The suggestion and its neighbours.
    """
    suggested = next(one for one in trials if one.multiple == 1)
    if suggested.diverged:
        count = f"{suggested.diverged} of {len(suggested.accuracies)} brief trainings"
        return Verdict(f"{count} at {suggested.learning_rate:.2g} diverged", safe=False)
    others = [one for one in trials if one is not suggested]
    return Verdict(_comparison(suggested, others) + _end_of_safety(others))


def _comparison(suggested: Trial, others: list[Trial]) -> str:
    gains = {one.multiple: np.subtract(one.finite, suggested.finite) for one in others if not one.diverged}
    if not gains:
        return "no other rate to compare it with"
    better = {multiple: each for multiple, each in gains.items() if each.mean() > WITHIN}
    if not better:
        return f"confirmed: no other of the rates is more than {100 * WITHIN:.0f} points better"
    in_every_seed = {multiple: each for multiple, each in better.items() if (each > 0).all()}
    multiple, each = max((in_every_seed or better).items(), key=lambda one: float(one[1].mean()))
    points, seeds = f"{100 * each.mean():+.1f} points on average", f"all {len(each)} seeds"
    if not in_every_seed:
        return f"not told apart: {multiple:g}x is better by {points}, but not in {seeds}"
    rate = multiple * suggested.learning_rate
    longer = "; longer trainings usually want less" if multiple > 1 else ""
    return f"{multiple:g}x did better in {seeds} ({points}): consider {rate:.2g}{longer}"


def _end_of_safety(others: list[Trial]) -> str:
    diverged = [one for one in others if one.diverged]
    return "".join(f"; {one.diverged} of {len(one.accuracies)} seeds diverged at {one.multiple:g}x" for one in diverged)

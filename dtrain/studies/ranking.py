"""Rank experiments, and say what may be said of the best of them beside each other one."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from dtrain.statistics.policy import Policy, Verdict
from dtrain.statistics.significance import mcnemar
from dtrain.statistics.verdicts import judge, with_models
from dtrain.studies.groups import Group


def ranked(groups: Sequence[Group]) -> list[Group]:
    """Returns the best by mean validation accuracy first; the mean of what is left where seeds diverged is no rank."""
    means = {group.name: fmean(run.result.validation.accuracy for run in group.runs) for group in groups}
    return sorted(groups, key=lambda group: (bool(group.diverged), -means[group.name]))


def verdicts(groups: Sequence[Group], worth: float | None) -> tuple[Verdict, ...]:
    """Compares the best with each other one, where a single seed cannot say anything model by model.

    Which one is the best is known only from the results, so that it has in effect been compared with all others, and
    they with each other: to correct for the comparisons with the best alone would be too little.

    Args:
        groups: The experiments, the best first.
        worth: The smallest difference that would matter; None where nobody says.
    """
    measured = {
        group.name: dict.fromkeys(group.diverged) | {run.result.seed: run.result.test.accuracy for run in group.runs}
        for group in groups
    }
    pairs = tuple((groups[0].name, other.name) for other in groups[1:])
    at_chance = frozenset(one.name for one in groups if all(run.result.test.at_chance for run in one.runs))
    found = judge(measured, Policy(pairs, "all pairs", worth=worth, at_chance=at_chance))
    return tuple(
        _on_models(one, groups[0], other) if one.single_seeds else one
        for one, other in zip(found, groups[1:], strict=True)
    )


def _on_models(verdict: Verdict, first: Group, second: Group) -> Verdict:
    runs = [{run.result.seed: run for run in group.runs} for group in (first, second)]
    common = sorted(runs[0].keys() & runs[1].keys())
    one, other = (group[common[0] if common else min(group)].right() for group in runs)
    return with_models(verdict, mcnemar(one, other))

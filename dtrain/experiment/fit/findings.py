"""Every rule, and where an experiment does not follow those of one severity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from typing import cast

from dtrain.experiment.draft import Draft
from dtrain.experiment.fit import data, descent, layers, normalizations, regularizers, selu, steps
from dtrain.experiment.fit.rule import Facts, Finding, Rule, Severity
from dtrain.ground.errors import ConfigError, Problem

MODULES = (data, layers, normalizations, regularizers, selu, steps, descent)
RULES = tuple(one for module in MODULES for one in vars(module).values() if isinstance(one, Rule))


def findings(severity: Severity, one: Draft, wrong: Set[str] = frozenset()) -> tuple[Finding, ...]:
    """Returns where an experiment does not follow the rules of one severity, by all that is known without its images.

    Args:
        severity: Which rules.
        one: The experiment.
        wrong: Sections that others stand in for, because they are wrong in themselves; nothing is found that follows
            from one of them.
    """
    facts = None if "dataset" in wrong else data.known_facts(one.dataset)
    return tuple(_found((rule for rule in RULES if rule.severity == severity), one, facts, wrong))


def check_data(one: Draft, facts: Facts) -> None:
    """Refuses an experiment that does not fit its images.

    Args:
        one: The experiment.
        facts: What the images are.

    Raises:
        ConfigError: Everything that does not fit.
    """
    if found := [*_found((rule for rule in RULES if rule.of_data), one, facts)]:
        raise ConfigError([Problem(each.message, each.place, each.hint) for each in found])


def _found(rules: Iterable[Rule], one: Draft, facts: Facts | None, wrong: Set[str] = frozenset()) -> Iterator[Finding]:
    for rule in rules:
        watched = _Watched(one)
        found = [replace(each, rule=rule.name) for each in rule.check(cast(Draft, watched), facts)]
        if wrong.isdisjoint(watched.read):
            yield from found


class _Watched:
    """An experiment that knows which of its sections were read: what a check finds can depend on no others."""

    def __init__(self, one: Draft) -> None:
        self._one, self.read = one, set[str]()

    def __getattr__(self, name: str) -> object:
        self.read.add(name)
        return getattr(self._one, name)

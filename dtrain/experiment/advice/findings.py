"""The lesson's rules as a linter: what an experiment may say, and is advised against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dtrain.experiment.advice import layers, selu, steps
from dtrain.experiment.advice.rule import NETWORK, Places, Rule
from dtrain.experiment.spec import Experiment
from dtrain.ground.printable import KeyPath, shown

RULES = tuple(one for module in (layers, selu, steps) for one in vars(module).values() if isinstance(one, Rule))


@dataclass(frozen=True)
class Finding:
    """Where an experiment does not follow a rule.

    Args:
        rule: The rule.
        places: The value to change, then what it does not go with.
        received: What stands at each place, in words.
    """

    rule: Rule
    places: Places
    received: tuple[str, ...]


def advise(experiment: Experiment) -> tuple[Finding, ...]:
    """Returns every rule that an experiment does not follow, in the order of `RULES`."""
    found = [(rule, rule.check(experiment)) for rule in RULES]
    return tuple(
        Finding(rule, places, tuple(_received(experiment, place) for place in places))
        for rule, places in found
        if places
    )


def _received(experiment: Experiment, place: KeyPath) -> str:
    if place == NETWORK:
        return f"{experiment.network.hidden_layers} hidden layers"
    value: Any = experiment
    for part in place:
        value = value[part] if isinstance(part, int) else getattr(value, part)
    return shown(list(value) if isinstance(value, tuple) else getattr(value, "kind", value))

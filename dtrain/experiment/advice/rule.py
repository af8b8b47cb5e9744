"""What a rule of the linter is: a reason, a fix, and a function that finds where it is not followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.activations import Selu
from dtrain.experiment.techniques.normalizations import NoNormalization
from dtrain.experiment.techniques.technique import Section
from dtrain.ground.printable import KeyPath

Places = tuple[KeyPath, ...]
"""The value to change, then what it does not go with; no places where the rule is followed."""
FOLLOWED: Places = ()

ACTIVATION, INITIALIZER, NETWORK, NORMALIZATION = ("activation",), ("initializer",), ("network",), ("normalization",)
OPTIMIZER, SCHEDULE, BATCH_SIZE, EPOCHS = (
    ("optimizer",),
    ("schedule",),
    ("training", "batch_size"),
    ("training", "epochs"),
)
EARLY_STOPPING, PATIENCE = ("training", "early_stopping"), ("training", "early_stopping", "patience")


@dataclass(frozen=True)
class Rule:
    """One piece of the lesson's advice.

    Args:
        name: What to call it.
        reason: Why it matters.
        fix: What to do instead.
        about: The kinds that it is worth reading with.
        check: Finds the places of an experiment that do not follow it.
    """

    name: str
    reason: str
    fix: str
    about: tuple[type[Section], ...]
    check: Callable[[Experiment], Places]

    @classmethod
    def of(cls, reason: str, fix: str, *about: type[Section]) -> Callable[[Callable[[Experiment], Places]], Rule]:
        """Returns a decorator that makes a rule of its check, named like the function."""
        return lambda check: cls(check.__name__, reason, fix, about, check)


def self_normalises(one: Experiment) -> bool:
    """Whether nothing but SELU is to keep mean and deviation."""
    return isinstance(one.activation, Selu) and isinstance(one.normalization, NoNormalization)


def regularizer(one: Experiment, *kinds: type) -> Places:
    """Returns the place of the first regularizer of the given kinds; no place where there is none."""
    return tuple(("regularizer", index) for index, each in enumerate(one.regularizer) if isinstance(each, kinds))[:1]

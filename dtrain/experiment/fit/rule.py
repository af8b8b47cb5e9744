"""What a rule is: a check of how the parts of an experiment and its data fit together, and how severe its breach is."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from dtrain.experiment.draft import Draft
from dtrain.experiment.techniques.activations import Selu
from dtrain.experiment.techniques.normalizations import NoNormalization
from dtrain.experiment.techniques.technique import Contradiction, Section
from dtrain.ground.printable import dotted, shown, undotted

Severity = Literal["error", "notice", "advice"]
"""What cannot be; what is otherwise than one might think; and what the lesson advises against."""
Places = tuple[str, ...]
"""The value to change, then what it does not go with; no places where the rule is followed."""
FOLLOWED: Places = ()


@dataclass(frozen=True)
class Facts:
    """What is known of the data.

    Args:
        images: Training images, or an upper bound of them.
        image_shape: Height, width and, for colour, channels.
        classes: Classes to tell apart.
    """

    images: int
    image_shape: tuple[int, ...]
    classes: int


@dataclass(frozen=True)
class Finding:
    """Where an experiment does not follow a rule.

    Args:
        place: The value to blame.
        message: What was received, and for an error what was expected.
        hint: The fix, in words or as it is typed.
        partners: Where the values are that it does not go with, and what they are in words.
        reason: Why it does not.
        rule: The name of the rule.
        repair: Overrides that are the fix, all of them together; none for an error or a notice.
    """

    place: str
    message: str
    hint: str = ""
    partners: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    rule: str = ""
    repair: tuple[str, ...] = ()

    @classmethod
    def of(cls, wrong: Contradiction, *section: str | int) -> Finding:
        """Returns what a section found wrong with itself, given what is around it."""
        return cls(dotted((*section, *wrong.path)), wrong.message, wrong.hint)


class Contradictions(ValueError):
    """Everything in which the parts of an experiment contradict each other."""

    def __init__(self, found: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(one.message for one in found))
        self.found = found


Check = Callable[[Draft], Iterable[Finding]]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        severity: What it is if an experiment does not follow it.
        name: What to call it.
        check: Finds where an experiment does not follow it, given what is known of the data.
        of_data: Whether it says something only of known data.
        about: The kinds that its text is worth reading with.
        text: Reason and fix of an advice.
    """

    severity: Severity
    name: str
    check: Callable[[Draft, Facts | None], Iterable[Finding]]
    of_data: bool = False
    about: tuple[type[Section], ...] = ()
    text: str = ""


def error(check: Check) -> Rule:
    """Makes a rule that no experiment may break, named like its check."""
    return Rule("error", check.__name__, lambda one, _: check(one))


def error_of_data(check: Callable[[Draft, Facts], Iterable[Finding]]) -> Rule:
    """Makes a rule that no experiment may break on known data, named like its check."""
    return Rule("error", check.__name__, lambda one, facts: check(one, facts) if facts else (), of_data=True)


def notice(check: Check) -> Rule:
    """Makes a rule of what a user should know, named like its check."""
    return Rule("notice", check.__name__, lambda one, _: check(one))


def advice(
    reason: str, repair: str | Callable[[Draft], str], *about: type[Section], fix: str = ""
) -> Callable[[Callable[[Draft], Places]], Rule]:
    """Returns a decorator that makes a piece of the lesson's advice of its check, named like the check.

    Args:
        reason: Why it matters.
        repair: The overrides that put it right, all of them together, as one types them; or what gives them.
        about: The kinds that it is worth reading with.
        fix: What `repair` does, in words, where it depends on the experiment.
    """
    does = fix if callable(repair) else f"set {repair}"

    def rule(check: Callable[[Draft], Places]) -> Rule:
        def find(one: Draft, _: Facts | None) -> Iterator[Finding]:
            if received := [(place, _received(one, place)) for place in check(one)]:
                (place, value), *partners = received
                typed = repair(one) if callable(repair) else repair
                hint, overrides = f"set {typed}", tuple(shlex.split(typed))
                yield Finding(place, f"got {value}", hint, tuple(partners), reason, repair=overrides)

        return Rule("advice", check.__name__, find, about=about, text=f"{reason}; {does}")

    return rule


def _received(one: Draft, place: str) -> str:
    if place == "network":
        return f"{one.network.hidden_layers} hidden layers"
    value: Any = one
    for part in undotted(place):
        value = value[part] if isinstance(part, int) else getattr(value, part)
    return shown(list(value) if isinstance(value, tuple) else getattr(value, "kind", value))


def self_normalises(one: Draft) -> bool:
    """Whether nothing but SELU is to keep mean and deviation."""
    return isinstance(one.activation, Selu) and isinstance(one.normalization, NoNormalization)


def regularizer(one: Draft, *kinds: type) -> Places:
    """Returns the place of the first regularizer of the given kinds; no place where there is none."""
    return tuple(f"regularizer.{index}" for index, each in enumerate(one.regularizer) if isinstance(each, kinds))[:1]


def is_plain_and_deep(one: Draft, depth: int) -> bool:
    """Whether neither normalization nor Fixup keeps signals and gradients of so many layers in bounds."""
    unaided = isinstance(one.normalization, NoNormalization) and not one.network.fixup
    return unaided and one.network.hidden_layers >= depth


def training_steps(one: Draft) -> float | None:
    """Returns about how many steps the training takes; None where only the images can tell."""
    known, left = one.dataset.known, one.dataset.left
    if known is None or left is None:
        return None
    kept = left * len(one.dataset.classes or range(known.classes)) / known.classes
    return min(kept, one.dataset.train_limit or kept) / one.training.batch_size * one.training.epochs

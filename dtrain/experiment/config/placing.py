"""Say in the words of the file what is written at a path, and where a rule is not followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from dtrain.experiment.config.overrides import long_form
from dtrain.experiment.config.yaml_reader import Document
from dtrain.experiment.fit.rule import Finding
from dtrain.ground.errors import Problem
from dtrain.ground.printable import KeyPath, dotted, undotted


@dataclass(frozen=True)
class Advice(Problem):
    """Something that is allowed and that the lesson advises against.

    Args:
        rule: The name of its rule.
        repair: The overrides that put it right, all of them together.
    """

    rule: str = ""
    repair: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{super().__str__()} [{self.rule}]"

    @property
    def warning(self) -> str:
        """The advice and its fix as one sentence."""
        return f"{self}; {self.hint}"


@dataclass(frozen=True)
class Written:
    """What the user wrote at a path.

    Args:
        value: The value.
        where: Its place, for a message.
        key_where: The place of its key.
        missing: Whether nothing is written there; the places are then those of the section around it.
        default: Whether nobody wrote it: it is missing, or an override of another field brought it along.
    """

    value: object
    where: str
    key_where: str
    missing: bool
    default: bool


def as_written(path: KeyPath, document: Document) -> Written:
    """Returns what the user wrote at a path, where short forms may leave out some of the path's steps.

    Args:
        path: The path in an experiment written without short forms.
        document: What the user wrote.
    """
    value: Any = document.value
    written: KeyPath = ()
    missing = default = False
    for position, part in enumerate(path):
        if _holds(value, part):
            value, written = value[part], (*written, part)
            default = default or written not in document.places
            continue
        value = long_form(path[:position], value) if position else value
        if _holds(value, part):
            value = cast(Any, value)[part]
        elif isinstance(value, dict):
            written, missing = (*written, *path[position:]), True
            break
    place = document.nearest(written)
    name = "" if written == place.named[: len(written)] else f" {dotted(written)}"
    return Written(value, place.value + name, place.key + name, missing, missing or default)


def _holds(value: object, part: str | int) -> bool:
    inside = range(len(value)) if isinstance(value, list) else value
    return isinstance(inside, dict | range) and part in inside


def placed(finding: Finding, document: Document) -> Problem:
    """Returns what does not fit together, at its place; says so where the value to blame is not one of the user's.

    Args:
        finding: Where a rule is not followed.
        document: What the user wrote.
    """
    message, written = finding.message, as_written(undotted(finding.place), document)
    if partners := [_partner(*one, document) for one in finding.partners]:
        message += f" with {' and '.join(partners)}"
    message += f"; {finding.reason}" if finding.reason else ""
    message = message.replace("got ", "got the default ", 1) if written.default else message
    return Problem(message, written.where, finding.hint)


def advised(finding: Finding, document: Document) -> Advice:
    """Returns a piece of advice with the places that it is about."""
    problem = placed(finding, document)
    return Advice(problem.message, problem.where, problem.hint, finding.rule, finding.repair)


def _partner(place: str, received: str, document: Document) -> str:
    written = as_written(undotted(place), document)
    if not written.default:
        return f"{received} ({written.where})"
    return f"{received} (the default)" if place == "network" else f"the default {place} {received}"

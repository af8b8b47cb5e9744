"""One user-error type per exit code; every message says where, what was received, what was expected and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dtrain.ground.printable import printable

LONGEST_COMPARED = 100


@dataclass(frozen=True)
class Problem:
    """One thing that a user can put right.

    Args:
        message: What was received and what was expected; in one line, unless it is `Lines`.
        where: The place, such as ``exp.yaml:14:9 schedule.kind`` or a path; empty where there is none.
        hint: What to do about it; empty where the message says it all.
    """

    message: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Returns place and message, whatever names of files and folders are in them."""
        return f"{printable(self.where)}: {printable(self.message)}" if self.where else printable(self.message)


class DtrainError(Exception):
    """A failure that is explained to the user in one line and ends the command with `exit_code`.

    Args:
        problems: A message, or every `Problem` found.
        where: The place, when a message was given.
        hint: The fix, when a message was given.
    """

    exit_code = 1
    name = "error"

    def __init__(self, problems: str | Sequence[Problem], *, where: str = "", hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (
            (Problem(problems, where, hint),) if isinstance(problems, str) else tuple(problems)
        )
        super().__init__("\n".join(map(str, self.problems)))


class UsageError(DtrainError):
    """The command line itself is wrong."""

    exit_code = 2
    name = "usage"


class ConfigError(DtrainError):
    """The experiment file or an override is wrong."""

    exit_code = 3
    name = "config"


class DataError(DtrainError):
    """The data set is missing, damaged or does not fit."""

    exit_code = 4
    name = "data"


class ModelFileError(DtrainError):
    """A model file is missing, damaged, unsafe or does not fit."""

    exit_code = 5
    name = "model_file"


class DivergedError(DtrainError):
    """Training produced a loss, gradient or weight that is not finite."""

    exit_code = 6
    name = "diverged"


class EnvironmentProblem(DtrainError):
    """The machine, its settings or its resources do not allow the command."""

    exit_code = 7
    name = "environment"


class RunConflictError(DtrainError):
    """The run folder exists, is in use or is not what it should be."""

    exit_code = 8
    name = "run_conflict"


class ResumeError(DtrainError):
    """The run cannot be continued."""

    exit_code = 9
    name = "resume"


class PartialFailure(DtrainError):
    """Some parts of the command succeeded and others failed."""

    exit_code = 10
    name = "partial"


class DtrainWarning(UserWarning):
    """What a user of the Python functions should know; the command line prints it."""


def did_you_mean(received: str, known: Iterable[str]) -> str:
    """Returns ``; did you mean 'x'?`` for the nearest known name, or an empty string."""
    near = nearest(received, known)
    return f"; did you mean {near!r}?" if near else ""


def nearest(received: str, known: Iterable[str]) -> str:
    """Returns the known name that was probably mistyped, or else is most like the received one, or an empty string."""
    names = list(known)
    return mistyped(received, names) or next(iter(difflib.get_close_matches(received, names, n=1)), "")


def mistyped(received: str, known: Iterable[str]) -> str:
    """Returns the known name that is the fewest slips of the keyboard away, or an empty string where that is many."""
    most = (len(received) + 2) // 4
    near = [name for name in known if abs(len(name) - len(received)) <= most < len(received)]
    slips = {name: _slips(received.lower(), name.lower()) for name in near if len(name) <= LONGEST_COMPARED}
    # of two letters a single other one makes another word
    slips = {name: count for name, count in slips.items() if len(received) > 2 or sorted(received) == sorted(name)}
    best = min(slips, key=lambda name: (slips[name], abs(len(name) - len(received))), default="")
    return best if best and slips[best] <= most else ""


def _slips(first: str, second: str) -> int:
    """Counts letters left out, added, changed or swapped with the next (Damerau 1964) between the two."""
    rows: list[list[int]] = [[*range(len(second) + 1)]]
    for i, letter in enumerate(first, 1):
        row = [i]
        for j, other in enumerate(second, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other)))
            if i > 1 and j > 1 and first[i - 2 : i] == second[j - 2 : j][::-1]:
                row[j] = min(row[j], rows[-2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]

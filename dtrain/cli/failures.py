"""How a command ends: whatever ended it becomes a message and an exit code."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
import warnings

import typer

from dtrain.ground.errors import DtrainError, EnvironmentProblem, UsageError, did_you_mean
from dtrain.ground.signals import Stopped


class _Interrupted(DtrainError):
    name = "interrupted"

    def __init__(self, exit_code: int) -> None:
        super().__init__("interrupted")
        self.exit_code = exit_code


def own_process() -> None:
    """Makes a process dtrain's own: what surroundings ask of other programs must neither end nor garnish a training.

    Pictures go into files, though notebooks name a backend that is not there for the programs they start; and what
    libraries warn their callers of is not for whoever typed a command.
    """
    os.environ["MPLBACKEND"] = "agg"
    os.environ["PYTHONWARNINGS"] = "ignore"
    warnings.simplefilter("ignore")


def open_missing_streams() -> None:
    """Gives a closed standard stream somewhere to go: whoever closed it does not want to read."""
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def explain(error: BaseException, *, as_json: bool) -> int:
    """Tells the user why a command ended and returns its exit code; only a bug shows a traceback.

    Args:
        error: What ended it; its notes are told too.
        as_json: Whether a program reads it.
    """
    from dtrain.display.console import publish_failure

    failure = _to_failure(error)
    publish_failure(failure, getattr(error, "__notes__", ()), as_json=as_json)
    return failure.exit_code


def _to_failure(error: BaseException) -> DtrainError:
    if isinstance(error, DtrainError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return _Interrupted(error.exit_code if isinstance(error, Stopped) else 128 + signal.SIGINT)
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "dtrain"
        return UsageError(_with_guess(error.format_message()), hint=f"see `{path} --help`")
    if isinstance(error, OSError):
        return EnvironmentProblem(error.strerror or str(error), where=str(error.filename or ""))
    return _device_problem(error) or _bug(error)


def _device_problem(error: BaseException) -> DtrainError | None:
    from dtrain.engine.shortage import device_problem

    return device_problem(error)


def _bug(error: BaseException) -> DtrainError:
    from dtrain.display.console import print_parts, stderr

    print_parts(stderr(), ["".join(traceback.format_exception(error)).rstrip()])
    return DtrainError(f"{type(error).__name__}: {error}", hint="this is a bug in dtrain: please report it")


def _with_guess(message: str) -> str:
    """Adds the nearest choice to Typer's complaint about a wrong one, which names them all; Pydantic's words go."""
    message = message.replace("Value error, ", "", 1)
    received, complains, choices = message.partition(" is not one of ")
    names = re.findall(r"'([^']*)'", choices)
    wrong = re.findall(r"'([^']*)'", received)
    return message.rstrip(".") + did_you_mean(wrong[-1], names) if complains and wrong else message

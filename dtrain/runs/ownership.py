"""Who trains into a run folder: its lock and status while a process owns it, and what became of it afterwards."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from filelock import Timeout

from dtrain.ground.errors import DivergedError, DtrainError, EnvironmentProblem, RunConflictError
from dtrain.ground.files import held_lock
from dtrain.runs.contents import State
from dtrain.runs.folder import RunFolder

LOCK_SECONDS = 1.0
"""How long an owner waits for the lock, which readers take for a moment to see whether anybody has it."""
HEARTBEAT_SECONDS = 2.0
"""Between two updates of the status file, so that a reader can tell a live run from a dead one."""
LONG_SILENCE = 600.0
"""Seconds without a heartbeat after which a run on another machine, which cannot be asked, is given up."""

STATES_IN_WORDS = {
    "created": "has only just begun",
    "running": "is still going on",
    "completed": "is completed",
    "interrupted": "was interrupted",
    "diverged": "diverged",
    "failed": "failed",
    "died": "died",
}
"""What to say of a run in each state."""
RESUMABLE = ("interrupted", "died", "failed")
"""States of a run that has not ended and is not going on."""


@dataclass(frozen=True)
class Status:
    """How a run is doing.

    Args:
        state: As in the run's status file, or ``died``: it says running, but its process is gone.
        pid: The process that trains or trained.
        host: The machine of that process.
        heartbeat: When it was last heard of, in UTC and ISO 8601.
        heartbeat_age: Seconds since then.
        reason: Why it failed or diverged; empty where it did not.
    """

    state: str
    pid: int
    host: str
    heartbeat: str
    heartbeat_age: float
    reason: str


@contextmanager
def owned(folder: RunFolder, **more: object) -> Iterator[None]:
    """Keeps other processes out of a run folder, and its status true whatever happens inside.

    Args:
        folder: The run folder.
        more: What else the status should say.

    Raises:
        RunConflictError: Another process owns it.
        EnvironmentProblem: The file system has no locks.
    """
    with locked(folder), true_status(folder, **more):
        yield


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keeps other processes out of a run folder, and leaves its status as it is.

    Args:
        folder: The run folder.

    Raises:
        RunConflictError: Another process owns it.
        EnvironmentProblem: The file system has no locks.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held_lock(folder.lock_path, LOCK_SECONDS))
        except Timeout:
            raise _in_use(folder, current_status(folder)) from None
        _refuse_distant_owner(folder)
        yield


@contextmanager
def true_status(folder: RunFolder, **more: object) -> Iterator[None]:
    """Keeps the status of a run folder true and its heartbeat young, whatever happens inside.

    Args:
        folder: The run folder, which is `locked`.
        more: What else the status should say.
    """
    folder.write_status("running", **more)
    try:
        with _heartbeat(folder, **more):
            yield
    except BaseException as error:
        # the folder may be gone or the disk full, which is then not the reason
        with suppress(DtrainError):
            folder.write_status(_state_after(error), **_reason(error), **more)
        raise
    folder.write_status("completed", **more)


@contextmanager
def _heartbeat(folder: RunFolder, **more: object) -> Iterator[None]:
    """Gives signs of life from a thread of its own: a compilation or a slow step takes long without a border."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            # what keeps a sign of life from the disk keeps the results from it too, and those complain
            with suppress(DtrainError):
                folder.write_status("running", **more)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _state_after(error: BaseException) -> State:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "diverged" if isinstance(error, DivergedError) else "failed"


def _reason(error: BaseException) -> dict[str, str]:
    if isinstance(error, KeyboardInterrupt):
        return {}
    said = str(error) if isinstance(error, DivergedError) else f"{type(error).__name__}: {error}"
    return {"reason": " ".join(said.split())}


def _refuse_distant_owner(folder: RunFolder) -> None:
    """Locks may not reach from machine to machine; a heartbeat in the status file does."""
    status = current_status(folder)
    distant = status.state in ("created", "running") and status.host != socket.gethostname()
    if distant and status.heartbeat_age < LONG_SILENCE:
        raise _in_use(folder, status)


def _in_use(folder: RunFolder, status: Status) -> RunConflictError:
    owner = f"process {status.pid} on {status.host}, last heard of {status.heartbeat_age:.0f} s ago"
    message = f"is in use by {owner}; expected a run that nobody trains"
    return RunConflictError(message, where=str(folder.path), hint="wait for it, or stop it first")


def current_status(folder: RunFolder) -> Status:
    """Returns how a run is doing, also where its process can no longer say so.

    Args:
        folder: The run.

    Raises:
        RunConflictError: Its status is missing or damaged.
    """
    found = _written_status(folder)
    if not _is_dead(folder, found):
        return found
    # its owner may have ended well since its status was read
    again = _written_status(folder)
    same = (again.state, again.pid) == (found.state, found.pid)
    return replace(again, state="died") if same else again


def _written_status(folder: RunFolder) -> Status:
    status = folder.read_status()
    try:
        age = (datetime.now(UTC) - datetime.fromisoformat(status["heartbeat"])).total_seconds()
        return Status(
            state=status["state"],
            pid=int(status["pid"]),
            host=str(status["host"]),
            heartbeat=status["heartbeat"],
            heartbeat_age=max(0.0, age),
            reason=str(status.get("reason", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        message = f"status is damaged: {type(error).__name__}: {error}"
        raise RunConflictError(message, where=str(folder.path)) from error


def _is_dead(folder: RunFolder, status: Status) -> bool:
    """Whether a run that says it is running has no process; of another machine only that machine can tell."""
    if status.state not in ("created", "running") or status.host != socket.gethostname():
        return False
    if _has_no_process(status.pid):
        return True
    # another process may have the number by now, but not the lock
    return status.state == "running" and folder.lock_path.exists() and not _is_locked(folder)


def _has_no_process(pid: int) -> bool:
    if pid < 1:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _is_locked(folder: RunFolder) -> bool:
    try:
        with held_lock(folder.lock_path, 0):
            return False
    except (Timeout, EnvironmentProblem):
        # where the lock cannot be tried, nothing is known
        return True

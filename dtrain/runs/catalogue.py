"""The folder of all runs: which names are free in it, and which run is meant."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dtrain.ground.errors import EnvironmentProblem, RunConflictError, UsageError, did_you_mean
from dtrain.ground.files import check_writable, writing
from dtrain.runs.folder import STATUS, TRANSFER, WITHOUT_MODEL, RunFolder, list_runs, make_folder, taken
from dtrain.runs.names import check_name, clean_stem

SHOWN_RUNS = 5


def check_run(runs_dir: Path, *, name: str | None) -> None:
    """Refuses what `create_run` would refuse, before anything that takes time is done; leaves nothing behind.

    Args:
        runs_dir: Folder of all run folders, which need not exist.
        name: The name wanted; None for an automatic one.

    Raises:
        UsageError: This cannot be a name.
        RunConflictError: The name is taken.
        EnvironmentProblem: The folder cannot be written to.
    """
    if name is not None:
        check_name(name)
        if os.path.lexists(runs_dir / name):
            raise taken(runs_dir / name)
    nearest = next(folder for folder in (runs_dir, *runs_dir.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        raise EnvironmentProblem("got a file; expected a folder of runs", where=str(nearest))
    check_writable(nearest)


def create_run(runs_dir: Path, *, name: str | None, stem: str) -> RunFolder:
    """Makes a new run folder, which no other process has, however many start at once.

    Args:
        runs_dir: The folder of all runs; made if it is missing.
        name: The name of the run; None takes the first free ``<stem>-<n>``.
        stem: What an automatic name begins with, such as the name of the experiment file.

    Raises:
        UsageError: The name cannot be that of a run.
        RunConflictError: The name is taken.
        EnvironmentProblem: The folder cannot be made.
    """
    if name is not None:
        check_name(name)
    try:
        with writing(runs_dir):
            os.makedirs(runs_dir, exist_ok=True)
            present = set(os.listdir(runs_dir))
    except FileExistsError:
        raise EnvironmentProblem("got a file; expected a folder of runs", where=str(runs_dir)) from None
    if name is not None:
        return make_folder(runs_dir / name)
    number = 1
    while True:
        free = f"{clean_stem(stem)}-{number}"
        if free not in present:
            with suppress(RunConflictError):
                return make_folder(runs_dir / free)
        number += 1


def find_run(runs_dir: Path, run: str | None) -> RunFolder:
    """Returns the run that a user means.

    Args:
        runs_dir: The folder of all runs.
        run: A name in `runs_dir` or the path of a run folder; None is the latest run.

    Raises:
        UsageError: There is no such run.
        RunConflictError: It is a symbolic link.
    """
    if run is not None:
        for path in (runs_dir / run, Path(run)):
            if os.path.isfile(path / STATUS) and not any(os.path.exists(path / one) for one in WITHOUT_MODEL):
                return RunFolder(path)
            if os.path.isfile(path / TRANSFER):
                raise _several_arms(path, run)
            if os.path.isfile(path / STATUS):
                found = next(one for one in WITHOUT_MODEL if os.path.exists(path / one))
                message = f"got {run!r}, which holds no model; expected a run"
                raise UsageError(message, where="run", hint=f"what was found is in {path / found}")
    names = [known.path.name for known in list_runs(runs_dir)]
    if not names:
        raise UsageError("got no runs; expected at least one", where=str(runs_dir), hint="make one: `dtrain run`")
    if run is None:
        return RunFolder(runs_dir / names[-1])
    newest = ", ".join(names[: -SHOWN_RUNS - 1 : -1])
    expected = f"expected the name or path of a run in {runs_dir}/, the latest of which are {newest}"
    raise UsageError(f"got {run!r}; {expected}{did_you_mean(run, names)}", where="run")


def _several_arms(path: Path, run: str) -> UsageError:
    arms = ", ".join(f"{run.rstrip('/')}/{arm.path.name}" for arm in list_runs(path))
    message = f"got {run!r}, a transfer experiment, which has several arms; expected a run"
    return UsageError(message, where="run", hint=f"name one of its arms: {arms}")

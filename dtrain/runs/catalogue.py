"""The folder of all runs: which names are free in it, and which run is meant."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dtrain.ground.errors import EnvironmentProblem, RunConflictError, UsageError, did_you_mean
from dtrain.ground.files import check_writable, writing
from dtrain.ground.printable import printable
from dtrain.runs.folder import RunFolder, list_runs, make_folder, taken
from dtrain.runs.names import check_name, clean_stem
from dtrain.runs.status import REPORTS, STATUS, TRAINED, Kind

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


def create_run(runs_dir: Path, *, name: str | None, stem: str, kind: Kind = "run", **more: object) -> RunFolder:
    """Makes a new run folder, which no other process has, however many start at once.

    Args:
        runs_dir: The folder of all runs; made if it is missing.
        name: The name of the run; None takes the first free ``<stem>-<n>``.
        stem: What an automatic name begins with, such as the name of the experiment file.
        kind: What the folder will hold.
        more: What else its status should say.

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
        return make_folder(runs_dir / name, kind, **more)
    number = 1
    while True:
        free = f"{clean_stem(stem)}-{number}"
        if free not in present:
            with suppress(RunConflictError):
                return make_folder(runs_dir / free, kind, **more)
        number += 1


def find_run(runs_dir: Path, run: str | None, kinds: tuple[str, ...] = TRAINED) -> RunFolder:
    """Returns the run that a user means.

    Args:
        runs_dir: The folder of all runs.
        run: A name in `runs_dir` or the path of a run folder; None is the latest run.
        kinds: What the folder may hold.

    Raises:
        UsageError: There is no such run, or it is of another kind.
        RunConflictError: It is a symbolic link.
    """
    if run is not None:
        for path in (runs_dir / run, Path(run)):
            if os.path.isfile(path / STATUS):
                folder = RunFolder(path)
                if folder.kind() not in kinds:
                    raise _of_another_kind(folder, run)
                return folder
    names = [known.path.name for known in list_runs(runs_dir, kinds)]
    if not names:
        raise UsageError("got no runs; expected at least one", where=str(runs_dir), hint="make one: `dtrain run`")
    if run is None:
        return RunFolder(runs_dir / names[-1])
    newest = ", ".join(names[: -SHOWN_RUNS - 1 : -1])
    expected = f"expected the name or path of a run in {runs_dir}/, the latest of which are {newest}"
    raise UsageError(f"got {run!r}; {expected}{did_you_mean(run, names)}", where="run")


def _of_another_kind(folder: RunFolder, run: str) -> UsageError:
    kind = folder.kind()
    if kind == "transfer":
        arms = ", ".join(f"{run.rstrip('/')}/{arm.path.name}" for arm in list_runs(folder.path))
        message = f"got {run!r}, a transfer experiment, which has several arms; expected a run"
        return UsageError(message, where="run", hint=f"name one of its arms: {arms}")
    report = folder.path / REPORTS.get(kind, STATUS)
    hint = f"what was found is in {report}" if report.exists() else f"it is of the kind {printable(kind)}"
    return UsageError(f"got {run!r}, which holds no model; expected a run", where="run", hint=hint)

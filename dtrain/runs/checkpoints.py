"""Exact state on disk: a checkpoint is there whole or not at all, and is checked before it is gone on from."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from dtrain.engine.state import EpochMetrics, TrainingState
from dtrain.experiment.techniques.schedules import Plateau
from dtrain.ground.errors import EnvironmentProblem, ResumeError, RunConflictError
from dtrain.ground.files import (
    DAMAGE,
    Array,
    read_arrays,
    read_json,
    reading,
    replace_folder,
    to_json,
    write_arrays,
    writing,
)

STATE, ARRAYS, MANIFEST = "state.json", "arrays.npz", "manifest.json"
CORRUPT = ".corrupt"
KEPT = 2
"""The last, and the one before it; the best weights so far are in each."""
VARIABLE, BEST, STEPS = "variable", "best", "steps"
"""What the names of arrays begin with."""


@dataclass(frozen=True)
class Circumstances:
    """What a training happens under, apart from its state.

    Args:
        config: The resolved experiment, as YAML text.
        replaced_config: The one before it, where the run was made longer; else empty.
        surroundings: Versions, device, processor and digest of the data: what equal bytes depend on.
        departures: Why running the experiment again may not repeat the run; empty where it does.
        seconds: Of training until then.
    """

    config: str
    surroundings: Mapping[str, str]
    replaced_config: str = ""
    departures: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A state that a training can go on from.

    Args:
        state: Everything that the next step depends on.
        variables: Path, shape and type of each variable.
        circumstances: What the training happened under.
    """

    state: TrainingState
    variables: tuple[str, ...]
    circumstances: Circumstances

    def check_fits(self, variables: tuple[str, ...]) -> None:
        """Refuses variables that are not those of the checkpoint, one by one.

        Args:
            variables: Path, shape and type of each variable of the model and optimizer that were built.

        Raises:
            ResumeError: They are other ones.
        """
        for number, (saved, built) in enumerate(zip_longest(self.variables, variables, fillvalue="nothing")):
            if saved != built:
                message = f"variable {number} of the checkpoint is {saved}; expected {built}"
                raise ResumeError(message, hint="run its config.yaml again instead: `dtrain run`")


@dataclass(frozen=True)
class Found:
    """What there is to go on from.

    Args:
        checkpoint: The last one that is sound; None where there is none.
        lost: The steps that each damaged one had that came after it; None where it does not even say that.
    """

    checkpoint: Checkpoint | None
    lost: tuple[int | None, ...]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint after those that are there, of which all but the last two go.

    Args:
        folder: The folder of all checkpoints of a run; made if it is missing, but not the run's own.
        checkpoint: What to write.

    Raises:
        EnvironmentProblem: It cannot be written; those that are there stay.
    """
    with writing(folder):
        folder.mkdir(exist_ok=True)
    earlier = _numbers(folder)
    arrays = _arrays(checkpoint.state)
    try:
        with replace_folder(_path(folder, max(earlier, default=0) + 1)) as path:
            write_arrays(path / ARRAYS, arrays)
            (path / STATE).write_bytes(to_json(_plain(checkpoint), indent=2))
            (path / MANIFEST).write_bytes(to_json({name: _digest(path / name) for name in (ARRAYS, STATE)}, indent=2))
    except EnvironmentProblem as error:
        needed = sum(values.nbytes for values in arrays.values())
        problem = error.problems[0]
        message = f"the state of training, {needed:,} bytes, {problem.message}"
        raise EnvironmentProblem(message, where=str(folder), hint=problem.hint) from error
    for number in earlier[: 1 - KEPT]:
        shutil.rmtree(_path(folder, number), ignore_errors=True)


def load_latest(folder: Path) -> Found:
    """Returns the last sound checkpoint; damaged ones that come after it are set aside under another name.

    Args:
        folder: The folder of all checkpoints of a run, which may be missing.
    """
    lost: list[int | None] = []
    for number in reversed(_numbers(folder)):
        path = _path(folder, number)
        try:
            return Found(_load(path), tuple(lost))
        except RunConflictError:
            lost.append(_step(path))
            _set_aside(path)
    return Found(None, tuple(lost))


def last_step(folder: Path) -> int | None:
    """Returns the number of steps that the last checkpoint says it has; None where there is none that says it."""
    steps = (_step(_path(folder, number)) for number in reversed(_numbers(folder)))
    return next((step for step in steps if step is not None), None)


def _load(path: Path) -> Checkpoint:
    manifest = read_json(path / MANIFEST)
    for name in (ARRAYS, STATE):
        if not (path / name).is_file() or manifest.get(name) != _digest(path / name):
            raise RunConflictError("is damaged", where=str(path / name))
    try:
        return _checkpoint(read_json(path / STATE), read_arrays(path / ARRAYS))
    except (TypeError, *DAMAGE) as error:
        raise RunConflictError(f"is damaged: {error}", where=str(path)) from error


def _numbers(folder: Path) -> list[int]:
    """Numbers of all checkpoints, rising; what is being written or was set aside has another name."""
    with suppress(OSError):
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())
    return []


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}"


def _step(path: Path) -> int | None:
    with suppress(RunConflictError, KeyError, TypeError, ValueError):
        return int(read_json(path / STATE)["step"])
    return None


def _set_aside(path: Path) -> None:
    aside = path.with_name(path.name + CORRUPT)
    shutil.rmtree(aside, ignore_errors=True)
    with writing(path):
        path.rename(aside)


def _digest(path: Path) -> str:
    with reading(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()


def _arrays(state: TrainingState) -> dict[str, Array]:
    numbered = {
        f"{kind}_{number:05d}": values
        for kind, group in ((VARIABLE, state.variables), (BEST, state.best_weights))
        for number, values in enumerate(group)
    }
    return numbered | {f"{STEPS}_{name}": values for name, values in state.steps.items()}


def _plain(checkpoint: Checkpoint) -> dict[str, Any]:
    state = checkpoint.state
    return {
        "step": state.step,
        "epochs": [asdict(one) for one in state.epochs],
        "best": _finite(state.best),
        "best_epoch": state.best_epoch,
        "plateau": asdict(state.plateau) | {"best": _finite(state.plateau.best)},
        "variables": list(checkpoint.variables),
        "circumstances": asdict(checkpoint.circumstances),
    }


def _checkpoint(plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> Checkpoint:
    plateau, circumstances = plain["plateau"], plain["circumstances"]
    state = TrainingState(
        variables=_group(arrays, VARIABLE),
        best_weights=_group(arrays, BEST),
        best=_infinite(plain["best"]),
        best_epoch=plain["best_epoch"],
        plateau=Plateau(**plateau | {"best": _infinite(plateau["best"])}),
        epochs=tuple(EpochMetrics(**one) for one in plain["epochs"]),
        steps={name.removeprefix(f"{STEPS}_"): arrays[name] for name in arrays if name.startswith(f"{STEPS}_")},
    )
    if state.step != plain["step"]:
        raise ValueError(f"got {state.step} steps; expected {plain['step']}")
    departures = tuple(circumstances["departures"])
    return Checkpoint(state, tuple(plain["variables"]), Circumstances(**circumstances | {"departures": departures}))


def _group(arrays: Mapping[str, Array], kind: str) -> list[Array]:
    names: Iterable[str] = sorted(name for name in arrays if name.startswith(f"{kind}_"))
    return [arrays[name] for name in names]


def _finite(value: float) -> float | None:
    """JSON has no infinity, which is the best value as long as nothing has been measured."""
    return None if value == float("inf") else value


def _infinite(value: float | None) -> float:
    return float("inf") if value is None else value

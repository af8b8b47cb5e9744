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

import numpy as np
from pydantic import TypeAdapter

from dtrain.engine.state import TrainingState
from dtrain.experiment.techniques.schedules import Plateau
from dtrain.ground.errors import EnvironmentProblem, ResumeError, RunConflictError
from dtrain.ground.files import replace_folder, to_json, write_arrays, writing
from dtrain.ground.printable import shown
from dtrain.ground.reading import Array, check_types, open_regular, read_arrays, read_json, reading
from dtrain.runs.contents import check_metrics

STATE, ARRAYS, MANIFEST = "state.json", "arrays.npz", "manifest.json"
CORRUPT = ".corrupt"
KEPT = 2
"""The last, and the one before it; the best weights so far are in each."""
LARGEST_STATE = 2**31
"""Bytes; a network of the most parameters has four numbers for each, its weights, two of the optimizer and the best."""
VARIABLE, BEST, STEPS, LAYERS = "variable", "best", "steps", "layers"
"""What the names of arrays begin with."""

OPTIMIZER = "optimizer/"
"""What the paths of variables that are not the model's begin with."""
_TYPES = {"step": int, "best": float | None, "best_epoch": int, "plateau": dict, "variables": list, "epochs": list}


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


_EPOCHS, _PLATEAU, _CIRCUMSTANCES, _NAMES, _NUMBERS = (
    TypeAdapter(tuple[dict[str, Any], ...]),
    TypeAdapter(Plateau),
    TypeAdapter(Circumstances),
    TypeAdapter(tuple[str, ...]),
    TypeAdapter(tuple[int, ...]),
)


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
        if manifest.get(name) != _digest(path / name):
            raise RunConflictError("is damaged", where=str(path / name))
    with reading(path):
        return _checkpoint(read_json(path / STATE), read_arrays(path / ARRAYS, LARGEST_STATE))


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
    with reading(path), open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arrays(state: TrainingState) -> dict[str, Array]:
    numbered = {
        f"{kind}_{number:05d}": values
        for kind, group in ((VARIABLE, state.variables), (BEST, state.best_weights))
        for number, values in enumerate(group)
    }
    named = {
        f"{kind}_{name}": one
        for kind, group in ((STEPS, state.steps), (LAYERS, state.layers))
        for name, one in group.items()
    }
    return numbered | named


def _plain(checkpoint: Checkpoint) -> dict[str, Any]:
    state = checkpoint.state
    return {
        "step": state.step,
        "epochs": list(state.epochs),
        "began": list(state.began),
        "best": _finite(state.best),
        "best_epoch": state.best_epoch,
        "plateau": asdict(state.plateau) | {"best": _finite(state.plateau.best)},
        "variables": list(checkpoint.variables),
        "circumstances": asdict(checkpoint.circumstances),
    }


def _checkpoint(plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> Checkpoint:
    """Returns what was written; a ValueError where what is there cannot be that, whatever its digest."""
    check_types(plain, _TYPES)
    plateau = dict(plain["plateau"])
    state = TrainingState(
        variables=_group(arrays, VARIABLE),
        best_weights=_group(arrays, BEST),
        best=_infinite(plain["best"]),
        best_epoch=plain["best_epoch"],
        plateau=_PLATEAU.validate_python(plateau | {"best": _infinite(plateau["best"])}),
        epochs=_EPOCHS.validate_python(plain["epochs"]),
        # runs of one stage did not say where it began
        began=_NUMBERS.validate_python(plain.get("began", (0,))),
        steps=_named(arrays, STEPS),
        layers=_named(arrays, LAYERS),
    )
    circumstances = _CIRCUMSTANCES.validate_python(plain["circumstances"])
    checkpoint = Checkpoint(state, _NAMES.validate_python(plain["variables"]), circumstances)
    _check_whole(checkpoint, plain["step"])
    return checkpoint


def _check_whole(checkpoint: Checkpoint, step: int) -> None:
    """Compares what the parts of a checkpoint say of each other."""
    state = checkpoint.state
    check_metrics(state.epochs)
    numbers = [one["epoch"] for one in state.epochs]
    if numbers != list(range(1, len(numbers) + 1)) or not 0 <= state.best_epoch <= len(numbers):
        raise ValueError(f"got epochs {shown(numbers)}, the best {state.best_epoch}; expected 1, 2, ...")
    if state.began[:1] != (0,) or list(state.began) != sorted(state.began) or state.began[-1] > len(numbers):
        raise ValueError(f"got stages from epochs {shown(state.began)} on; expected 0, ...")
    if state.step != step or any(one.shape != (step,) or one.dtype.kind == "b" for one in state.steps.values()):
        raise ValueError(f"got measures of {state.step} steps; expected {step}")
    if len({one.shape[:1] for one in state.layers.values()}) > 1 or any(one.ndim > 2 for one in state.layers.values()):
        raise ValueError("got measures of layers that are not of the same steps")
    for said, array in zip_longest(checkpoint.variables, state.variables):
        if said is None or array is None or not said.endswith(f" {array.shape} {array.dtype}"):
            raise ValueError(f"got an array {array is not None and array.shape}; expected {said}")
    pairs = zip(checkpoint.variables, state.variables, strict=True)
    weights = [one for said, one in pairs if not said.startswith(OPTIMIZER)]
    if state.best_weights and [one.shape for one in state.best_weights] != [one.shape for one in weights]:
        raise ValueError(f"got {len(state.best_weights)} best weights; expected those of {len(weights)} variables")
    if not all(np.isfinite(one).all() for one in (*weights, *state.best_weights)):
        raise ValueError("got weights that are not finite")


def _named(arrays: Mapping[str, Array], kind: str) -> dict[str, Array]:
    return {name.removeprefix(f"{kind}_"): one for name, one in arrays.items() if name.startswith(f"{kind}_")}


def _group(arrays: Mapping[str, Array], kind: str) -> list[Array]:
    names: Iterable[str] = sorted(name for name in arrays if name.startswith(f"{kind}_"))
    return [arrays[name] for name in names]


def _finite(value: float) -> float | None:
    """JSON has no infinity, which is the best value as long as nothing has been measured."""
    return None if value == float("inf") else value


def _infinite(value: float | None) -> float:
    return float("inf") if value is None else value

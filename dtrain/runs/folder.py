"""The run folder: the files of a training and of its evaluation, and how they are written and read."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dtrain.ground.errors import ConfigError, RunConflictError
from dtrain.ground.files import append_line, to_json, write, write_arrays, writing
from dtrain.ground.reading import Array, parse, read_arrays, read_json, read_whole, reading
from dtrain.runs.contents import check_metrics, check_predictions
from dtrain.runs.status import STATUS, TRAINED, Folder, Kind

if TYPE_CHECKING:
    from dtrain.experiment.spec import Experiment

CONFIG, STUDY, SUMMARY, CURVES = "config.yaml", "study.yaml", "summary.json", "curves.png"
CONFUSION, MISTAKES, EVALUATION = "confusion.png", "mistakes.png", "evaluation.json"
METRICS, TIMING, STEPS, PREDICTIONS = "metrics.jsonl", "timing.jsonl", "steps.npz", "predictions.npz"
LAYERS = "layers.npz"
CHECKPOINTS, LOCK = "checkpoints", ".lock"

FIRST_FILES_APPEAR_WITHIN = 0.5
"""Seconds in which the owner of a new folder has written status and experiment, for another process that looks."""


@dataclass(frozen=True)
class RunFolder(Folder):
    """The folder of one run; reading what is missing or damaged raises a RunConflictError."""

    @property
    def curves_path(self) -> Path:
        """Where the learning curves are."""
        return self.path / CURVES

    @property
    def checkpoints_path(self) -> Path:
        """Where the states are that the run can go on from."""
        return RunFolder(self.path / CHECKPOINTS).path

    @property
    def lock_path(self) -> Path:
        """The file that is locked by whoever trains into the folder."""
        return self.path / LOCK

    def model_path(self, suffix: Literal["keras", "h5"]) -> Path:
        """Returns where the model is in the format of that suffix."""
        return self.path / f"model.{suffix}"

    def evaluation_folder(self, split: str) -> Path:
        """Returns where the evaluation of a split is, with its pictures."""
        return RunFolder(self.path / f"evaluation-{split}").path

    def write_evaluation(self, split: str, evaluation: Mapping[str, Any]) -> None:
        """Writes the evaluation of a split into its folder."""
        write(self.evaluation_folder(split) / EVALUATION, to_json(evaluation, indent=2))

    def write_study(self, text: str) -> None:
        """Writes what a study was asked apart from the experiment, as YAML text."""
        write(self.path / STUDY, text.encode())

    def read_study(self) -> str:
        """Returns what a study was asked apart from the experiment, as YAML text."""
        with reading(self.path / STUDY):
            return read_whole(self.path / STUDY).decode()

    def write_config(self, text: str) -> None:
        """Writes the resolved experiment, as YAML text."""
        write(self.path / CONFIG, text.encode())

    def wait_for_config(self) -> None:
        """Waits for a moment if the experiment is not there yet, because the run has only just been made."""
        _wait_for(self.path / CONFIG)

    def has_config(self) -> bool:
        """Returns whether the experiment is there."""
        return (self.path / CONFIG).exists()

    def read_config(self) -> str:
        """Returns the resolved experiment, as YAML text."""
        with reading(self.path / CONFIG):
            return read_whole(self.path / CONFIG).decode()

    def read_experiment(self) -> Experiment:
        """Returns the resolved experiment.

        Raises:
            RunConflictError: It is missing, or cannot be what dtrain wrote.
        """
        from dtrain.experiment.config.loading import parse_experiment

        try:
            return parse_experiment(self.read_config(), str(self.path / CONFIG))
        except ConfigError as error:
            first = error.problems[0]
            where = first.where or str(self.path / CONFIG)
            raise RunConflictError(first.message, where=where, hint=first.hint) from error

    def append_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Adds the measurements of one epoch; a ValueError if one is not finite."""
        append_line(self.path / METRICS, metrics)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Returns the measurements of every epoch that has ended: those of an `EpochMetrics`."""
        with reading(self.path / METRICS):
            lines = self._read_lines(self.path / METRICS)
            check_metrics(lines)
            return lines

    def append_timing(self, timing: Mapping[str, Any]) -> None:
        """Adds the durations of one epoch."""
        append_line(self.path / TIMING, timing)

    def read_durations(self) -> dict[int, float]:
        """Returns the seconds that each epoch took, by its number; of damaged lines nothing is known."""
        return {one["epoch"]: one["seconds"] for one in self._timing()}

    def keep_epochs(self, metrics: Sequence[Mapping[str, Any]]) -> None:
        """Puts the measurements of these epochs in the place of all; the durations of others go too."""
        timing: list[dict[str, Any]] = []
        # durations are no result: what is damaged of them is left out
        with suppress(RunConflictError):
            timing = [one for one in self._timing() if one["epoch"] <= len(metrics)]
        for path, lines in ((self.path / METRICS, metrics), (self.path / TIMING, timing)):
            write(path, b"".join(map(to_json, lines)))

    def write_steps(self, arrays: Mapping[str, Array]) -> None:
        """Writes what was measured at each step: an array [steps] for each measure."""
        write_arrays(self.path / STEPS, arrays)

    def read_steps(self) -> dict[str, Array]:
        """Returns what was measured at each step: an array [steps] for each measure."""
        return read_arrays(self.path / STEPS)

    def write_layers(self, arrays: Mapping[str, Array]) -> None:
        """Writes what was measured of each layer: arrays [measured steps, layers], and what they are of."""
        write_arrays(self.path / LAYERS, arrays)

    def read_layers(self) -> dict[str, Array]:
        """Returns what was measured of each layer: arrays [measured steps, layers], and what they are of."""
        return read_arrays(self.path / LAYERS)

    def write_predictions(self, probabilities: Array, labels: Array) -> None:
        """Writes the model's probabilities [images, classes] and the true labels [images] of the test images."""
        write_arrays(self.path / PREDICTIONS, {"probabilities": probabilities, "labels": labels})

    def read_predictions(self) -> tuple[Array, Array]:
        """Returns the model's probabilities [images, classes] and the true labels [images] of the test images."""
        with reading(self.path / PREDICTIONS):
            arrays = read_arrays(self.path / PREDICTIONS)
            probabilities, labels = arrays["probabilities"], arrays["labels"]
            check_predictions(probabilities, labels)
            return probabilities, labels

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes the results; a ValueError if one is not finite."""
        write(self.path / SUMMARY, to_json(summary, indent=2))

    def read_summary(self) -> dict[str, Any]:
        """Returns the results."""
        return read_json(self.path / SUMMARY)

    def seed_folder(self, seed: int) -> RunFolder:
        """Returns the folder of one seed, made where it is missing."""
        return self.arm_folder(f"seed-{seed}", "run")

    def arm_folder(self, name: str, kind: Kind = "seeds") -> RunFolder:
        """Returns a folder within, such as that of an arm with its seeds, made where it is missing."""
        path = self.path / name
        if not path.exists():
            return make_folder(path, kind)
        folder = RunFolder(path)
        # whoever made it may have been killed a moment later
        if not (path / STATUS).exists():
            folder.write_status("created", kind=kind)
        return folder

    def seed_folders(self) -> list[RunFolder]:
        """Returns the folders of all seeds, by seed."""
        found = [re.fullmatch(r"seed-(\d+)", folder.path.name) for folder in list_runs(self.path)]
        return [
            RunFolder(self.path / match[0]) for match in sorted(filter(None, found), key=lambda match: int(match[1]))
        ]

    def _timing(self) -> list[dict[str, Any]]:
        lines = self._read_lines(self.path / TIMING)
        return [one for one in lines if type(one.get("epoch")) is int and type(one.get("seconds")) in (int, float)]

    def _read_lines(self, path: Path) -> list[dict[str, Any]]:
        """Ignores a last line without an end, which a crash tore or which is being written."""
        if not path.exists() and self.read_status()["state"] != "completed":
            return []
        with reading(path):
            return [parse(line) for line in read_whole(path).split(b"\n")[:-1]]


def list_runs(runs_dir: Path, kinds: tuple[str, ...] = TRAINED) -> list[RunFolder]:
    """Returns every folder of these kinds in a folder, the latest last; links and what says no moment are left out."""
    begun = [path.parent for path in runs_dir.glob(f"*/{STATUS}")]
    folders = [RunFolder(path) for path in begun if not path.is_symlink()]
    moments = {one: one.created() for one in folders if one.kind() in kinds}
    return sorted(filter(moments.get, moments), key=lambda one: (moments[one], one.path.name))


def make_folder(path: Path, kind: Kind = "run", **more: object) -> RunFolder:
    """Makes a new run folder; `mkdir` decides between processes that want the same name.

    Args:
        path: Where.
        kind: What it will hold.
        more: What else its status should say.

    Raises:
        RunConflictError: The name is taken.
        EnvironmentProblem: The folder cannot be made.
    """
    try:
        with writing(path):
            os.mkdir(path)
    except FileExistsError:
        raise taken(path) from None
    try:
        RunFolder(path).write_status("created", kind=kind, **more)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return RunFolder(path)


def taken(path: Path) -> RunConflictError:
    """Returns the refusal of a name that is taken, which says by whom."""
    message = f"got a name that is taken{_owner(path)}; expected a new one"
    return RunConflictError(message, where=str(path), hint="choose another --name, or none")


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + FIRST_FILES_APPEAR_WITHIN
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def _owner(path: Path) -> str:
    _wait_for(path / STATUS)
    with suppress(RunConflictError):
        status = RunFolder(path).read_status()
        return f" by a run that is {status['state']}, process {status.get('pid')} on {status.get('host')}"
    return ""

"""`dtrain show`: what a run folder says, also while the run is still going on or after it died."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dtrain.ground.errors import RunConflictError
from dtrain.ground.result import Result
from dtrain.runs.catalogue import find_run
from dtrain.runs.checkpoints import last_step
from dtrain.runs.folder import METRICS, RunFolder
from dtrain.runs.ownership import Status, current_status
from dtrain.runs.results import RunResult, SeedsResult, planned_seeds, read_result, shared_seconds, summarise_seeds
from dtrain.runs.status import TRAINED
from dtrain.studies.transfer_report import TransferReport, read_report


@dataclass(frozen=True, repr=False)
class RunReport(Result, brief="folder seed status.state", tables="curves"):
    """One run folder.

    Args:
        folder: The folder.
        status: How the run is doing.
        seed: Its seed.
        epochs: Epochs planned.
        metrics: What was measured in each epoch that has ended.
        seconds: How long each of them took; None where that was not written any more.
        result: How it ended; None as long as it has not, or where it never will.
        pictures: The pictures in the folder.
        saved_step: Steps in the last state that the run can go on from; None where there is none.
    """

    folder: Path
    status: Status
    seed: int
    epochs: int
    metrics: tuple[dict[str, Any], ...]
    seconds: tuple[float | None, ...]
    result: RunResult | None
    pictures: tuple[Path, ...]
    saved_step: int | None

    @property
    def curves(self) -> tuple[dict[str, Any], ...]:
        """What was measured in each epoch that has ended."""
        return tuple({"seed": self.seed, **epoch} for epoch in self.metrics)


@dataclass(frozen=True, repr=False)
class SeedsReport(Result, brief="folder planned status.state", tables="curves"):
    """A folder of several seeds.

    Args:
        folder: The folder.
        status: How the whole of it is doing.
        planned: How many seeds will be trained; None where the run does not say.
        runs: A report for each seed begun.
        result: Means over the seeds that have ended; None as long as there are none.
    """

    folder: Path
    status: Status
    planned: int | None
    runs: tuple[RunReport, ...]
    result: SeedsResult | None


def show(runs_dir: Path, run: str | None = None) -> RunReport | SeedsReport | TransferReport:
    """Reads a run folder.

    Args:
        runs_dir: Folder of all run folders.
        run: Name or path of the run; None for the latest.

    Raises:
        UsageError: There is no such run.
        RunConflictError: A file of the run is missing or damaged, or it is a transfer experiment that has not ended.
    """
    folder = find_run(runs_dir, run, (*TRAINED, "transfer"))
    if folder.kind() == "transfer":
        return read_report(folder)
    return _seeds_report(folder) if folder.kind() == "seeds" else _run_report(folder)


def _run_report(folder: RunFolder) -> RunReport:
    status = current_status(folder)
    if status.state == "created":
        folder.wait_for_config()
    experiment = folder.read_experiment()
    epochs = experiment.transfer.epochs if experiment.transfer else experiment.training.epochs
    metrics = tuple(folder.read_metrics())
    if len(metrics) > epochs:
        message = f"holds {len(metrics):,} epochs; expected at most {epochs:,}, as config.yaml says"
        raise RunConflictError(message, where=str(folder.path / METRICS))
    seconds = folder.read_durations()
    return RunReport(
        folder=folder.path,
        status=status,
        seed=experiment.seed,
        epochs=epochs,
        metrics=metrics,
        seconds=tuple(seconds.get(one["epoch"]) for one in metrics),
        result=read_result(folder) if status.state == "completed" else None,
        # a name with a dot is still being written
        pictures=tuple(sorted(folder.path.rglob("[!.]*.png"))),
        saved_step=last_step(folder.checkpoints_path),
    )


def _seeds_report(folder: RunFolder) -> SeedsReport:
    runs = tuple(_run_report(seed) for seed in folder.seed_folders() if seed.created())
    results = tuple(run.result for run in runs if run.result)
    diverged = sum(run.status.state == "diverged" for run in runs)
    result = summarise_seeds(folder.path, results, diverged) if results else None
    result = result and replace(result, seconds=shared_seconds(folder))
    return SeedsReport(folder.path, current_status(folder), planned_seeds(folder), runs, result)

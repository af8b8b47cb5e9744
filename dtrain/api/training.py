"""The functions that train: run, resume, lr_find and transfer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dtrain.api.given import named, options_of, path_of, watched, written

if TYPE_CHECKING:
    from dtrain.api.given import Config, Progress, Run, Where
    from dtrain.runs.results import RunResult, SeedsResult
    from dtrain.studies.transfer_report import TransferReport
    from dtrain.workflows.lr_find import RateReport


def run(
    config: Config = None,
    overrides: Sequence[str] = (),
    *,
    seeds: int | None = None,
    runs_dir: Where = "runs",
    name: str | None = None,
    device: str = "auto",
    data_dir: Where | None = None,
    strict: bool = False,
    progress: Progress = False,
    **changes: object,
) -> RunResult | SeedsResult:
    """Trains an experiment into a new run folder, as `dtrain run` does.

    Args:
        config: What to train, as for `load`; so are `overrides` and `changes`.
        seeds: With how many seeds, from the experiment's own upwards; None trains it once, for a `RunResult`.
        runs_dir: Folder of all run folders.
        name: Name of the run folder; None takes one after the file, with a number.
        device: ``auto``, ``cpu`` or ``gpu:N``.
        data_dir: Folder to look for full data sets in first; None takes that of the variable DTRAIN_DATA_DIR.
        strict: Whether advice that is not followed is an error.
        progress: False only warns, by `DtrainWarning`; True shows what the command line shows, ``"warnings"`` what it
            does with ``--quiet``; a `RunObserver` is told.

    Raises:
        DtrainError: What is wrong, missing or diverged, and what to do about it.
    """
    with watched(progress, "checking the experiment", seeds or 1) as observer:
        from dtrain.experiment.config.loading import load_advised, stem_of
        from dtrain.workflows import run as workflow

        start, given = written(config, overrides, changes)
        experiment, advice = load_advised(start, given, strict=strict)
        options = options_of(runs_dir, device, data_dir, name, stem_of(start), advice)
        if seeds is None:
            return workflow.run(experiment, options, observer)
        return workflow.run_seeds(experiment, seeds, options, observer)


def resume(
    run: Run | None = None,
    *,
    epochs: int | None = None,
    schedule: Literal["hold", "replan"] | None = None,
    allow_drift: bool = False,
    runs_dir: Where = "runs",
    device: str = "auto",
    data_dir: Where | None = None,
    progress: Progress = False,
) -> RunResult | SeedsResult | TransferReport:
    """Goes on with a run, the latest if it is None, as `dtrain resume` does: its options are the keywords."""
    with watched(progress, "looking for the run") as observer:
        from dtrain.workflows.resume import ResumeRequest
        from dtrain.workflows.resume import resume as work

        request = ResumeRequest(named(run), epochs, schedule, allow_drift)
        return work(request, options_of(runs_dir, device, data_dir), observer)


def lr_find(
    config: Config = None,
    overrides: Sequence[str] = (),
    *,
    minimum: float = 1e-6,
    maximum: float | None = None,
    iterations: int | None = None,
    seeds: int = 3,
    write: Where | None = None,
    verify: bool = False,
    runs_dir: Where = "runs",
    name: str | None = None,
    device: str = "auto",
    data_dir: Where | None = None,
    progress: Progress = False,
    **changes: object,
) -> RateReport:
    """Suggests a learning rate for an experiment, as `dtrain lr-find` does: its options are the keywords."""
    with watched(progress, "checking the experiment") as observer:
        from dtrain.experiment.config.loading import load_experiment, stem_of
        from dtrain.rates.search_range import RateRange
        from dtrain.workflows.lr_find import lr_find as work

        search = RateRange(minimum, maximum, iterations, seeds)
        start, given = written(config, overrides, changes)
        options = options_of(runs_dir, device, data_dir, name, stem_of(start))
        return work(load_experiment(start, given), search, options, observer, write=path_of(write), verify=verify)


def transfer(
    base: Run,
    config: Config = None,
    overrides: Sequence[str] = (),
    *,
    seeds: int = 6,
    controls: bool = True,
    runs_dir: Where = "runs",
    name: str | None = None,
    device: str = "auto",
    data_dir: Where | None = None,
    progress: Progress = False,
    **changes: object,
) -> TransferReport:
    """Reuses layers of a base, a run or a model file, for another task, as `dtrain transfer` does.

    Its options are the keywords; those of the experiment's `transfer` section, such as ``reuse=2`` or ``hidden=[50]``,
    are among the changes.
    """
    with watched(progress, "checking the experiment") as observer:
        from dtrain.experiment.config.loading import stem_of
        from dtrain.experiment.transfer import Transfer
        from dtrain.studies.transfer_source import Request, load_task
        from dtrain.workflows.transfer import transfer as work

        changes = {f"transfer.{key}" if key in Transfer.model_fields else key: one for key, one in changes.items()}
        start, given = written(config, overrides, changes)
        options = options_of(runs_dir, device, data_dir, name, stem_of(start, "transfer"))
        experiment, warnings = load_task(start, given, options.data_dir)
        return work(experiment, Request(Path(named(base)), seeds, controls, warnings), options, observer)

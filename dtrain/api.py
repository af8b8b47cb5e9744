"""The commands as Python functions: plain keywords, quiet unless asked, and what was found is returned."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dtrain.ground.result import Result
from dtrain.trials.observer import RunObserver

if TYPE_CHECKING:
    from dtrain.experiment.config.loading import Source
    from dtrain.experiment.spec import Experiment
    from dtrain.runs.results import RunResult, SeedsResult
    from dtrain.studies.transfer_report import TransferReport
    from dtrain.trials.request import RunOptions
    from dtrain.workflows.compare import CompareReport
    from dtrain.workflows.evaluate import EvaluationReport
    from dtrain.workflows.lr_find import RateReport
    from dtrain.workflows.mc_predict import McReport
    from dtrain.workflows.show import RunReport, SeedsReport
    from dtrain.workflows.validate import ValidationReport

    Where = os.PathLike[str] | str
    Config = Source | Mapping[str, object] | os.PathLike[str]
    Run = Result | Where
    Progress = RunObserver | bool | Literal["warnings"]
    Split = Literal["test", "validation"]

DATA_DIR = "DTRAIN_DATA_DIR"


def load(config: Config = None, overrides: Sequence[str] = (), **changes: object) -> Experiment:
    """Returns an experiment, checked and with every default filled in.

    Args:
        config: The path of a file; YAML text, which has a line break or a colon and a space in it; a mapping; an
            experiment; or None for the default experiment.
        overrides: ``key.path=value`` as on the command line, put in the place of what it says.
        changes: The same as keywords with plain values, such as ``activation="selu"`` or ``training={"epochs": 5}``.

    Raises:
        ConfigError: Everything that is wrong with it, each with its place.
    """
    from dtrain.experiment.config.loading import load_experiment

    return load_experiment(*_written(config, overrides, changes))


def validate(
    config: Config = None, overrides: Sequence[str] = (), *, strict: bool = False, **changes: object
) -> ValidationReport:
    """Checks an experiment as `load` does, and says what the lesson advises against in it; if strict, by an error."""
    from dtrain.workflows.validate import validate as work

    return work(*_written(config, overrides, changes), strict=strict)


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
    with _watched(progress, "checking the experiment", seeds or 1) as observer:
        from dtrain.experiment.config.loading import load_advised, stem_of
        from dtrain.workflows import run as workflow

        start, given = _written(config, overrides, changes)
        experiment, advice = load_advised(start, given, strict=strict)
        options = _options(runs_dir, device, data_dir, name, stem_of(start), advice)
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
    with _watched(progress, "looking for the run") as observer:
        from dtrain.workflows.resume import ResumeRequest
        from dtrain.workflows.resume import resume as work

        request = ResumeRequest(_named(run), epochs, schedule, allow_drift)
        return work(request, _options(runs_dir, device, data_dir), observer)


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
    with _watched(progress, "checking the experiment") as observer:
        from dtrain.experiment.config.loading import load_experiment, stem_of
        from dtrain.rates.search_range import RateRange
        from dtrain.workflows.lr_find import lr_find as work

        search = RateRange(minimum, maximum, iterations, seeds)
        start, given = _written(config, overrides, changes)
        options = _options(runs_dir, device, data_dir, name, stem_of(start))
        return work(load_experiment(start, given), search, options, observer, write=_path(write), verify=verify)


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
    with _watched(progress, "checking the experiment") as observer:
        from dtrain.experiment.config.loading import stem_of
        from dtrain.experiment.transfer import Transfer
        from dtrain.studies.transfer_source import Request, load_task
        from dtrain.workflows.transfer import transfer as work

        changes = {f"transfer.{key}" if key in Transfer.model_fields else key: one for key, one in changes.items()}
        start, given = _written(config, overrides, changes)
        options = _options(runs_dir, device, data_dir, name, stem_of(start, "transfer"))
        experiment, warnings = load_task(start, given, options.data_dir)
        return work(experiment, Request(Path(_named(base)), seeds, controls, warnings), options, observer)


def mc_predict(
    target: Run | None = None,
    *,
    samples: int = 100,
    split: Split | None = None,
    images: Where | None = None,
    seed: int = 42,
    dataset: str | None = None,
    scaling: Literal["unit", "standardize", "none"] | None = None,
    index: int | None = None,
    save_model: bool = False,
    save_passes: bool = False,
    runs_dir: Where = "runs",
    name: str | None = None,
    device: str = "auto",
    data_dir: Where | None = None,
    progress: Progress = False,
) -> McReport:
    """Predicts many times with dropout on, with a run or a model file, as `dtrain mc-predict` does with its options."""
    with _watched(progress, "looking for the model") as observer:
        from dtrain.monte_carlo.source import Request
        from dtrain.workflows.mc_predict import mc_predict as work

        chosen = (_named(target), samples, split, _path(images), seed, dataset, scaling, index)
        request = Request(*chosen, save_model=save_model, save_passes=save_passes)
        return work(request, _options(runs_dir, device, data_dir, name), observer)


def evaluate(
    run: Run | None = None,
    *,
    split: Split = "test",
    runs_dir: Where = "runs",
    device: str = "auto",
    data_dir: Where | None = None,
    progress: Progress = False,
) -> EvaluationReport:
    """Says what the model of a run gets right and wrong, class by class, as `dtrain evaluate` does with its options."""
    with _watched(progress, "looking for the run") as observer:
        from dtrain.workflows.evaluate import evaluate as work

        return work(_named(run), split, _options(runs_dir, device, data_dir), observer)


def show(run: Run | None = None, *, runs_dir: Where = "runs") -> RunReport | SeedsReport | TransferReport:
    """Reads a run, the latest if it is None, also while it is still going on; or what `transfer` said."""
    from dtrain.workflows.show import show as work

    return work(Path(runs_dir), _named(run))


def compare(
    *runs: Run,
    csv: Where | None = None,
    plot: Where | None = None,
    worth: float | None = None,
    runs_dir: Where = "runs",
) -> CompareReport:
    """Compares experiments, named or as they were returned, as `dtrain compare` does; warns of what its report does."""
    from dtrain.workflows.compare import compare as work

    report = work(Path(runs_dir), [*map(_named, runs)], _path(csv), _path(plot), worth and worth / 100)
    for warning in report.warnings:
        RunObserver().on_warning(warning)
    return report


@contextmanager
def _watched(progress: Progress, phase: str, seeds: int = 1) -> Iterator[RunObserver]:
    """Yields whom to tell how it goes on; the first phase is told before anything slow is imported."""
    if isinstance(progress, RunObserver) or not progress:
        observer = progress or RunObserver()
        observer.on_phase(phase)
        yield observer
        return
    from dtrain.display.progress import progress as shown

    with shown(quiet=progress == "warnings", seeds=seeds) as told, _watched(told, phase) as observer:
        yield observer


def _written(config: Config, overrides: Sequence[str], changes: Mapping[str, object]) -> tuple[Source, list[str]]:
    """Returns what to start from, and every change to it as the command line has it."""
    from dtrain.experiment.config.overrides import as_overrides

    given = [*([overrides] if isinstance(overrides, str) else overrides), *as_overrides(changes)]
    if isinstance(config, Mapping):
        return None, [*as_overrides(config), *given]
    if isinstance(config, os.PathLike) or (isinstance(config, str) and "\n" not in config and ": " not in config):
        return Path(config), given
    return config, given


def _named(run: Any) -> Any:
    return run and os.fspath(getattr(run, "folder", run))


def _path(where: Where | None) -> Path | None:
    return Path(where) if where else None


def _options(
    runs_dir: Where, device: str, data_dir: Where | None, name: str | None = None, stem: str = "", advice: Any = ()
) -> RunOptions:
    from dtrain.trials.request import RunOptions

    return RunOptions(Path(runs_dir), name, stem, device, _path(data_dir or os.environ.get(DATA_DIR) or None), advice)


def _described(result: Result, form: Literal["text", "html"]) -> str:
    from dtrain.display.description import described

    return described(result, form)


Result.described = _described

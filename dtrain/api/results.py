"""The functions that look at what was trained: mc_predict, evaluate, show and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dtrain.api.given import expanded, named, options_of, path_of, watched
from dtrain.trials.observer import RunObserver

if TYPE_CHECKING:
    from dtrain.api.given import Progress, Run, Split, Where
    from dtrain.studies.transfer_report import TransferReport
    from dtrain.workflows.compare import CompareReport
    from dtrain.workflows.evaluate import EvaluationReport
    from dtrain.workflows.mc_predict import McReport
    from dtrain.workflows.show import RunReport, SeedsReport


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
    with watched(progress, "looking for the model") as observer:
        from dtrain.monte_carlo.source import Request
        from dtrain.workflows.mc_predict import mc_predict as work

        chosen = (named(target), samples, split, path_of(images), seed, dataset, scaling, index)
        request = Request(*chosen, save_model=save_model, save_passes=save_passes)
        return work(request, options_of(runs_dir, device, data_dir, name), observer)


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
    with watched(progress, "looking for the run") as observer:
        from dtrain.workflows.evaluate import evaluate as work

        return work(named(run), split, options_of(runs_dir, device, data_dir), observer)


def show(run: Run | None = None, *, runs_dir: Where = "runs") -> RunReport | SeedsReport | TransferReport:
    """Reads a run, the latest if it is None, also while it is still going on; or what `transfer` said."""
    from dtrain.workflows.show import show as work

    return work(expanded(runs_dir), named(run))


def compare(
    *runs: Run,
    csv: Where | None = None,
    plot: Where | None = None,
    worth: float | None = None,
    runs_dir: Where = "runs",
) -> CompareReport:
    """Compares experiments, named or as they were returned, as `dtrain compare` does; warns of what its report does."""
    from dtrain.workflows.compare import compare as work

    report = work(expanded(runs_dir), [*map(named, runs)], path_of(csv), path_of(plot), worth and worth / 100)
    for warning in report.warnings:
        RunObserver().on_warning(warning)
    return report

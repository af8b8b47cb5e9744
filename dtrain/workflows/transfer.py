"""`dtrain transfer`: reuse layers of a trained model for another task, and say whether that helped."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from dtrain.engine.shortage import shortage_explained
from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.files import to_json, write
from dtrain.runs.catalogue import check_run, create_run
from dtrain.runs.folder import TRANSFER, RunFolder
from dtrain.runs.ownership import true_status
from dtrain.studies.transfer_arms import Design, Results, train_arms
from dtrain.studies.transfer_report import ARMS, TransferReport, arm_report, contrasts, verdict_in_words
from dtrain.studies.transfer_source import Request, Source, find_source
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions

if TYPE_CHECKING:
    from dtrain.reuse.cutting import Cut

PICTURE = "transfer.png"


def transfer(experiment: Experiment, request: Request, options: RunOptions, observer: RunObserver) -> TransferReport:
    """Trains a new network on the lower layers of a base, and the controls, over seeds that are paired.

    A seed decides labelled images, first weights, orders and noise of all arms together.

    Args:
        experiment: The task; its optimizer's own rate is that of the control from scratch.
        request: Which base, how many seeds, and whether with controls.
        options: Where, and on what.
        observer: Shown how it goes on.

    Raises:
        DivergedError: Every seed of the reused layers diverged.
        DtrainError: Base, data, environment or folder do not allow it; nothing is written then.
    """
    check_run(options.runs_dir, name=options.name)
    source = find_source(experiment, request, options, observer)
    kept, design = _design(source, request)
    for text in source.warnings:
        observer.on_warning(text)
    folder = create_run(options.runs_dir, name=options.name, stem=options.stem)
    # from here on nobody takes the folder for a trained run
    write(folder.path / TRANSFER, to_json({"base": source.base.path.name, "verdict": "has not ended"}, indent=2))
    folder.write_config(dump_experiment(design.experiment))
    with true_status(folder), shortage_explained(source.experiment, source.data, source.backend.device):
        began = time.perf_counter()
        results = train_arms(design, folder, observer)
        report = _report(design, kept, folder, results, time.perf_counter() - began)
        observer.on_phase("drawing")
        _write(report)
    return report


def _design(source: Source, request: Request) -> tuple[Cut, Design]:
    """Cuts the base and decides the rest, before anything is written."""
    from dtrain.engine.epoch import choose_compiler
    from dtrain.reuse.cutting import cut
    from dtrain.reuse.grafting import Graft
    from dtrain.trials.arms import Arms

    experiment, data = source.experiment, source.data
    assert experiment.transfer
    kept = cut(source.base, experiment.transfer)
    graft = Graft(source.base, kept, experiment, data.image_shape, len(data.class_names))
    requested, device = experiment.training.engine, source.backend.device
    compiler = choose_compiler(requested, convolutional=graft.convolutional, device=device)
    training = experiment.training.model_copy(update={"engine": compiler})
    names = tuple(ARMS) if request.controls else ("transfer",)
    seeds = tuple(range(experiment.seed, experiment.seed + request.seeds))
    arms = Arms(experiment, graft, data, compiler)
    return kept, Design(source, arms, experiment.model_copy(update={"training": training}), names, seeds)


def _report(design: Design, kept: Cut, folder: RunFolder, results: Results, seconds: float) -> TransferReport:
    source, experiment = design.source, design.experiment
    accuracies = {name: {seed: one.test.accuracy for seed, one in runs.items()} for name, runs in results.items()}
    arms = tuple(arm_report(name, design.arms.stages(name), design.seeds, accuracies[name]) for name in design.names)
    found, some = contrasts(arms, design.seeds), next(iter(results["transfer"].values()))
    assert experiment.transfer
    return TransferReport(
        folder=folder.path,
        base=source.base.path.name,
        digest=source.base.digest,
        reused=kept.hidden,
        dropped=kept.dropped,
        hidden=experiment.transfer.hidden,
        scaling=experiment.dataset.scaling,
        scaling_origin=source.scaling_origin,
        dataset=experiment.dataset.name,
        class_names=source.data.class_names,
        labelled=some.train.images,
        test_images=some.test.images,
        seeds=design.seeds,
        arms=arms,
        contrasts=found,
        verdict=verdict_in_words(found, arms),
        diverged=sum(arm.diverged for arm in arms),
        seconds=round(seconds, 3),
        engine=experiment.training.engine,
        saved=experiment.training.save,
        saved_seed=some.seed,
    )


def _write(report: TransferReport) -> None:
    from dtrain.plots.transfer import plot_arms

    content = {name: value for name, value in asdict(report).items() if name != "folder"}
    write(report.folder / TRANSFER, to_json(content, indent=2))
    plot_arms(report.arms, report.seeds, report.folder / PICTURE, report.folder.name)

"""`dtrain transfer`: reuse layers of a trained model for another task, and say whether that helped."""

from __future__ import annotations

from dataclasses import asdict, replace

from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.files import remove_leftovers, to_json, write
from dtrain.runs.catalogue import check_run, create_run
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import owned, true_status
from dtrain.runs.status import TRANSFER
from dtrain.studies.transfer_arms import Design, Results, design_of, train_arms
from dtrain.studies.transfer_report import TransferReport, arm_report, contrasts, verdict_in_words
from dtrain.studies.transfer_source import Request, find_source, read_request
from dtrain.trials.observer import RunObserver, StudyObserver, drawn_if_possible
from dtrain.trials.request import RunOptions
from dtrain.trials.workshop import Workshop
from dtrain.workflows.run import can_be_resumed

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
    workshop = Workshop(options, StudyObserver(observer))
    design = design_of(find_source(experiment, request, workshop), request, workshop)
    for text in design.source.warnings:
        observer.on_warning(text)
    folder = create_run(options.runs_dir, name=options.name, stem=options.stem, kind="transfer")
    folder.write_study(request.text(design.source.base.digest))
    folder.write_config(dump_experiment(design.experiment))
    with can_be_resumed(folder, options), owned(folder):
        return _trained(design, folder, workshop, observer)


def go_on_with_transfer(
    experiment: Experiment, folder: RunFolder, options: RunOptions, observer: RunObserver, *, allow_drift: bool
) -> TransferReport:
    """Goes on with an experiment: what has ended is kept, what has not goes on from its last checkpoint.

    Args:
        experiment: The task, as the folder has it.
        folder: The folder, which is `locked`.
        options: Where, and on what.
        observer: Shown how it goes on.
        allow_drift: Whether to go on where versions, device or data are others than before.

    Raises:
        ModelFileError: The base is gone or damaged.
        ResumeError: It is another than it was.
        DtrainError: As `transfer` does.
    """
    request = read_request(folder)
    workshop = Workshop(replace(options, runs_dir=folder.path.parent), StudyObserver(observer))
    design = design_of(find_source(experiment, request, workshop), request, workshop)
    with can_be_resumed(folder, options), true_status(folder):
        remove_leftovers(folder.path)
        return _trained(design, folder, workshop, observer, allow_drift=allow_drift)


def _trained(
    design: Design, folder: RunFolder, workshop: Workshop, observer: RunObserver, *, allow_drift: bool = False
) -> TransferReport:
    report = _report(design, folder, train_arms(design, folder, workshop, observer, allow_drift=allow_drift))
    observer.on_phase("drawing")
    content = {name: value for name, value in asdict(report).items() if name != "folder"}
    write(report.folder / TRANSFER, to_json(content, indent=2))
    with drawn_if_possible(observer):
        _draw(report)
    return report


def _report(design: Design, folder: RunFolder, results: Results) -> TransferReport:
    source, experiment, kept = design.source, design.experiment, design.graft.cut
    tests = {name: {seed: one.test for seed, one in runs.items()} for name, runs in results.items()}
    arms = tuple(arm_report(name, design.stages(name), design.seeds, tests[name]) for name in design.names)
    found, some = contrasts(arms, design.seeds), next(iter(results["transfer"].values()))
    trained = [one for runs in results.values() for one in runs.values()]
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
        seconds=round(sum(sum(one.seconds.values()) for one in trained), 3),
        engine=experiment.training.engine,
        saved=experiment.training.save,
        saved_seed=some.seed,
    )


def _draw(report: TransferReport) -> None:
    from dtrain.plots.canvas import save
    from dtrain.plots.transfer import arms_figure

    save(arms_figure(report.arms, report.seeds, report.folder.name), report.folder / PICTURE)

"""`dtrain run`: train one experiment, with one seed or several, into a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DivergedError, EnvironmentProblem
from dtrain.runs.catalogue import check_run, create_run
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import owned
from dtrain.runs.results import RunResult, SeedsResult, summarise_seeds, without_folders
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions, check_seeds
from dtrain.trials.resuming import train_cell
from dtrain.trials.training import train
from dtrain.trials.trial import Trial, own_trial, prepare_trial
from dtrain.trials.workshop import Workshop


def run(experiment: Experiment, options: RunOptions, observer: RunObserver) -> RunResult:
    """Trains one experiment with its own seed.

    Args:
        experiment: What to train.
        options: Where, and on what.
        observer: Shown how the run goes on.

    Raises:
        DtrainError: Data, environment or run folder do not allow it, or training diverged; the folder says which.
    """
    check_run(options.runs_dir, name=options.name)
    workshop = Workshop(options, observer)
    trial = prepare_trial(experiment, workshop)
    folder = create_run(options.runs_dir, name=options.name, stem=options.stem)
    folder.write_config(dump_experiment(trial.experiment))
    with can_be_resumed(folder, options), owned(folder):
        return train(trial, workshop, folder)


def run_seeds(experiment: Experiment, seeds: int, options: RunOptions, observer: RunObserver) -> SeedsResult:
    """Trains one experiment with several seeds, from its own upwards, on one compiled epoch.

    A seed that diverges is part of the result: the others are trained all the same.

    Args:
        experiment: What to train.
        seeds: How many seeds.
        options: Where, and on what.
        observer: Shown how the run goes on.

    Raises:
        DivergedError: Every seed diverged.
        UsageError: There are not so many seeds.
        DtrainError: Data, environment or run folder do not allow it.
    """
    check_seeds(experiment.seed, seeds)
    check_run(options.runs_dir, name=options.name)
    workshop = Workshop(options, observer)
    first = prepare_trial(experiment, workshop)
    parent = create_run(options.runs_dir, name=options.name, stem=options.stem, kind="seeds", seeds=seeds)
    parent.write_config(dump_experiment(first.experiment))
    with can_be_resumed(parent, options), owned(parent, seeds=seeds):
        return train_seeds(first, seeds, workshop, parent)


def train_seeds(
    first: Trial, seeds: int, workshop: Workshop, parent: RunFolder, *, allow_drift: bool = False
) -> SeedsResult:
    """Trains one seed after the other, and writes their means and intervals into the folder of them all.

    Args:
        first: The trial of the first seed.
        seeds: How many seeds; those that have ended are not trained again.
        workshop: Where.
        parent: The folder that holds a run folder for each seed.
        allow_drift: Whether to go on where versions, device or data are others than before.

    Raises:
        DivergedError: Every seed diverged.
    """
    shared, runs, diverged = workshop.take_seconds(), list[RunResult](), list[DivergedError]()
    for seed in range(first.experiment.seed, first.experiment.seed + seeds):
        trial = own_trial(first.experiment.model_copy(update={"seed": seed}), first.whole)
        try:
            runs.append(train_cell(trial, workshop, parent.seed_folder(seed), allow_drift=allow_drift))
        except DivergedError as error:
            workshop.observer.on_warning(f"seed {seed} diverged: {error}")
            diverged.append(error)
    if not runs:
        message = f"all {seeds} seeds diverged; seed {first.experiment.seed}: {diverged[0]}"
        raise DivergedError(message, where=str(parent.path), hint=diverged[0].problems[0].hint)
    result = replace(summarise_seeds(parent.path, tuple(runs), len(diverged)), seconds=shared)
    parent.write_summary(without_folders(result))
    return result


@contextmanager
def can_be_resumed(folder: RunFolder, options: RunOptions) -> Iterator[None]:
    """Says how to go on where something outside of the training ends it.

    Args:
        folder: The folder of the run.
        options: What it was started with; data folder and device are needed again.
    """
    try:
        yield
    except (KeyboardInterrupt, EnvironmentProblem) as error:
        if folder.path.exists():
            command = ["dtrain", "resume", str(folder.path)]
            command += ["--data-dir", str(options.data_dir)] if options.data_dir else []
            command += ["--device", options.device] if options.device != RunOptions.device else []
            error.add_note(f"to go on from where it stopped: `{shlex.join(command)}`")
        raise

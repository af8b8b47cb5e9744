"""`dtrain run`: train one experiment, with one seed or several, into a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DivergedError, EnvironmentProblem
from dtrain.runs.catalogue import check_run, create_run
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import owned
from dtrain.runs.results import RunResult, SeedsResult, summarise_seeds, without_folders
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions, check_seeds
from dtrain.trials.workshop import Session


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
    session = Session(experiment, options, observer)
    folder = create_run(options.runs_dir, name=options.name, stem=options.stem)
    with can_be_resumed(folder, options):
        return train_new(session, experiment, folder)


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
    session = Session(experiment, options, observer)
    parent = create_run(options.runs_dir, name=options.name, stem=options.stem)
    parent.write_config(dump_experiment(session.resolved(experiment)))
    with can_be_resumed(parent, options), owned(parent, seeds=seeds):
        return train_seeds(
            parent,
            [experiment.model_copy(update={"seed": seed}) for seed in range(experiment.seed, experiment.seed + seeds)],
            lambda one: train_new(session, one, parent.seed_folder(one.seed)),
            observer,
        )


def train_seeds(
    parent: RunFolder,
    experiments: Sequence[Experiment],
    train: Callable[[Experiment], RunResult],
    observer: RunObserver,
) -> SeedsResult:
    """Trains one seed after the other, and writes their means and intervals into the folder of them all.

    Args:
        parent: The folder that holds a run folder for each seed.
        experiments: The same experiment with each seed.
        train: Trains one of them.
        observer: Told of seeds that diverge.

    Raises:
        DivergedError: Every seed diverged.
    """
    runs: list[RunResult] = []
    diverged: list[DivergedError] = []
    for one in experiments:
        try:
            runs.append(train(one))
        except DivergedError as error:
            observer.on_warning(f"seed {one.seed} diverged: {error}")
            diverged.append(error)
    if not runs:
        message = f"all {len(experiments)} seeds diverged; seed {experiments[0].seed}: {diverged[0]}"
        raise DivergedError(message, where=str(parent.path), hint=diverged[0].problems[0].hint)
    result = summarise_seeds(parent.path, tuple(runs), len(diverged))
    parent.write_summary(without_folders(result))
    return result


def train_new(session: Session, experiment: Experiment, folder: RunFolder) -> RunResult:
    """Trains from the first step on into a new run folder.

    Args:
        session: Data and compiled epoch.
        experiment: What to train.
        folder: The folder, which has nothing but a status.
    """
    folder.write_config(dump_experiment(session.resolved(experiment)))
    with owned(folder):
        return session.train(experiment, folder)


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

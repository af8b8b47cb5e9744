"""`dtrain run`: train one experiment, with one seed or several, into a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from dtrain.config import dump_experiment
from dtrain.errors import DivergedError, EnvironmentProblem
from dtrain.ownership import owned
from dtrain.run_folder import RunFolder
from dtrain.run_interface import RunObserver, RunOptions, RunResult, check_seeds
from dtrain.runs import check_run, create_run
from dtrain.session import Session
from dtrain.spec import Experiment
from dtrain.statistics import Interval, mean_interval


@dataclass(frozen=True)
class SeedsResult:
    """The same experiment trained with several seeds.

    Args:
        folder: The folder that holds a run folder for each seed.
        runs: One result for each seed that trained to the end.
        diverged: Seeds that diverged; the means are over the others.
        validation_accuracy: Mean over the seeds.
        validation_interval: Student's 95% interval of that mean.
        test_accuracy: Mean over the seeds.
        test_interval: Student's 95% interval of that mean.
    """

    folder: Path
    runs: tuple[RunResult, ...]
    diverged: int
    validation_accuracy: float
    validation_interval: Interval | None
    test_accuracy: float
    test_interval: Interval | None


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


def summarise_seeds(folder: Path, runs: tuple[RunResult, ...], diverged: int) -> SeedsResult:
    """Returns means and intervals over the seeds.

    Args:
        folder: The folder that holds a run folder for each seed.
        runs: The seeds that trained to the end, at least one.
        diverged: How many did not.
    """
    validation, validation_interval = mean_interval([one.validation.accuracy for one in runs])
    test, test_interval = mean_interval([one.test.accuracy for one in runs])
    return SeedsResult(folder, runs, diverged, validation, validation_interval, test, test_interval)


def without_folders(result: SeedsResult) -> dict[str, object]:
    """Returns the summary of several seeds as a file holds it: without paths, so that the folder can be moved."""
    summary = asdict(result)
    del summary["folder"]
    summary["runs"] = [{key: value for key, value in one.items() if key != "folder"} for one in summary["runs"]]
    return summary

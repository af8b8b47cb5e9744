"""Every arm with every seed, each trained into a run folder of its own, which `show` and `compare` can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.draft import EarlyStopping
from dtrain.experiment.spec import Experiment
from dtrain.experiment.transfer import Arm, Stage
from dtrain.ground.errors import DivergedError
from dtrain.ground.files import replace_file
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import true_status
from dtrain.runs.results import REUSE, Reuse, RunResult, summarise_seeds, without_folders
from dtrain.studies.transfer_report import ARMS
from dtrain.studies.transfer_source import Source
from dtrain.trials.observer import RunObserver
from dtrain.trials.workshop import split_result

if TYPE_CHECKING:
    from dtrain.engine.state import EpochMetrics
    from dtrain.trials.arms import Arms, ArmTraining

Results = dict[Arm, dict[int, RunResult]]


@dataclass(frozen=True)
class Design:
    """What is trained.

    Args:
        source: Base and task.
        arms: The compiled model of all arms.
        experiment: The task, with nothing left to choose.
        names: The arms to train, reused layers first.
        seeds: All seeds.
    """

    source: Source
    arms: Arms
    experiment: Experiment
    names: tuple[Arm, ...]
    seeds: tuple[int, ...]


def train_arms(design: Design, folder: RunFolder, observer: RunObserver) -> Results:
    """Trains every arm with every seed; one that diverges is left out.

    Args:
        design: What to train.
        folder: Where the arms get their folders.
        observer: Told of each seed and of what diverges.

    Raises:
        DivergedError: Every seed of the reused layers diverged.
    """
    results: Results = {name: {} for name in design.names}
    count = len(design.seeds) * len(design.names)
    with _arm_folders(design, folder) as folders:
        for number, seed in enumerate(design.seeds):
            trainings = f"{len(design.names)} training{'s' if len(design.names) > 1 else ''}"
            observer.on_phase(f"seed {seed}, {number + 1} of {len(design.seeds)}: {trainings}")
            if missing := design.arms.missing_classes(seed):
                observer.on_warning(f"seed {seed}: no labelled image shows {', '.join(missing)}")
            for place, name in enumerate(design.names):
                try:
                    results[name][seed] = _train(design, name, seed, folders[name].seed_folder(seed))
                except DivergedError as error:
                    observer.on_warning(f"{ARMS[name]}, seed {seed}, diverged: {error}")
                observer.on_progress(number * len(design.names) + place + 1, count)
        if not results["transfer"]:
            message = f"all {len(design.seeds)} seeds of the reused layers diverged"
            hint = "lower transfer.frozen_learning_rate and transfer.unfrozen_learning_rate tenfold"
            raise DivergedError(message, where=str(folder.path), hint=hint)
        for name, runs in results.items():
            if runs:
                seeds = summarise_seeds(folders[name].path, tuple(runs.values()), len(design.seeds) - len(runs))
                folders[name].write_summary(without_folders(seeds))
    return results


@contextmanager
def _arm_folders(design: Design, folder: RunFolder) -> Iterator[dict[Arm, RunFolder]]:
    with ExitStack() as statuses:
        folders = {name: folder.arm_folder(name) for name in design.names}
        for one in folders.values():
            one.write_config(dump_experiment(design.experiment))
            statuses.enter_context(true_status(one, seeds=len(design.seeds)))
        yield folders


def _train(design: Design, name: Arm, seed: int, folder: RunFolder) -> RunResult:
    folder.write_config(dump_experiment(design.experiment.model_copy(update={"seed": seed})))
    with true_status(folder):
        training = design.arms.train(name, seed, _Recorder(folder))
        test = training.evaluations["test"]
        folder.write_predictions(test.probabilities, test.labels)
        if name == "transfer":
            _save_first(design, training, RunFolder(folder.path.parent.parent))
        result = _result(design, seed, folder, training)
        summary = {key: value for key, value in asdict(result).items() if key != "folder"}
        more = {"dataset_digest": design.source.data.digest, "versions": design.source.backend.versions}
        # the arms' experiments are equal, so that nothing else in the folder tells them apart
        reuse = Reuse(arm=name, base=design.source.base.digest)
        folder.write_summary(summary | more | {REUSE: asdict(reuse)})
    return result


def _save_first(design: Design, training: ArmTraining, folder: RunFolder) -> None:
    """Saves the model of the first seed that trains to its end."""
    from dtrain.engine.model import stock_model

    paths = [folder.model_path(suffix) for suffix in design.experiment.training.save]
    if any(path.exists() for path in paths):
        return
    model = stock_model(design.arms.model_with(training.weights))
    for path in paths:
        with replace_file(path) as temporary:
            model.save(temporary)


def _result(design: Design, seed: int, folder: RunFolder, training: ArmTraining) -> RunResult:
    splits = {name: split_result(one) for name, one in training.evaluations.items()}
    return RunResult(
        folder=folder.path,
        seed=seed,
        best_epoch=training.best_epoch,
        epochs=len(training.epochs),
        parameters=design.arms.model.count_params(),
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        seconds={"train": round(training.seconds, 3)},
        engine=design.experiment.training.engine,
        stopped_early=training.stopped_early,
        saved=(),
        monitor=(design.experiment.training.early_stopping or EarlyStopping()).monitor,
    )


class _Recorder:
    """Writes each epoch into the folder of its arm and seed."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def on_epoch(self, stage: Stage, metrics: EpochMetrics, seconds: float) -> None:
        """Writes the epoch."""
        self._folder.append_metrics(asdict(metrics) | {"stage": stage.name})
        self._folder.append_timing({"epoch": metrics.epoch, "seconds": round(seconds, 4), "checkpoint_seconds": 0.0})

"""`dtrain transfer`: reuse layers of a trained model for another task, and say whether that helped."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dtrain.config import dump_experiment
from dtrain.device_problems import shortage_explained
from dtrain.errors import DivergedError
from dtrain.run_interface import RunObserver, RunOptions, RunResult
from dtrain.runs import TRANSFER, RunFolder, check_run, create_run
from dtrain.session import split_result, status_of
from dtrain.significance import Difference, Verdict, paired_difference, verdict_on
from dtrain.spec import Experiment
from dtrain.staging import Stage
from dtrain.statistics import Interval, mean_interval
from dtrain.storage import replace_file, to_json, write
from dtrain.workflows.run import summarise_seeds, without_folders
from dtrain.workflows.transfer_source import Request, Source, find_source

if TYPE_CHECKING:
    from dtrain.arms import Arm, Arms, ArmTraining
    from dtrain.surgery.cutting import Cut
    from dtrain.training import EpochMetrics

ARMS: dict[Arm, str] = {
    "transfer": "reused layers",
    "scratch": "the same network from scratch",
    "random": "random layers, the same stages",
}
"""Every arm, the controls behind the first, in words."""
PICTURE = "transfer.png"
IN_WORDS: dict[Verdict, str] = {
    "better": "helps",
    "worse": "hurts",
    "no evidence": "shows no evidence of helping or hurting",
}


@dataclass(frozen=True)
class ArmReport:
    """One arm over all seeds.

    Args:
        name: ``transfer``, or a control: ``scratch`` or ``random``.
        words: What it is.
        stages: What was trained, and how.
        accuracies: Test accuracy of each seed; None where it diverged.
        mean: Over the seeds that did not diverge; None where all did.
        interval: Student's 95% interval of the mean; None with fewer than two seeds.
    """

    name: str
    words: str
    stages: tuple[Stage, ...]
    accuracies: tuple[float | None, ...]
    mean: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Contrast:
    """Reused layers beside a control, seed by seed.

    Args:
        control: The control.
        difference: Reused minus control, in test accuracy.
        verdict: What that says of reuse.
    """

    control: str
    difference: Difference
    verdict: Verdict


@dataclass(frozen=True)
class TransferReport:
    """What an experiment with a base says.

    Args:
        folder: The folder with models, metrics, picture and this report.
        base: The name of the base.
        digest: SHA-256 of its bytes.
        reused: Its hidden layers that were kept.
        dropped: Its hidden layers that were not.
        hidden: Units of new hidden layers.
        scaling: How images were scaled.
        scaling_known: Whether the base said so.
        dataset: The name of the data set.
        class_names: What was told apart.
        labelled: Labelled images of each seed.
        test_images: Images that accuracy was measured on.
        seeds: All seeds.
        arms: Every arm, reused layers first.
        contrasts: Reused layers beside each control; empty where there are none, or fewer than two seeds.
        verdict: The same in words.
        diverged: Trainings that diverged.
        seconds: Duration of all trainings, compiling included.
        engine: ``graph`` or ``xla``.
        saved: Formats that the model of the first seed is saved in.
    """

    folder: Path
    base: str
    digest: str
    reused: tuple[str, ...]
    dropped: tuple[str, ...]
    hidden: tuple[int, ...]
    scaling: str
    scaling_known: bool
    dataset: str
    class_names: tuple[str, ...]
    labelled: int
    test_images: int
    seeds: tuple[int, ...]
    arms: tuple[ArmReport, ...]
    contrasts: tuple[Contrast, ...]
    verdict: str
    diverged: int
    seconds: float
    engine: str
    saved: tuple[str, ...]


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
    from dtrain.arms import Arms
    from dtrain.engine import choose_compiler
    from dtrain.surgery.cutting import cut
    from dtrain.surgery.grafting import Graft

    assert source.experiment.transfer
    kept = cut(source.base, source.experiment.transfer)
    shape, classes = source.data.image_shape, len(source.data.class_names)
    graft = Graft(source.base, kept, source.experiment, shape, classes)
    requested, device = source.experiment.training.engine, source.backend.device
    compiler = choose_compiler(requested, convolutional=graft.convolutional, device=device)
    arms = Arms(source.experiment, graft, source.data, compiler)
    folder = create_run(options.runs_dir, name=options.name, stem=options.stem)
    laboratory = _Laboratory(source, request, kept, arms, compiler, folder, observer)
    # from here on nobody takes the folder for a trained run
    write(folder.path / TRANSFER, to_json({"base": source.base.path.name, "verdict": "has not ended"}, indent=2))
    with status_of(folder), shortage_explained(source.experiment, source.data, device):
        report = laboratory.run()
        observer.on_phase("drawing")
        _write(report)
    return report


class _Laboratory:
    """Trains every arm with every seed into folders of their own."""

    def __init__(
        self,
        source: Source,
        request: Request,
        kept: Cut,
        arms: Arms,
        compiler: str,
        folder: RunFolder,
        observer: RunObserver,
    ) -> None:
        self._source, self._kept, self._arms, self._folder = source, kept, arms, folder
        self._compiler, self._observer = compiler, observer
        training = source.experiment.training.model_copy(update={"engine": compiler})
        self._experiment = source.experiment.model_copy(update={"training": training})
        first = source.experiment.seed
        self._seeds = tuple(range(first, first + request.seeds))
        self._names = tuple(ARMS) if request.controls else tuple(ARMS)[:1]
        self._results: dict[Arm, dict[int, RunResult]] = {name: {} for name in self._names}

    def run(self) -> TransferReport:
        """Trains everything and returns the report."""
        began, count = time.perf_counter(), len(self._seeds) * len(self._names)
        self._folder.write_config(dump_experiment(self._experiment))
        with ExitStack() as statuses:
            folders = {name: self._folder.arm_folder(name) for name in self._names}
            for folder in folders.values():
                folder.write_config(dump_experiment(self._experiment))
                statuses.enter_context(status_of(folder, seeds=len(self._seeds)))
            for number, seed in enumerate(self._seeds):
                self._observer.on_phase(f"seed {seed}: {', '.join(ARMS[name] for name in self._names)}")
                for place, name in enumerate(self._names):
                    with suppress(DivergedError):
                        self._train(name, seed, folders[name].seed_folder(seed))
                    self._observer.on_progress(number * len(self._names) + place + 1, count)
                self._folder.write_status("running")
            if not self._results["transfer"]:
                raise DivergedError(
                    f"all {len(self._seeds)} seeds of the reused layers diverged",
                    where=str(self._folder.path),
                    hint="lower transfer.frozen_learning_rate and transfer.unfrozen_learning_rate tenfold",
                )
            self._summarise(folders)
        return self._report(time.perf_counter() - began)

    def _train(self, name: Arm, seed: int, folder: RunFolder) -> None:
        folder.write_config(dump_experiment(self._experiment.model_copy(update={"seed": seed})))
        with status_of(folder):
            try:
                training = self._arms.train(name, seed, _Recorder(folder))
            except DivergedError as error:
                self._observer.on_warning(f"{ARMS[name]}, seed {seed}, diverged: {error}")
                raise
            if name == "transfer" and not self._results[name]:
                self._save(training)
            test = training.evaluations["test"]
            folder.write_predictions(test.probabilities, test.labels)
            result = self._result(seed, folder, training)
            versions = {"dataset_digest": self._source.data.digest, "versions": self._source.backend.versions}
            summary = {key: value for key, value in asdict(result).items() if key != "folder"}
            folder.write_summary(summary | versions)
        self._results[name][seed] = result

    def _save(self, training: ArmTraining) -> None:
        from dtrain.model import stock_model

        model = stock_model(self._arms.model_with(training.weights))
        for suffix in self._experiment.training.save:
            with replace_file(self._folder.model_path(suffix)) as path:
                model.save(path)

    def _result(self, seed: int, folder: RunFolder, training: ArmTraining) -> RunResult:
        best = min(training.epochs, key=lambda one: one.val_loss)
        return RunResult(
            folder=folder.path,
            seed=seed,
            best_epoch=best.epoch,
            epochs=len(training.epochs),
            parameters=self._arms.model.count_params(),
            **{split: split_result(one) for split, one in training.evaluations.items()},
            seconds={"train": round(training.seconds, 3)},
            engine=self._compiler,
            stopped_early=False,
            saved=(),
        )

    def _summarise(self, folders: dict[Arm, RunFolder]) -> None:
        """Each arm is as a run of several seeds is, so that `show` and `compare` can read it."""
        for name, results in self._results.items():
            if results:
                runs, folder = tuple(results.values()), folders[name]
                folder.write_summary(
                    without_folders(summarise_seeds(folder.path, runs, len(self._seeds) - len(runs)))
                )

    def _report(self, seconds: float) -> TransferReport:
        source, experiment = self._source, self._experiment
        contrasts = self._contrasts()
        some = next(iter(self._results["transfer"].values()))
        assert experiment.transfer
        return TransferReport(
            folder=self._folder.path,
            base=source.base.path.name,
            digest=source.base.digest,
            reused=self._kept.hidden,
            dropped=self._kept.dropped,
            hidden=experiment.transfer.hidden,
            scaling=experiment.dataset.scaling,
            scaling_known=source.base.scaling is not None,
            dataset=experiment.dataset.name,
            class_names=source.data.class_names,
            labelled=some.train.images,
            test_images=some.test.images,
            seeds=self._seeds,
            arms=tuple(self._arm(name) for name in self._names),
            contrasts=contrasts,
            verdict=verdict_in_words(contrasts, len(self._seeds)),
            diverged=sum(len(self._seeds) - len(results) for results in self._results.values()),
            seconds=round(seconds, 3),
            engine=self._compiler,
            saved=experiment.training.save,
        )

    def _arm(self, name: Arm) -> ArmReport:
        results = self._results[name]
        accuracies = tuple(results[seed].test.accuracy if seed in results else None for seed in self._seeds)
        measured = [one for one in accuracies if one is not None]
        mean, interval = mean_interval(measured) if measured else (None, None)
        return ArmReport(name, ARMS[name], self._arms.stages(name), accuracies, mean, interval)

    def _contrasts(self) -> tuple[Contrast, ...]:
        found, reused = [], self._results["transfer"]
        for name in self._names[1:]:
            control = self._results[name]
            seeds = [seed for seed in self._seeds if seed in reused and seed in control]
            if len(seeds) > 1:
                pairs = [[one[seed].test.accuracy for seed in seeds] for one in (reused, control)]
                difference = paired_difference(*pairs)
                found.append(Contrast(name, difference, verdict_on(difference.mean, difference.probability)))
        return tuple(found)


class _Recorder:
    """Writes each epoch into the folder of its arm and seed."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def on_epoch(self, stage: Stage, metrics: EpochMetrics, seconds: float) -> None:
        """Writes the epoch."""
        self._folder.append_metrics(asdict(metrics) | {"stage": stage.name})
        self._folder.append_timing({"epoch": metrics.epoch, "seconds": round(seconds, 4), "checkpoint_seconds": 0.0})


def verdict_in_words(contrasts: tuple[Contrast, ...], seeds: int) -> str:
    """Returns what the probabilities say of reuse.

    Args:
        contrasts: Reused layers beside each control.
        seeds: How many seeds there were.
    """
    if not contrasts:
        return "without controls nobody knows what reuse did" if seeds > 1 else "one seed cannot say what reuse did"
    said = [
        f"beside {dict(ARMS)[one.control]}, reuse {IN_WORDS[one.verdict]} "
        f"({100 * one.difference.mean:+.2f} points, p = {one.difference.probability:.2g})"
        for one in contrasts
    ]
    return "; ".join(said)


def _write(report: TransferReport) -> None:
    from dtrain.plots.transfer import plot_arms

    content = {name: value for name, value in asdict(report).items() if name != "folder"}
    write(report.folder / TRANSFER, to_json(content, indent=2))
    plot_arms(report.arms, report.seeds, report.folder / PICTURE, report.folder.name)

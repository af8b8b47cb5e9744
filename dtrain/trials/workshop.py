"""A session: one data set and one compiled epoch, trained with any number of seeds, each into a run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dtrain.data.prepare import Data, prepare
from dtrain.data.sources import load_images
from dtrain.engine import backend
from dtrain.engine.shortage import shortage_explained
from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.dataset import is_path
from dtrain.experiment.draft import EarlyStopping
from dtrain.experiment.fit.findings import check_data
from dtrain.experiment.fit.rule import Facts
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.networks import ConvNetwork
from dtrain.ground.errors import ConfigError, EnvironmentProblem
from dtrain.ground.files import replace_file
from dtrain.ground.signals import signals_wait
from dtrain.reuse.recorded import WEIGHTS, weights_digest
from dtrain.runs.checkpoints import Checkpoint, Circumstances
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import RunResult, SplitResult
from dtrain.statistics.intervals import wilson_interval
from dtrain.trials.observer import RunObserver
from dtrain.trials.recording import Recorder
from dtrain.trials.request import RunOptions

if TYPE_CHECKING:
    from dtrain.engine.epoch import Compiler, Engine, FloatArray
    from dtrain.engine.evaluation import Evaluation, Evaluator
    from dtrain.engine.state import EpochMetrics, History, TrainingState
    from dtrain.engine.training import Observer, Trainer

DEEP_ENOUGH_TO_WAIT = 10
"""Hidden layers from which compiling takes so long that a user should be told."""


class Session:
    """One experiment on one device and data set; the epoch is compiled once and reused over seeds.

    Args:
        experiment: What to train, apart from its seed.
        options: Device and data folder.
        observer: Shown how the run goes on.

    Raises:
        DtrainError: Data or environment do not allow the experiment; nothing has been written then.
    """

    def __init__(self, experiment: Experiment, options: RunOptions, observer: RunObserver) -> None:
        backend.check_device(options.device)
        self._observer, self._advice = observer, options.advice
        self._seconds: dict[str, float] = {}
        with self._phase("data", f"reading {experiment.dataset.name}"):
            images = load_images(experiment.dataset.name, options.data_dir, observer.on_download)
            self.data: Data = prepare(experiment.dataset, images)
        self.classes = len(self.data.class_names)
        self._check_fit(experiment)
        with self._phase("start", "starting TensorFlow"):
            self.backend = backend.start(options.device)
        self.compiler = self._choose_compiler(experiment)
        self._engine: Engine | None = None
        self._evaluator: Evaluator | None = None
        for text in (*(one.warning for one in options.advice), *experiment.notices(), *self.data.warnings):
            observer.on_warning(text)

    def resolved(self, experiment: Experiment) -> Experiment:
        """Returns the experiment with nothing left to choose, so that running it anywhere again repeats the run."""
        training = experiment.training.model_copy(update={"engine": self.compiler})
        dataset = experiment.dataset
        if is_path(dataset.name):
            dataset = dataset.model_copy(update={"name": str(Path(dataset.name).expanduser().absolute())})
        return experiment.model_copy(update={"training": training, "dataset": dataset})

    def train(self, experiment: Experiment, folder: RunFolder, start: Checkpoint | None = None) -> RunResult:
        """Trains with the experiment's seed into a run folder, which this process owns.

        Args:
            experiment: What to train.
            folder: The run folder: a new one, or the one of `start`.
            start: The state to go on from; None begins with the first step.

        Raises:
            DivergedError: A loss, gradient or weight is not finite.
            ResumeError: The state is of other variables.
        """
        with shortage_explained(experiment, self.data, self.backend.device):
            with self._phase("build", self._compiling(experiment)):
                engine, evaluator = self._compiled(experiment)
            circumstances = start.circumstances if start else self.circumstances(experiment)
            with self._phase("train"), signals_wait() as request:
                recorder = Recorder(folder, self._observer, engine.variable_descriptions, circumstances, request)
                trainer = self._trainer(experiment, engine, evaluator, recorder)
                self._observer.on_training(folder.path, experiment.seed, trainer.epochs, trainer.total_steps)
                if start:
                    self._go_on(trainer, engine, start, folder)
                history = self._train_recorded(trainer, folder)
            self._seconds["train"] = round(self._seconds["train"] + circumstances.seconds, 3)
            with self._phase("evaluate"):
                evaluations = self._evaluate(evaluator)
            with self._phase("save", "saving"):
                digest = self._save(experiment, folder, evaluations["test"])
            self._warn_of_failure(evaluations["train"], evaluations["validation"])
            found = self._result(experiment, folder, history, evaluations)
            result = replace(found, departures=circumstances.departures)
            self._write_summary(folder, result, digest)
        return result

    def circumstances(self, experiment: Experiment) -> Circumstances:
        """Returns what a training of this experiment happens under when it begins here and now."""
        surroundings = self.backend.surroundings | {"data": self.data.digest}
        return Circumstances(dump_experiment(self.resolved(experiment)), surroundings)

    def range_test(self, experiment: Experiment, rates: FloatArray) -> FloatArray:
        """Trains from the first weights of the experiment's seed with these rates, one a step, and writes nothing.

        Args:
            experiment: What to train; its schedule and its number of epochs do not count.
            rates: The learning rate of each step [steps].

        Returns:
            The loss of each batch, up to a divergence [steps or fewer].
        """
        from dtrain.rates.sweep import record_losses

        with self._phase("build", self._compiling(experiment)):
            engine, _ = self._compiled(experiment)
        momentum = experiment.optimizer.cycled_momentum
        return record_losses(engine, experiment.seed, rates, momentum, self._observer.on_progress)

    def trial(self, experiment: Experiment) -> float:
        """Trains with the experiment's seed, writes nothing, and returns the validation accuracy at the end.

        Raises:
            DivergedError: A loss, gradient or weight is not finite.
        """
        engine, evaluator = self._compiled(experiment)
        self._trainer(experiment, engine, evaluator, _Unobserved()).train()
        return evaluator.evaluate(self.data.validation).accuracy

    @contextmanager
    def _phase(self, name: str, text: str = "") -> Iterator[None]:
        if text:
            self._observer.on_phase(text)
        began = time.perf_counter()
        yield
        self._seconds[name] = round(time.perf_counter() - began, 3)

    def _check_fit(self, experiment: Experiment) -> None:
        if experiment.transfer:
            hint = "reuse a base with `dtrain transfer --base MODEL CONFIG`, or leave the section out"
            raise ConfigError("got a section; expected none, for a network of its own", where="transfer", hint=hint)
        check_data(experiment, Facts(len(self.data.train.labels), self.data.image_shape, self.classes))

    def _choose_compiler(self, experiment: Experiment) -> Compiler:
        from dtrain.engine.epoch import choose_compiler

        convolutional = isinstance(experiment.network, ConvNetwork)
        requested = experiment.training.engine
        return choose_compiler(requested, convolutional=convolutional, device=self.backend.device)

    def _compiling(self, experiment: Experiment) -> str:
        layers = experiment.network.hidden_layers
        if self._engine is not None or layers < DEEP_ENOUGH_TO_WAIT:
            return ""
        return f"compiling {layers} hidden layers, which takes a while before the first step"

    def _compiled(self, experiment: Experiment) -> tuple[Engine, Evaluator]:
        """Returns the engine and the evaluator of this session, at the first weights of the experiment's seed."""
        from dtrain.engine.epoch import Engine
        from dtrain.engine.evaluation import Evaluator
        from dtrain.engine.model import build_model, output_kind

        model = build_model(experiment, self.data.image_shape, self.classes, experiment.seed)
        if self._engine is not None and self._evaluator is not None:
            self._engine.start_over(model.get_weights())
            return self._engine, self._evaluator
        output = output_kind(experiment, self.classes)
        self._engine = Engine(
            model,
            experiment.optimizer.build(),
            output,
            self.data.train,
            self.data.scaling,
            experiment.training.batch_size,
            self.compiler,
        )
        self._evaluator = Evaluator(model, output, self.data.scaling)
        return self._engine, self._evaluator

    def _trainer(self, experiment: Experiment, engine: Engine, evaluator: Evaluator, observer: Observer) -> Trainer:
        from dtrain.engine.training import Trainer

        return Trainer(experiment, self.data, engine, evaluator, observer)

    def _go_on(self, trainer: Trainer, engine: Engine, start: Checkpoint, folder: RunFolder) -> None:
        start.check_fits(engine.variable_descriptions)
        trainer.restore(start.state)
        seconds = folder.read_durations()
        for metrics in start.state.epochs:
            self._observer.on_epoch(metrics, seconds.get(metrics.epoch))
        self._observer.on_progress(start.state.step, trainer.total_steps)

    def _train_recorded(self, trainer: Trainer, folder: RunFolder) -> History:
        """Trains; what was measured until then is kept also where training does not end well."""
        try:
            trainer.train()
        except BaseException:
            # what ended the training is the reason, not what can no longer be written because of it
            with suppress(EnvironmentProblem):
                self._keep(trainer.history(), folder)
            raise
        history = trainer.history()
        self._keep(history, folder)
        return history

    def _keep(self, history: History, folder: RunFolder) -> None:
        from dtrain.plots.curves import plot_curves

        folder.write_steps(history.steps)
        if history.epochs:
            plot_curves([asdict(one) for one in history.epochs], history.steps, folder.curves_path, folder.path.name)

    def _evaluate(self, evaluator: Evaluator) -> dict[str, Evaluation]:
        splits = {"train": self.data.train, "validation": self.data.validation, "test": self.data.test}
        return {name: evaluator.evaluate(split) for name, split in splits.items()}

    def _warn_of_failure(self, train: Evaluation, validation: Evaluation) -> None:
        from dtrain.engine.evaluation import failure_of

        if failure := failure_of(train, validation):
            self._observer.on_warning(failure)

    def _result(
        self, experiment: Experiment, folder: RunFolder, history: History, evaluations: dict[str, Evaluation]
    ) -> RunResult:
        assert self._engine is not None
        return RunResult(
            folder=folder.path,
            seed=experiment.seed,
            best_epoch=history.best_epoch,
            epochs=len(history.epochs),
            parameters=self._engine.model.count_params(),
            train=split_result(evaluations["train"]),
            validation=split_result(evaluations["validation"]),
            test=split_result(evaluations["test"]),
            seconds=dict(self._seconds),
            engine=self.compiler,
            stopped_early=history.stopped_early,
            saved=experiment.training.save,
            advice=self._advice,
            monitor=(experiment.training.early_stopping or EarlyStopping()).monitor,
        )

    def _save(self, experiment: Experiment, folder: RunFolder, test: Evaluation) -> str:
        """Returns the digest of the weights that were saved."""
        from dtrain.engine.model import stock_model

        assert self._engine is not None
        folder.write_predictions(test.probabilities, test.labels)
        model = stock_model(self._engine.model)
        for suffix in experiment.training.save:
            with replace_file(folder.model_path(suffix)) as path:
                model.save(path)
        return weights_digest(model)

    def _write_summary(self, folder: RunFolder, result: RunResult, digest: str) -> None:
        summary = asdict(result) | {"dataset_digest": self.data.digest, "versions": self.backend.versions}
        del summary["folder"]
        summary[WEIGHTS] = digest
        folder.write_summary(summary)


class _Unobserved:
    """Keeps a brief training apart from the epochs that a user is shown."""

    def on_progress(self, step: int, total_steps: int) -> None:
        """Shows nothing."""

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Shows nothing."""

    def on_border(self, take_state: Callable[[], TrainingState], *, last: bool) -> None:
        """Keeps nothing."""


def split_result(evaluation: Evaluation) -> SplitResult:
    """Returns loss, accuracy and its interval of a set of predictions."""
    images = len(evaluation.labels)
    interval = wilson_interval(evaluation.correct, images)
    return SplitResult(evaluation.loss, evaluation.accuracy, interval, images)

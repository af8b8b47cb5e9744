"""Training: epochs, validation, performance scheduling, early stopping and the best weights."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dtrain.data.prepare import Data
from dtrain.engine import Engine, StepRecords
from dtrain.errors import DivergedError
from dtrain.evaluation import Evaluation, Evaluator, set_final_statistics
from dtrain.spec import EarlyStopping, Experiment
from dtrain.techniques.normalizations import BatchNorm
from dtrain.techniques.planning import FloatArray, Plan
from dtrain.techniques.schedules import Performance, Plateau, Schedule

CHUNK_STEPS = 500
"""Steps between two looks at the outside world: well under a second of training for the lesson's networks."""

_SHUFFLE, _NOISE = 1, 2
"""Streams of random numbers under one seed; the layers' initializers have their own."""


def epoch_order(seed: int, epoch: int, examples: int) -> npt.NDArray[np.int64]:
    """Returns the order of the examples in an epoch, which depends on nothing else."""
    return np.random.default_rng([seed, _SHUFFLE, epoch]).permutation(examples)


def noise_seed(seed: int) -> int:
    """Returns what seeds the noise layers of a training with that seed."""
    return int(np.random.SeedSequence([seed, _NOISE]).generate_state(1)[0])


@dataclass(frozen=True)
class EpochMetrics:
    """One line of metrics.jsonl.

    Args:
        epoch: Number of the epoch, from 1.
        step: Steps taken so far.
        loss: Mean training loss over the epoch's examples, without penalties, measured while the weights change.
        penalty: Mean penalty over the epoch's steps.
        accuracy: Share of the epoch's examples predicted right.
        val_loss: Validation loss at the end of the epoch.
        val_accuracy: Validation accuracy at the end of the epoch.
        learning_rate: Rate of the last step.
        momentum: Momentum of the last step, or None where the optimizer has none that can change.
        gradient_norm: Mean norm of the whole gradient, before clipping.
    """

    epoch: int
    step: int
    loss: float
    penalty: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    momentum: float | None
    gradient_norm: float


class Observer(Protocol):
    """Whoever wants to know how training goes on, between two chunks."""

    def on_progress(self, step: int, total_steps: int) -> None:
        """Called after each chunk with the steps taken so far."""

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Called after each epoch with its metrics and duration."""


@dataclass
class Patience:
    """The memory of early stopping: the best value of what is monitored, and the weights that reached it."""

    rule: EarlyStopping | None
    best: float = float("inf")
    best_epoch: int = 0
    best_weights: list[npt.NDArray[np.float32]] = field(default_factory=list)

    def update(self, metrics: EpochMetrics, weights: list[npt.NDArray[np.float32]]) -> bool:
        """Takes note of an epoch and returns whether training should stop, as Keras's EarlyStopping decides it."""
        rule = self.rule or EarlyStopping()
        value = metrics.val_loss if rule.monitor == "val_loss" else -metrics.val_accuracy
        if value < self.best - rule.min_delta:
            self.best, self.best_epoch, self.best_weights = value, metrics.epoch, weights
        return self.rule is not None and metrics.epoch - self.best_epoch >= rule.patience


@dataclass(frozen=True)
class History:
    """What a training measured.

    Args:
        epochs: A line for each epoch.
        steps: Arrays [steps] of loss, accuracy, learning_rate, momentum (where there is one) and gradient_norm.
        best_epoch: Epoch with the best monitored value, from 1.
        stopped_early: Whether early stopping ended the training.
    """

    epochs: tuple[EpochMetrics, ...]
    steps: dict[str, npt.NDArray[np.float32]]
    best_epoch: int
    stopped_early: bool


class Trainer:
    """One training of one experiment with one seed.

    Args:
        experiment: What to train, and how.
        data: The data set, split and scaled.
        engine: The compiled epoch, at its first weights.
        evaluator: The compiled forward pass of the same model.
        observer: Told how training goes on.
        epochs_before: Epochs of earlier stages, so that orders and noise go on from theirs.
    """

    def __init__(
        self,
        experiment: Experiment,
        data: Data,
        engine: Engine,
        evaluator: Evaluator,
        observer: Observer,
        epochs_before: int = 0,
    ) -> None:
        self._experiment, self._data, self._observer = experiment, data, observer
        self._engine, self._evaluator = engine, evaluator
        optimizer = experiment.optimizer
        self.plan = Plan(
            engine.steps_per_epoch, experiment.training.epochs, optimizer.learning_rate, optimizer.cycled_momentum
        )
        self._noise_seed = noise_seed(experiment.seed)
        self._epochs_before = epochs_before
        self._plateau = Plateau()
        self._patience = Patience(experiment.training.early_stopping)
        self._epochs: list[EpochMetrics] = []
        self._steps: list[dict[str, FloatArray]] = []

    def train(self) -> History:
        """Trains to the end, then restores the best weights and makes the final statistics where asked for.

        Raises:
            DivergedError: A loss, gradient or weight is not finite.
        """
        stopped = False
        while not stopped and len(self._epochs) < self.plan.epochs:
            began = time.perf_counter()
            metrics = self._train_epoch(len(self._epochs))
            with self._engine.averaged_weights():
                stopped = self._patience.update(metrics, self._engine.model.get_weights())
            self._epochs.append(metrics)
            self._observer.on_epoch(metrics, time.perf_counter() - began)
        self._finish()
        return self.history(stopped_early=stopped and len(self._epochs) < self.plan.epochs)

    def history(self, *, stopped_early: bool = False) -> History:
        """Returns what has been measured so far."""
        names = self._steps[0] if self._steps else {}
        steps = {name: np.concatenate([chunk[name] for chunk in self._steps]).astype(np.float32) for name in names}
        return History(tuple(self._epochs), steps, self._patience.best_epoch, stopped_early)

    def _train_epoch(self, epoch: int) -> EpochMetrics:
        first = epoch * self.plan.steps_per_epoch
        order = epoch_order(self._experiment.seed, self._epochs_before + epoch, self._engine.examples)
        chunks = [self._train_chunk(order, first, start, stop) for start, stop in self._chunks(first)]
        validation = self._validate(first + self.plan.steps_per_epoch)
        if isinstance(self._schedule, Performance) and self._schedule.every_steps is None:
            self._measure_plateau(validation.loss)
        examples = np.concatenate([records.examples for records in chunks])
        last = self._steps[-1]
        return EpochMetrics(
            epoch=epoch + 1,
            step=first + self.plan.steps_per_epoch,
            loss=float(np.average(np.concatenate([one.loss for one in chunks]), weights=examples)),
            penalty=float(np.concatenate([one.penalty for one in chunks]).mean()),
            accuracy=float(np.average(np.concatenate([one.accuracy for one in chunks]), weights=examples)),
            val_loss=validation.loss,
            val_accuracy=validation.accuracy,
            learning_rate=float(last["learning_rate"][-1]),
            momentum=float(last["momentum"][-1]) if "momentum" in last else None,
            gradient_norm=float(np.concatenate([one.gradient_norm for one in chunks]).mean()),
        )

    @property
    def _schedule(self) -> Schedule:
        return self._experiment.schedule

    def _chunks(self, first: int) -> list[tuple[int, int]]:
        """Cuts an epoch where something is to happen between two steps."""
        cuts = {*range(0, self.plan.steps_per_epoch, CHUNK_STEPS), self.plan.steps_per_epoch}
        if isinstance(self._schedule, Performance) and self._schedule.every_steps:
            every = self._schedule.every_steps
            cuts |= set(range(-first % every, self.plan.steps_per_epoch, every))
        return list(itertools.pairwise(sorted(cuts)))

    def _train_chunk(self, order: npt.NDArray[np.int64], first: int, start: int, stop: int) -> StepRecords:
        numbers = np.arange(first, first + self.plan.steps_per_epoch)
        rates = self._schedule.learning_rates(numbers, self.plan) * self._plateau.multiplier
        momenta = self._schedule.momenta(numbers, self.plan)
        first_noise = first + self._epochs_before * self.plan.steps_per_epoch
        records = self._engine.train(order, rates, momenta, self._noise_seed, first_noise, start, stop)
        self._steps.append(
            {
                "loss": records.loss,
                "accuracy": records.accuracy,
                "learning_rate": rates[start:stop],
                "gradient_norm": records.gradient_norm,
                **({} if momenta is None else {"momentum": momenta[start:stop]}),
            }
        )
        self._refuse_divergence(records, rates[start:stop], first + start)
        self._observer.on_progress(first + stop, self.plan.total_steps)
        every = self._schedule.every_steps if isinstance(self._schedule, Performance) else None
        if every and (first + stop) % every == 0:
            self._measure_plateau(self._validate(first + stop).loss)
        return records

    def _refuse_divergence(self, records: StepRecords, rates: FloatArray, first_step: int) -> None:
        finite = np.isfinite(records.loss) & np.isfinite(records.penalty) & np.isfinite(records.gradient_norm)
        if finite.all():
            return
        bad = int(finite.argmin())
        raise DivergedError(
            f"step {first_step + bad + 1}: loss {records.loss[bad]:.3g}, gradient norm "
            f"{records.gradient_norm[bad]:.3g} at learning rate {rates[bad]:.3g}; training diverged",
            hint="lower optimizer.learning_rate tenfold, or clip the gradient with optimizer.global_clipnorm=1.0",
        )

    def _measure_plateau(self, val_loss: float) -> None:
        assert isinstance(self._schedule, Performance)
        self._plateau = self._schedule.update(self._plateau, val_loss, self.plan.learning_rate)

    def _validate(self, step: int) -> Evaluation:
        # what is measured is what would be kept: the average of the weights, where there is one
        with self._engine.averaged_weights():
            validation = self._evaluator.evaluate(self._data.validation)
        if not np.isfinite(validation.loss):
            raise DivergedError(
                f"step {step}: validation loss {validation.loss}, so weights are no longer finite; training diverged",
                hint="lower optimizer.learning_rate tenfold, or clip the gradient with optimizer.global_clipnorm=1.0",
            )
        return validation

    def _finish(self) -> None:
        self._engine.finalize()
        rule = self._experiment.training.early_stopping
        if rule and rule.restore_best_weights and self._patience.best_weights:
            self._engine.model.set_weights(self._patience.best_weights)
        normalization = self._experiment.normalization
        if isinstance(normalization, BatchNorm) and normalization.final_statistics == "full_pass":
            set_final_statistics(self._engine.model, self._data.train, self._data.scaling, self._engine.batch_size)

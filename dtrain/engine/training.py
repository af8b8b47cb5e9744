"""Training: epochs, validation, performance scheduling, early stopping and the best weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dtrain.data.prepare import Data
from dtrain.engine.epoch import Engine
from dtrain.engine.evaluation import Validator, set_final_statistics
from dtrain.engine.layer_log import LayerLog
from dtrain.engine.measures import EXAMPLES, are_finite
from dtrain.engine.state import EpochMetrics, History, Patience, StepLog, TrainingState
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.normalizations import BatchNorm
from dtrain.experiment.techniques.schedule_technique import FloatArray, Plan
from dtrain.experiment.techniques.schedules import Performance, Plateau, Schedule
from dtrain.ground.errors import DivergedError
from dtrain.ground.randomness import Stream, generator, word
from dtrain.ground.reading import Array

CHUNK_STEPS = 500
"""Steps between two looks at the outside world, at most: well under a second for the lesson's networks."""
CHUNK_SECONDS = 1.0
"""What these steps may take: so long does a request to stop wait where each of them is slow."""
FIRST_CHUNK_STEPS = 1
"""Steps before the first look: nobody knows yet what a step takes."""
FIXES = "lower optimizer.learning_rate tenfold, or clip the gradient with optimizer.global_clipnorm=1.0"


def epoch_order(seed: int, epoch: int, examples: int) -> npt.NDArray[np.int64]:
    """Returns the order of the examples in an epoch, which depends on nothing else."""
    return generator(seed, Stream.ORDER, epoch).permutation(examples)


def noise_seed(seed: int) -> int:
    """Returns what seeds the noise layers of a training with that seed."""
    return word(seed, Stream.NOISE)


class Observer(Protocol):
    """Whoever wants to know how training goes on, between two chunks."""

    def on_progress(self, step: int) -> None:
        """Called after each chunk with the steps taken so far, those of earlier stages included."""

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Called after each epoch with its metrics and duration."""

    def on_border(self, take_state: Callable[[], TrainingState], *, last: bool) -> None:
        """Called where training can be left and gone on with: between two chunks, and after each epoch.

        Args:
            take_state: Returns the state at this moment; a DivergedError if a weight is not finite.
            last: Whether no step follows.
        """


class StagesObserver(Observer, Protocol):
    """Whoever wants to know how several stages go on."""

    def on_stage(self, name: str, trainer: Trainer) -> None:
        """Called before a stage begins, or is gone on with, with what trains it."""


class Pace:
    """How many steps fit between two looks at the outside world; where an epoch is cut changes no result."""

    def __init__(self) -> None:
        self.chunk_steps = min(FIRST_CHUNK_STEPS, CHUNK_STEPS)

    def measure(self, steps: int, seconds: float) -> None:
        """Takes note of what the last chunk took.

        Args:
            steps: Its steps.
            seconds: Its duration.
        """
        # what a chunk takes may be mostly a compilation, so that the next may be longer again, but not much
        fitting = min(CHUNK_STEPS, 2 * self.chunk_steps, steps * CHUNK_SECONDS / seconds)
        self.chunk_steps = max(1, int(fitting))


class Trainer:
    """One stage of a training; epochs and steps are counted over all stages.

    Args:
        experiment: What to train, and how.
        data: The data set, split and scaled.
        engine: The compiled epoch, at its first weights.
        evaluator: The compiled forward pass of the same model, with the same objective.
        observer: Told how training goes on.
        before: The training of the stage before, whose epochs and steps go on; None in the first stage.
    """

    def __init__(
        self,
        experiment: Experiment,
        data: Data,
        engine: Engine,
        evaluator: Validator,
        observer: Observer,
        before: Trainer | None = None,
    ) -> None:
        self._experiment, self._data, self._observer = experiment, data, observer
        self._engine, self._evaluator = engine, evaluator
        training, optimizer = experiment.training, experiment.optimizer
        self.epochs, self.steps_per_epoch = training.epochs, engine.steps_per_epoch
        self.plan = Plan(
            self.steps_per_epoch, training.scheduled_epochs, optimizer.learning_rate, optimizer.cycled_momentum
        )
        self._noise_seed = noise_seed(experiment.seed)
        self._ended: list[EpochMetrics] = list(before._ended) if before else []
        self._log: StepLog = before._log if before else StepLog()
        self.began: tuple[int, ...] = (*(before.began if before else ()), len(self._ended))
        earlier = before._layers if before else None
        self._layers: LayerLog | None = LayerLog(engine, self._first_step, earlier) if training.measures else None
        self._plateau = Plateau()
        self._patience = Patience(training.early_stopping, best_epoch=len(self._ended))
        self._pace = Pace()

    @property
    def variables(self) -> tuple[str, ...]:
        """Path, shape and type of each variable of a state."""
        return self._engine.variable_descriptions

    def restore(self, state: TrainingState) -> None:
        """Puts everything where it was when `state` was taken."""
        self._engine.restore(state.variables)
        self._plateau, self._ended, self.began = state.plateau, list(state.epochs), state.began
        self._patience.best, self._patience.best_epoch = state.best, state.best_epoch
        self._patience.best_weights = state.best_weights
        if self._layers:
            self._layers.restore(state.layers, self._first_step)
        self._log = StepLog()
        first = len(self._ended) * self.steps_per_epoch
        for part in (slice(None, first), slice(first, None)) if state.steps else ():
            self._log.append({name: values[part] for name, values in state.steps.items()})

    def state(self) -> TrainingState:
        """Returns everything that the next step depends on, and all that was measured before it.

        Raises:
            DivergedError: A weight is not finite.
        """
        for variable in self._engine.model.variables:
            if not np.isfinite(variable.numpy()).all():
                message = f"step {self._log.step}: {variable.path} is no longer finite; training diverged"
                raise DivergedError(message, hint=FIXES)
        return TrainingState(
            variables=[variable.numpy() for variable in self._engine.variables],
            best_weights=self._patience.best_weights,
            best=self._patience.best,
            best_epoch=self._patience.best_epoch,
            plateau=self._plateau,
            epochs=tuple(self._ended),
            steps=self._log.since(),
            began=self.began,
            layers=self._layers.records() if self._layers else {},
        )

    def train(self) -> History:
        """Trains the stage to its end, then restores best weights and makes final statistics where asked for.

        Raises:
            DivergedError: A loss, gradient or weight is not finite.
        """
        while not self._has_ended:
            began = time.perf_counter()
            metrics = self._train_epoch(len(self._ended))
            with self._engine.averaged_weights():
                self._patience.update(metrics, self._engine.model.get_weights())
            self._ended.append(metrics)
            self._observer.on_epoch(metrics, time.perf_counter() - began)
            self._observer.on_border(self.state, last=self._has_ended)
        self._finish()
        return self.history()

    def history(self) -> History:
        """Returns what has been measured so far."""
        left_out = {EXAMPLES} | {one.name for one in self._engine.measures if not one.kept}
        layers = self._layers.kept() if self._layers else {}
        return History(tuple(self._ended), self._log.kept(left_out), self._patience.best_epoch, self.began, layers)

    @property
    def _has_ended(self) -> bool:
        return len(self._ended) - self.began[-1] >= self.epochs or self._patience.ends_after(len(self._ended))

    @property
    def _first_step(self) -> int:
        """The step that the stage and its schedule began with."""
        return self.began[-1] * self.steps_per_epoch

    def _train_epoch(self, epoch: int) -> EpochMetrics:
        first = epoch * self.steps_per_epoch
        order = epoch_order(self._experiment.seed, epoch, self._engine.examples)
        # what was trained before an interruption is not trained again
        while (start := self._log.step - first) < self.steps_per_epoch:
            self._train_chunk(order, first, start, self._next_cut(first, start))
            if self._log.step < first + self.steps_per_epoch:
                self._observer.on_border(self.state, last=False)
        if self._layers:
            self._layers.end_epoch()
        validation = self._validate(first + self.steps_per_epoch)
        if isinstance(self._schedule, Performance) and self._schedule.every_steps is None:
            self._measure_plateau(validation["loss"])
        return self._epoch_metrics(epoch, validation)

    def _epoch_metrics(self, epoch: int, validation: Mapping[str, float]) -> EpochMetrics:
        steps = self._log.since(epoch * self.steps_per_epoch)
        trained = {one.name: one.over(steps) for one in self._engine.measures}
        validated = {f"val_{name}": value for name, value in validation.items()}
        return {"epoch": epoch + 1, "step": self._log.step} | trained | validated

    @property
    def _schedule(self) -> Schedule:
        return self._experiment.schedule

    def _next_cut(self, first: int, start: int) -> int:
        """Where in an epoch something is to happen between two steps."""
        cut = min(start + self._pace.chunk_steps, self.steps_per_epoch)
        if isinstance(self._schedule, Performance) and self._schedule.every_steps:
            every = self._schedule.every_steps
            cut = min(cut, start + every - (first - self._first_step + start) % every)
        return min(cut, self._layers.next_cut(first, start)) if self._layers else cut

    def _train_chunk(self, order: npt.NDArray[np.int64], first: int, start: int, stop: int) -> None:
        # behind the end of the schedule its last rate holds
        numbers = np.arange(first, first + self.steps_per_epoch) - self._first_step
        numbers = np.minimum(numbers, self.plan.total_steps - 1)
        rates = self._schedule.learning_rates(numbers, self.plan) * self._plateau.multiplier
        momenta = self._schedule.momenta(numbers, self.plan)
        looking = self._layers.measuring(order, self._noise_seed, first, start) if self._layers else nullcontext()
        with looking:
            began = time.perf_counter()
            records = self._engine.train(order, rates, momenta, self._noise_seed, first, start, stop)
            self._pace.measure(stop - start, time.perf_counter() - began)
        given = {"learning_rate": rates} | ({} if momenta is None else {"momentum": momenta})
        self._log.append(records | {name: values[start:stop] for name, values in given.items()})
        self._refuse_divergence(records, rates[start:stop], first + start)
        self._observer.on_progress(first + stop)
        every = self._schedule.every_steps if isinstance(self._schedule, Performance) else None
        if every and (first + stop - self._first_step) % every == 0:
            self._measure_plateau(self._validate(first + stop)["loss"])

    def _refuse_divergence(self, records: Mapping[str, Array], rates: FloatArray, first_step: int) -> None:
        finite, loss, norm = are_finite(records), records["loss"], records["gradient_norm"]
        if finite.all():
            return
        bad = int(finite.argmin())
        step = first_step + bad
        before = f"; the loss before was {self._log.since()['loss'][step - 1]:.3g}" if step else ""
        raise DivergedError(
            f"step {step + 1}, epoch {step // self.steps_per_epoch + 1}: loss {loss[bad]:.3g}, gradient norm "
            f"{norm[bad]:.3g} at learning rate {rates[bad]:.3g}{before}; training diverged",
            hint=FIXES,
        )

    def _measure_plateau(self, val_loss: float) -> None:
        assert isinstance(self._schedule, Performance)
        self._plateau = self._schedule.update(self._plateau, val_loss, self.plan.learning_rate)

    def _validate(self, step: int) -> dict[str, float]:
        # what is measured is what would be kept: the average of the weights, where there is one
        with self._engine.averaged_weights():
            validation = self._evaluator.measure(self._data.validation)
        if not np.isfinite(loss := validation["loss"]):
            raise DivergedError(
                f"step {step}: validation loss {loss}, so weights are no longer finite; training diverged",
                hint=FIXES,
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

"""The arms of a transfer experiment: reused layers and the controls, trained on the same labels, orders and engines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import keras
import numpy as np
import numpy.typing as npt

from dtrain.data.prepare import Data, Split
from dtrain.engine.epoch import Compiler, Engine
from dtrain.engine.evaluation import Evaluation, Evaluator
from dtrain.engine.model import output_kind
from dtrain.engine.state import EpochMetrics, TrainingState
from dtrain.engine.training import Trainer
from dtrain.experiment.spec import Experiment
from dtrain.experiment.transfer import Arm, Stage
from dtrain.ground.randomness import Stream, generator
from dtrain.reuse.grafting import Graft, Weights


def labelled_images(seed: int, available: int, wanted: int | None) -> npt.NDArray[np.int64]:
    """Returns the indices of the training images whose labels a seed may use, in the order of the data.

    Args:
        seed: Another seed has other images.
        available: Training images that there are.
        wanted: How many; None for all.
    """
    order = generator(seed, Stream.LABELLED_IMAGES).permutation(available)
    chosen: npt.NDArray[np.int64] = np.sort(order[:wanted])
    return chosen


class ArmObserver(Protocol):
    """Whoever wants to know how an arm goes on."""

    def on_epoch(self, stage: Stage, metrics: EpochMetrics, seconds: float) -> None:
        """Called after each epoch; epochs and steps are counted over all stages."""


@dataclass(frozen=True)
class ArmTraining:
    """One arm with one seed, trained to its end.

    Args:
        epochs: Of all stages.
        best_epoch: The best of the last stage, whose weights are kept where early stopping restores them.
        stopped_early: Whether early stopping ended any stage.
        evaluations: Of ``train``, ``validation`` and ``test``.
        weights: Of the final model.
        seconds: How long it took.
    """

    epochs: tuple[EpochMetrics, ...]
    best_epoch: int
    stopped_early: bool
    evaluations: dict[str, Evaluation]
    weights: Weights
    seconds: float


class Arms:
    """One model that every arm and seed is trained in: what is compiled depends on the layers that train, on no weight.

    Args:
        experiment: How to train, with a transfer section; the optimizer's own rate is that from scratch.
        graft: The network.
        pool: The data; each seed takes its labelled images from the training part.
        compiler: What compiles the epochs.
    """

    def __init__(self, experiment: Experiment, graft: Graft, pool: Data, compiler: Compiler) -> None:
        assert experiment.transfer
        self._experiment, self._graft, self._pool, self._compiler = experiment, graft, pool, compiler
        self._transfer, self._reused = experiment.transfer, len(graft.cut.groups)
        self.model = graft.build(experiment.seed)
        self._output = output_kind(experiment, len(pool.class_names))
        self._evaluator = Evaluator(self.model, self._output, pool.scaling)
        self._engines: dict[int, Engine] = {}

    def stages(self, arm: Arm) -> tuple[Stage, ...]:
        """Returns the stages of an arm; from scratch everything trains for as many epochs at the optimizer's rate."""
        rate = self._experiment.optimizer.learning_rate
        if arm == "scratch":
            return (Stage("scratch", self._reused, self._transfer.epochs, rate),)
        return self._transfer.stages(self._reused, rate)

    def train(self, arm: Arm, seed: int, observer: ArmObserver) -> ArmTraining:
        """Trains an arm with a seed, which decides labelled images, first weights, orders and noise.

        Raises:
            DivergedError: A loss, gradient or weight is not finite.
        """
        began = time.perf_counter()
        chosen = self._labelled(seed)
        train = Split(self._pool.train.images[chosen], self._pool.train.labels[chosen])
        data = replace(self._pool, train=train)
        weights, epochs = self._graft.first_weights(seed, reused=arm == "transfer"), list[EpochMetrics]()
        best_epoch, stopped_early = 0, False
        for stage in self.stages(arm):
            engine = self._engine(stage.unfrozen)
            engine.choose(chosen)
            engine.start_over(weights)
            before = len(epochs)
            recorder = _Recorder(stage, before, before * engine.steps_per_epoch, observer)
            trained = Trainer(self._of_stage(stage, seed), data, engine, self._evaluator, recorder, before).train()
            weights, epochs = self.model.get_weights(), epochs + recorder.epochs
            best_epoch, stopped_early = before + trained.best_epoch, stopped_early or trained.stopped_early
        splits = {"train": train, "validation": data.validation, "test": data.test}
        evaluations = {name: self._evaluator.evaluate(split) for name, split in splits.items()}
        seconds = time.perf_counter() - began
        return ArmTraining(tuple(epochs), best_epoch, stopped_early, evaluations, weights, seconds)

    def missing_classes(self, seed: int) -> tuple[str, ...]:
        """Returns the classes that none of a seed's labelled images shows."""
        names = self._pool.class_names
        counts = np.bincount(self._pool.train.labels[self._labelled(seed)], minlength=len(names))
        return tuple(name for name, count in zip(names, counts, strict=True) if not count)

    def _labelled(self, seed: int) -> npt.NDArray[np.int64]:
        return labelled_images(seed, len(self._pool.train.labels), self._experiment.dataset.train_limit)

    def model_with(self, weights: Weights) -> keras.Model:
        """Returns the model, nothing frozen, with these weights; the next training takes it back."""
        self._graft.freeze(self.model, self._reused)
        self.model.set_weights(weights)
        return self.model

    def _engine(self, unfrozen: int) -> Engine:
        """Returns the epoch in which so many kept layers train; freezing is decided when it is compiled."""
        self._graft.freeze(self.model, unfrozen)
        if unfrozen not in self._engines:
            self._engines[unfrozen] = Engine(
                self.model,
                self._experiment.optimizer.build(),
                self._output,
                self._pool.train,
                self._pool.scaling,
                self._experiment.training.batch_size,
                self._compiler,
            )
        return self._engines[unfrozen]

    def _of_stage(self, stage: Stage, seed: int) -> Experiment:
        optimizer = self._experiment.optimizer.model_copy(update={"learning_rate": stage.learning_rate})
        training = self._experiment.training.model_copy(update={"epochs": stage.epochs, "schedule_epochs": None})
        update = {"seed": seed, "optimizer": optimizer, "training": training}
        return self._experiment.model_copy(update=update)


class _Recorder:
    """Counts epochs and steps on from those of earlier stages."""

    def __init__(self, stage: Stage, epochs_before: int, steps_before: int, observer: ArmObserver) -> None:
        self._stage, self._before, self._observer = stage, (epochs_before, steps_before), observer
        self.epochs: list[EpochMetrics] = []

    def on_progress(self, step: int, total_steps: int) -> None:
        """Shows nothing: an epoch is over in a moment."""

    def on_border(self, take_state: Callable[[], TrainingState], *, last: bool) -> None:
        """Keeps no state: an arm is trained anew sooner than gone on with."""

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Passes the epoch on."""
        epochs, steps = self._before
        self.epochs.append(replace(metrics, epoch=metrics.epoch + epochs, step=metrics.step + steps))
        self._observer.on_epoch(self._stage, self.epochs[-1], seconds)

"""Trainings that leave nothing behind but a few numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dtrain.trials.training import train_stages
from dtrain.trials.trial import Trial
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.engine.epoch import FloatArray
    from dtrain.engine.state import EpochMetrics, TrainingState
    from dtrain.engine.training import Trainer


def range_test(trial: Trial, workshop: Workshop, rates: FloatArray) -> FloatArray:
    """Trains from the first weights of the trial's seed with these rates, one a step.

    Args:
        trial: What to train, with a network of its own; its schedule and its number of epochs do not count.
        workshop: Where.
        rates: The learning rate of each step [steps].

    Returns:
        The loss of each batch, up to a divergence [steps or fewer].
    """
    from dtrain.rates.sweep import record_losses

    experiment, engine = trial.experiment, trial.compiled(workshop).engine()
    engine.start_over(trial.network.first_weights(experiment.seed))
    momentum = experiment.optimizer.cycled_momentum
    return record_losses(engine, experiment.seed, rates, momentum, workshop.observer.on_progress)


def validation_accuracy(trial: Trial, workshop: Workshop) -> float:
    """Trains all stages and returns the validation accuracy at the end.

    Raises:
        DivergedError: A loss, gradient or weight is not finite.
    """
    compiled = trial.compiled(workshop)
    train_stages(trial, compiled, _Unobserved())
    return compiled.evaluator.evaluate(trial.whole.validation).accuracy


class _Unobserved:
    """Keeps a brief training apart from the epochs that a user is shown."""

    def on_stage(self, name: str, trainer: Trainer) -> None:
        """Keeps nothing."""

    def on_progress(self, step: int) -> None:
        """Shows nothing."""

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Shows nothing."""

    def on_border(self, take_state: Callable[[], TrainingState], *, last: bool) -> None:
        """Keeps nothing."""

"""The trainings of a search for a learning rate, which are brief and leave nothing behind but numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from dtrain.experiment.draft import LARGEST_SEED
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.schedules import Constant
from dtrain.ground.errors import DivergedError
from dtrain.rates.grid import SHARE, compare_rates, rate_grid, suggest_best
from dtrain.rates.rules import FloatArray, pool_size
from dtrain.rates.search_range import RateRange
from dtrain.rates.suggestion import Curve, Suggestion, read_curve, suggest
from dtrain.rates.verification import SEEDS
from dtrain.trials.training import train_stages
from dtrain.trials.trial import Trial, own_trial
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.engine.state import EpochMetrics, TrainingState
    from dtrain.engine.training import Trainer

VERIFIED_STEPS = 500
"""About so many steps show whether a rate is worth anything."""


def search_rates(trial: Trial, workshop: Workshop, search: RateRange) -> tuple[tuple[Curve, ...], Suggestion]:
    """Returns the curve of every seed, and what all of them say together.

    Args:
        trial: What to train, with the first seed.
        workshop: Where; its observer is told of each seed.
        search: The rates to go through, and how many seeds.
    """
    experiment = trial.experiment
    curves, rates, pool = list[Curve](), rates_of(experiment, search), pool_size(experiment.training.batch_size)
    sweeps, steps = experiment.optimizer.sweepable, round(SHARE * len(search.rates))
    way = "raising the rate" if sweeps else f"training for {steps} steps at each of {len(rates)} rates"
    for seed in range(experiment.seed, experiment.seed + search.seeds):
        workshop.observer.on_phase(f"{way} from {search.minimum:g} to {search.highest:g}, seed {seed}")
        again = own_trial(experiment.model_copy(update={"seed": seed}), trial.whole)
        train = partial(range_test, again, workshop)
        if sweeps:
            curve = read_curve(train(rates), rates, seed, pool)
        else:
            curve = compare_rates(train, rates, steps, seed, pool)
        curves.append(curve)
    return tuple(curves), (suggest if sweeps else suggest_best)(tuple(curves), rates)


def rates_of(experiment: Experiment, search: RateRange) -> FloatArray:
    """Returns the rates of a search: one for each step, or where rising rates say nothing, one for each training."""
    return search.rates if experiment.optimizer.sweepable else rate_grid(search.minimum, search.highest)


def accuracies_at(rate: float, trial: Trial, workshop: Workshop, searched: int) -> tuple[float | None, ...]:
    """Returns the validation accuracy of each of several brief trainings at a rate; None where one diverged.

    Args:
        rate: The rate, which is constant.
        trial: What to train, with the first seed of the search.
        workshop: Where.
        searched: How many seeds the search has seen; others are taken.
    """
    experiment = trial.experiment
    epochs = max(1, round(VERIFIED_STEPS * experiment.training.batch_size / len(trial.data.train.labels)))
    found: list[float | None] = []
    for number in range(searched, searched + SEEDS):
        seed = (experiment.seed + number) % (LARGEST_SEED + 1)
        tried = constant(experiment, rate, epochs).model_copy(update={"seed": seed})
        try:
            found.append(validation_accuracy(own_trial(tried, trial.whole), workshop))
        except DivergedError:
            found.append(None)
    return tuple(found)


def constant(experiment: Experiment, rate: float, epochs: int) -> Experiment:
    """Returns the experiment at one constant rate, for so many epochs to their end."""
    training = experiment.training.model_copy(update={"epochs": epochs, "early_stopping": None})
    optimizer = experiment.optimizer.model_copy(update={"learning_rate": rate})
    update = {"schedule": Constant(), "optimizer": optimizer, "training": training}
    return experiment.model_copy(update=update)


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

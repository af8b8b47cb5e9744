"""Rules on the steps: optimizer, schedule, and when training ends."""

from __future__ import annotations

import math

from dtrain.experiment.advice.rule import (
    ACTIVATION,
    EARLY_STOPPING,
    EPOCHS,
    FOLLOWED,
    NETWORK,
    OPTIMIZER,
    PATIENCE,
    SCHEDULE,
    Places,
    Rule,
)
from dtrain.experiment.spec import DEEP, NAMED_DATASETS, EarlyStopping, Experiment
from dtrain.experiment.techniques.activations import Relu, Relu6
from dtrain.experiment.techniques.normalizations import BatchNorm, NoNormalization
from dtrain.experiment.techniques.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Ftrl,
    Lamb,
    Lion,
    Muon,
    Nadam,
    RMSprop,
)
from dtrain.experiment.techniques.schedules import Cosine, Exponential, OneCycle, Performance, Piecewise, Polynomial
from dtrain.experiment.techniques.technique import Section
from dtrain.ground.printable import KeyPath

LARGEST_RATES: dict[type[Section], float] = {
    RMSprop: 0.01,
    Adam: 0.01,
    AdamW: 0.01,
    Nadam: 0.01,
    Lion: 0.001,
    Lamb: 0.005,
    Muon: 0.01,
}
"""The lesson itself trains Nadam at 0.01; on the sample twice that costs 4 points, and 0.05 more than 20. Lion lost 7
points at 0.003, Lamb 6 at 0.01 and everything at 0.02, Muon 6 at 0.01 and more than 40 at 0.02."""
SMALLEST_RATES: dict[type[Section], float] = {Adadelta: 0.05, Ftrl: 0.05}
"""On the sample Adadelta lost 9 points at 0.01 to what it reached at 0.1, and Ftrl 30."""
LARGEST_VELOCITY = 1.0
"""learning_rate / (1 - momentum), the step that momentum builds up to: on the sample ReLU collapsed at twice this."""
FEWEST_CYCLE_STEPS = 100
LONG_TRAINING = 50
SETTLED_EPOCHS = 5
"""Shorter trainings are tries, in which no rate need fall."""


def _highest_rate(one: Experiment) -> tuple[KeyPath, float]:
    if isinstance(one.schedule, OneCycle) and one.schedule.maximum:
        return ("schedule", "maximum"), one.schedule.maximum
    if isinstance(one.schedule, Piecewise):
        return ("schedule", "values"), max(one.schedule.values)
    return ("optimizer", "learning_rate"), one.optimizer.learning_rate


def _steps(one: Experiment) -> float | None:
    """About how many steps the training takes; None where only the images can tell."""
    known, dataset = NAMED_DATASETS.get(one.dataset.name), one.dataset
    if known is None:
        return None
    images = known.train - (dataset.validation or known.validation)
    kept = images * len(dataset.classes or range(known.classes)) / known.classes
    return min(kept, dataset.train_limit or kept) / one.training.batch_size * one.training.epochs


def _patience(one: Experiment) -> int | None:
    stopping = one.training.early_stopping
    return stopping.patience if stopping else None


@Rule.of(
    "the training ends before the moving statistics have forgotten their first values, so predictions use wrong ones",
    "lower momentum, or set final_statistics to full_pass",
    BatchNorm,
)
def batch_norm_steps(one: Experiment) -> Places:
    layer, steps = one.normalization, _steps(one)
    if not isinstance(layer, BatchNorm) or layer.final_statistics != "moving" or steps is None:
        return FOLLOWED
    # after n steps a share momentum^n of the first values is left: 5% at three windows
    return (("normalization", "momentum"), EPOCHS) if steps * (1 - layer.momentum) < 3 else FOLLOWED


@Rule.of(
    "clipping each component turns the gradient: [0.9, 100] becomes [0.9, 1]",
    "use global_clipnorm, which keeps the direction; or try both",
)
def clipvalue(one: Experiment) -> Places:
    return (("optimizer", "clipvalue"),) if one.optimizer.clipvalue is not None else FOLLOWED


@Rule.of(
    "the norm of each variable's gradient is clipped by itself, which turns the gradient as a whole",
    "use global_clipnorm, which keeps the direction; or try both",
)
def clipnorm(one: Experiment) -> Places:
    return (("optimizer", "clipnorm"),) if one.optimizer.clipnorm is not None else FOLLOWED


@Rule.of(
    "its rate only ever falls, and in deep nets is spent before the training is done",
    "set optimizer to rmsprop, nadam or sgd with momentum",
    Adagrad,
    Ftrl,
)
def adagrad_depth(one: Experiment) -> Places:
    optimizer = one.optimizer
    falls = isinstance(optimizer, Adagrad) or (isinstance(optimizer, Ftrl) and optimizer.learning_rate_power < 0)
    return (OPTIMIZER, NETWORK) if falls and one.network.hidden_layers >= DEEP else FOLLOWED


@Rule.of(
    "its steps are about as large as the rate whatever the gradient, so a rate that suits sgd is too high",
    "begin at 0.001, or ask `dtrain lr-find`",
    *LARGEST_RATES,
)
def adaptive_rate(one: Experiment) -> Places:
    place, rate = _highest_rate(one)
    high = rate > LARGEST_RATES.get(type(one.optimizer), math.inf)
    return (place, OPTIMIZER) if high and isinstance(one.normalization, NoNormalization) else FOLLOWED


@Rule.of(
    "its steps are far smaller than its rate says: at Keras's default of 0.001 the weights hardly move",
    "begin at 0.1, or ask `dtrain lr-find`",
    *SMALLEST_RATES,
)
def slow_optimizer(one: Experiment) -> Places:
    place, rate = _highest_rate(one)
    return (place, OPTIMIZER) if rate < SMALLEST_RATES.get(type(one.optimizer), 0.0) else FOLLOWED


@Rule.of(
    "large steps push units where no image activates them: they output 0 for good",
    "lower the rate, or set activation to elu or leaky_relu",
    Relu,
    Relu6,
)
def dying_relu(one: Experiment) -> Places:
    if not isinstance(one.activation, Relu | Relu6) or not isinstance(one.optimizer, SGD):
        return FOLLOWED
    place, rate = _highest_rate(one)
    momentum = one.optimizer.momentum
    if momentum and isinstance(one.schedule, OneCycle):
        momentum = one.schedule.minimum_momentum
    fast = rate / (1 - momentum) >= LARGEST_VELOCITY
    return (place, ACTIVATION) if fast and isinstance(one.normalization, NoNormalization) else FOLLOWED


@Rule.of(
    "such a schedule is best at its end, when the rate is low, and may be stopped long before",
    "leave patience out: it is then as long as the training",
    OneCycle,
    Cosine,
    Polynomial,
)
def patience_before_end(one: Experiment) -> Places:
    patience = _patience(one)
    early = patience is not None and patience < one.training.epochs / 2
    return (PATIENCE, SCHEDULE, EPOCHS) if early and one.schedule.best_at_end else FOLLOWED


@Rule.of(
    "a cycle of so few steps leaves no time at the high rates, nor at the low ones",
    "train for more epochs, or set schedule to constant",
    OneCycle,
)
def one_cycle_steps(one: Experiment) -> Places:
    steps = _steps(one)
    few = steps is not None and steps < FEWEST_CYCLE_STEPS
    return (SCHEDULE, EPOCHS) if few and isinstance(one.schedule, OneCycle) else FOLLOWED


@Rule.of(
    "the training ends before the rate is ever reduced",
    "lower schedule.patience",
    Performance,
)
def performance_patience(one: Experiment) -> Places:
    if not isinstance(one.schedule, Performance) or one.schedule.every_steps is not None:
        return FOLLOWED
    own, patience = ("schedule", "patience"), _patience(one)
    if one.schedule.patience >= one.training.epochs:
        return (own, EPOCHS)
    return (own, PATIENCE) if patience is not None and one.schedule.patience >= patience else FOLLOWED


@Rule.of(
    "the rate hardly falls at all, or is next to nothing long before the end",
    "set decay_epochs to about the number of epochs",
    Exponential,
)
def exponential_span(one: Experiment) -> Places:
    if not isinstance(one.schedule, Exponential):
        return FOLLOWED
    epochs = one.training.epochs
    remains = one.schedule.decay_rate ** (epochs / one.schedule.decay_epochs)
    flat = remains > 0.75 and epochs >= SETTLED_EPOCHS
    return (("schedule", "decay_epochs"), EPOCHS) if flat or remains < 1e-5 else FOLLOWED


@Rule.of(
    "a long training overfits in the end; early stopping keeps the best epoch at no cost",
    "leave early_stopping out, which turns it on",
)
def no_early_stopping(one: Experiment) -> Places:
    long = _patience(one) is None and one.training.epochs >= LONG_TRAINING
    return (EARLY_STOPPING, EPOCHS) if long and not one.schedule.best_at_end else FOLLOWED


@Rule.of(
    "the training ends first, so nothing is ever stopped early",
    "lower patience or train for more epochs",
)
def patience_beyond_end(one: Experiment) -> Places:
    patience = _patience(one)
    # the default is not the user's choice, and a schedule that is best at its end wants the whole training
    if patience in (None, EarlyStopping().patience) or one.schedule.best_at_end:
        return FOLLOWED
    return (PATIENCE, EPOCHS) if patience > one.training.epochs else FOLLOWED

"""Rules on the steps: optimizer, schedule, and when training ends."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dtrain.experiment.draft import DEEP, Draft, EarlyStopping
from dtrain.experiment.fit.repairs import at_rate, global_clipping, highest_rate
from dtrain.experiment.fit.rule import FOLLOWED, Finding, Places, advice, error, notice, training_steps
from dtrain.experiment.techniques import optimizers
from dtrain.experiment.techniques.networks import ConvNetwork
from dtrain.experiment.techniques.normalizations import NoNormalization
from dtrain.experiment.techniques.schedules import Cosine, Exponential, OneCycle, Performance, Piecewise, Polynomial
from dtrain.experiment.techniques.technique import Section

LARGEST_RATES: dict[type[Section], float] = {
    optimizers.RMSprop: 0.01,
    optimizers.Adam: 0.01,
    optimizers.AdamW: 0.01,
    optimizers.Nadam: 0.01,
    optimizers.Lion: 0.001,
    optimizers.Lamb: 0.005,
    optimizers.Muon: 0.01,
}
"""The lesson itself trains Nadam at 0.01; on the sample twice that costs 4 points, and 0.05 more than 20. Lion lost 7
points at 0.003, Lamb 6 at 0.01 and everything at 0.02, Muon 6 at 0.01 and more than 40 at 0.02."""
SMALLEST_RATES: dict[type[Section], float] = {optimizers.Adadelta: 0.05, optimizers.Ftrl: 0.05}
"""On the sample Adadelta lost 9 points at 0.01 to what it reached at 0.1, and Ftrl 30."""
PATIENCE = "training.early_stopping.patience"
FEWEST_CYCLE_STEPS = 100
LONG_TRAINING = 50
SETTLED_EPOCHS = 5
"""Shorter trainings are tries, in which no rate need fall."""


def _longer(one: Draft, steps: float) -> str:
    """Returns what makes the training take so many steps."""
    return f"training.epochs={math.ceil(one.training.epochs * steps / (training_steps(one) or steps))}"


def _patience(one: Draft) -> int | None:
    stopping = one.training.early_stopping
    return stopping.patience if stopping else None


@error
def warmup(one: Draft) -> Iterator[Finding]:
    epochs, warm = one.training.epochs, one.schedule.warmup
    if warm >= epochs:
        message = f"got {warm:g} epochs with training.epochs {epochs}; expected less"
        yield Finding("schedule.warmup", message, "a tenth of the training is much")


@error
def boundaries(one: Draft) -> Iterator[Finding]:
    schedule, epochs = one.schedule, one.training.epochs
    last = epochs - schedule.warmup
    if isinstance(schedule, Piecewise) and schedule.boundaries and schedule.boundaries[-1] >= last > 0:
        behind = f" and warmup {schedule.warmup:g}" if schedule.warmup else ""
        received = f"{list(schedule.boundaries)} with training.epochs {epochs}{behind}"
        message = f"got {received}; expected epochs below {last:g}"
        yield Finding("schedule.boundaries", message, "move the boundaries or train for longer")


@error
def end_of_polynomial(one: Draft) -> Iterator[Finding]:
    schedule, rate = one.schedule, one.optimizer.learning_rate
    if isinstance(schedule, Polynomial) and schedule.end_learning_rate > rate:
        message = f"got {schedule.end_learning_rate:g}; expected at most optimizer.learning_rate ({rate:g})"
        yield Finding("schedule.end_learning_rate", message)


@notice
def cycled_momentum(one: Draft) -> Iterator[Finding]:
    if one.schedule.cycles_momentum and one.optimizer.cycled_momentum is None:
        text = f"{one.optimizer.kind} has no momentum to cycle here; only the rate moves"
        yield Finding("schedule", f"schedule {one.schedule.kind}: {text}")


@notice
def muon_convolutions(one: Draft) -> Iterator[Finding]:
    if isinstance(one.optimizer, optimizers.Muon) and isinstance(one.network, ConvNetwork):
        text = "optimizer muon: its Adam trains the convolutions; Muon takes the kernels of dense layers"
        yield Finding("optimizer", text)


@advice(
    "clipping each component turns the gradient: [0.9, 100] becomes [0.9, 1]",
    global_clipping,
    fix="use global_clipnorm, which keeps the direction",
)
def clipvalue(one: Draft) -> Places:
    return ("optimizer.clipvalue",) if one.optimizer.clipvalue is not None else FOLLOWED


@advice(
    "the norm of each variable's gradient is clipped by itself, which turns the gradient as a whole",
    global_clipping,
    fix="use global_clipnorm, which keeps the direction",
)
def clipnorm(one: Draft) -> Places:
    return ("optimizer.clipnorm",) if one.optimizer.clipnorm is not None else FOLLOWED


@advice(
    "its rate only ever falls, and in deep nets is spent before the training is done",
    "'optimizer={kind: sgd, learning_rate: 0.02, momentum: 0.9, nesterov: true}'",
    optimizers.Adagrad,
    optimizers.Ftrl,
)
def adagrad_depth(one: Draft) -> Places:
    ftrl = isinstance(one.optimizer, optimizers.Ftrl) and one.optimizer.learning_rate_power < 0
    falls = ftrl or isinstance(one.optimizer, optimizers.Adagrad)
    return ("optimizer", "network") if falls and one.network.hidden_layers >= DEEP else FOLLOWED


@advice(
    "its steps are about as large as the rate whatever the gradient, so a rate that suits sgd is too high",
    lambda one: at_rate(one, LARGEST_RATES[type(one.optimizer)] / 10),
    *LARGEST_RATES,
    fix="begin at 0.001, or ask `dtrain lr-find`",
)
def adaptive_rate(one: Draft) -> Places:
    place, rate = highest_rate(one)
    high = rate > LARGEST_RATES.get(type(one.optimizer), math.inf)
    return (place, "optimizer") if high and isinstance(one.normalization, NoNormalization) else FOLLOWED


@advice(
    "its steps are far smaller than its rate says: at Keras's default of 0.001 the weights hardly move",
    lambda one: at_rate(one, 0.1),
    *SMALLEST_RATES,
    fix="begin at 0.1, or ask `dtrain lr-find`",
)
def slow_optimizer(one: Draft) -> Places:
    place, rate = highest_rate(one)
    return (place, "optimizer") if rate < SMALLEST_RATES.get(type(one.optimizer), 0.0) else FOLLOWED


@advice(
    "such a schedule is best at its end, when the rate is low, and may be stopped long before",
    lambda one: f"{PATIENCE}={one.training.epochs}",
    OneCycle,
    Cosine,
    Polynomial,
    fix="leave patience out: it is then as long as the training",
)
def patience_before_end(one: Draft) -> Places:
    patience = _patience(one)
    early = patience is not None and patience < one.training.epochs / 2
    return (PATIENCE, "schedule", "training.epochs") if early and one.schedule.best_at_end else FOLLOWED


@advice(
    "a cycle of so few steps leaves no time at the high rates, nor at the low ones",
    lambda one: _longer(one, FEWEST_CYCLE_STEPS),
    OneCycle,
    fix="train for more epochs",
)
def one_cycle_steps(one: Draft) -> Places:
    steps = training_steps(one)
    few = steps is not None and steps < FEWEST_CYCLE_STEPS
    return ("schedule", "training.epochs") if few and isinstance(one.schedule, OneCycle) else FOLLOWED


@advice(
    "the training ends before the rate is ever reduced",
    lambda one: f"schedule.patience={max(1, min(one.training.epochs, _patience(one) or one.training.epochs) // 2)}",
    Performance,
    fix="lower schedule.patience",
)
def performance_patience(one: Draft) -> Places:
    if not isinstance(one.schedule, Performance) or one.schedule.every_steps is not None:
        return FOLLOWED
    own, patience = "schedule.patience", _patience(one)
    # of a single epoch none can be waited for
    if one.schedule.patience >= max(one.training.epochs, 2):
        return (own, "training.epochs")
    return (own, PATIENCE) if patience is not None and one.schedule.patience >= max(patience, 2) else FOLLOWED


@advice(
    "the rate hardly falls at all, or is next to nothing long before the end",
    lambda one: f"schedule.decay_epochs={one.training.epochs}",
    Exponential,
    fix="set decay_epochs to about the number of epochs",
)
def exponential_span(one: Draft) -> Places:
    if not isinstance(one.schedule, Exponential):
        return FOLLOWED
    epochs = one.training.epochs
    remains = one.schedule.decay_rate ** (epochs / one.schedule.decay_epochs)
    flat = remains > 0.75 and epochs >= SETTLED_EPOCHS
    return ("schedule.decay_epochs", "training.epochs") if flat or remains < 1e-5 else FOLLOWED


@advice(
    "a long training overfits in the end; early stopping keeps the best epoch at no cost",
    "'training.early_stopping={patience: 10}'",
)
def no_early_stopping(one: Draft) -> Places:
    long = _patience(one) is None and one.training.epochs >= LONG_TRAINING
    return ("training.early_stopping", "training.epochs") if long and not one.schedule.best_at_end else FOLLOWED


@advice(
    "the training ends first, so nothing is ever stopped early",
    lambda one: f"training.epochs={2 * (_patience(one) or 1)}",
    fix="train for more epochs",
)
def patience_beyond_end(one: Draft) -> Places:
    patience = _patience(one)
    # the default is not the user's choice, and a schedule that is best at its end wants the whole training
    if patience in (None, EarlyStopping().patience) or one.schedule.best_at_end:
        return FOLLOWED
    return (PATIENCE, "training.epochs") if patience > one.training.epochs else FOLLOWED

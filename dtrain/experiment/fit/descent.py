"""Rules on plain descent, whose steps are the gradient times the rate: how far one of them goes, and all together."""

from __future__ import annotations

import math

from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.repairs import at_rate, highest_rate
from dtrain.experiment.fit.rule import FOLLOWED, Places, advice, training_steps
from dtrain.experiment.techniques.activations import Relu, Relu6
from dtrain.experiment.techniques.networks import ConvNetwork
from dtrain.experiment.techniques.normalizations import NoNormalization
from dtrain.experiment.techniques.optimizers import SGD
from dtrain.experiment.techniques.schedules import OneCycle

LARGEST_VELOCITY = 1.0
"""learning_rate / (1 - momentum), the step that momentum builds up to: on the sample ReLU collapsed at twice this."""
LARGEST_CONVOLUTIONAL_VELOCITY = 0.5
"""On the sample two convolutions and a dense layer learnt nothing at this with ReLU, and diverged with ELU."""
USUAL_VELOCITY = 0.1
LOW_VELOCITY = 0.01
SHORTEST_WAY = 1.0
"""Steps times velocity: on the sample dense nets lost 10 points and more at 0.9, convolutional ones at 1.1."""
SHORTEST_WAY_AT_USUAL_RATES = 3.0
"""The same for rates that are not low: at 2.8 a way three to ten times as long was worth 3 to 9 points."""


def _momentum(one: Draft) -> float:
    """Returns the least momentum of plain descent at its highest rate."""
    momentum: float = getattr(one.optimizer, "momentum", 0.0)
    return one.schedule.minimum_momentum if momentum and isinstance(one.schedule, OneCycle) else momentum


def _velocity(one: Draft) -> float | None:
    """Returns the velocity of plain descent at its highest rate; None where something else scales its steps."""
    plain = isinstance(one.optimizer, SGD) and isinstance(one.normalization, NoNormalization) and not one.transfer
    return highest_rate(one)[1] / (1 - _momentum(one)) if plain else None


def way(one: Draft) -> float:
    """Returns how far all steps lead at most, along gradients of norm 1; infinity where nothing is known of that."""
    velocity, steps = _velocity(one), training_steps(one)
    return math.inf if velocity is None or steps is None else velocity * steps


def _at_usual_velocity(one: Draft) -> str:
    return at_rate(one, USUAL_VELOCITY * (1 - _momentum(one)))


@advice(
    "large steps push units where no image activates them: they output 0 for good",
    _at_usual_velocity,
    Relu,
    Relu6,
    fix="lower the rate",
)
def dying_relu(one: Draft) -> Places:
    dies = isinstance(one.activation, Relu | Relu6) and not isinstance(one.network, ConvNetwork)
    fast = (_velocity(one) or 0.0) >= LARGEST_VELOCITY
    return (highest_rate(one)[0], "activation") if dies and fast else FOLLOWED


@advice(
    "a convolution adds up the gradients of every place in the image: such steps diverge, or leave units dead",
    _at_usual_velocity,
    ConvNetwork,
    fix="lower the rate",
)
def convolutional_rate(one: Draft) -> Places:
    fast = (_velocity(one) or 0.0) >= LARGEST_CONVOLUTIONAL_VELOCITY
    return (highest_rate(one)[0], "network") if fast and isinstance(one.network, ConvNetwork) else FOLLOWED


@advice(
    "so low a rate takes the weights next to nowhere in all the steps of this training",
    _at_usual_velocity,
    SGD,
    fix="begin at 0.1 for plain descent and at 0.01 with momentum, or ask `dtrain lr-find`",
)
def low_rate(one: Draft) -> Places:
    low = (_velocity(one) or math.inf) < LOW_VELOCITY and way(one) < SHORTEST_WAY
    return (highest_rate(one)[0], "training.epochs") if low else FOLLOWED


@advice(
    "so few steps take the weights next to nowhere",
    lambda one: f"training.epochs={math.ceil(one.training.epochs * 3 * SHORTEST_WAY_AT_USUAL_RATES / way(one))}",
    SGD,
    fix="train for more epochs",
)
def few_steps(one: Draft) -> Places:
    # of a cycle that is too short, another rule speaks
    usual = (_velocity(one) or 0.0) >= LOW_VELOCITY and not isinstance(one.schedule, OneCycle)
    few = usual and way(one) < SHORTEST_WAY_AT_USUAL_RATES
    return ("training.epochs", highest_rate(one)[0]) if few else FOLLOWED


@advice(
    "a bound far below the usual norms of gradients cuts every step, and all of them take the weights next to nowhere",
    "optimizer.clipnorm=null optimizer.global_clipnorm=1",
    SGD,
)
def cut_steps(one: Draft) -> Places:
    name = "clipnorm" if one.optimizer.clipnorm else "global_clipnorm"
    bound: float = getattr(one.optimizer, name) or math.inf
    cut = bound * way(one) < SHORTEST_WAY <= way(one)
    return (f"optimizer.{name}", highest_rate(one)[0]) if cut else FOLLOWED

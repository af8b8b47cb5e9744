"""Rules on the layers: first weights and activations."""

from __future__ import annotations

from collections.abc import Iterator

from dtrain.experiment.draft import DEEP, Draft
from dtrain.experiment.fit.rule import FOLLOWED, Finding, Places, advice, error, is_plain_and_deep
from dtrain.experiment.techniques.activations import (
    Exponential,
    HardSigmoid,
    Rectifier,
    Sigmoid,
    SparseSigmoid,
    TanhShrink,
)
from dtrain.experiment.techniques.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    LecunNormal,
    LecunUniform,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    Zeros,
)
from dtrain.experiment.techniques.networks import ConvNetwork
from dtrain.experiment.techniques.normalizations import NoNormalization

SIGMOIDS = (Sigmoid, HardSigmoid, SparseSigmoid)
SMALL = (GlorotNormal, GlorotUniform, LecunNormal, LecunUniform)
FADED = 20
"""Hidden layers with which, on the sample, ReLU, Swish and GELU lost much to Glorot's first weights, and ELU a little;
with 5 ReLU lost nothing."""
LARGEST_DEVIATION = 0.4
"""Of first weights, whatever the layer's size: on the sample a truncated normal of 0.44 lost more than 40 points."""
DEVIATION_WITHIN_TWO = 0.8796
"""Deviation of the standard normal distribution cut off at -2 and 2."""


@error
def identity(one: Draft) -> Iterator[Finding]:
    if isinstance(one.initializer, Identity) and isinstance(one.network, ConvNetwork):
        message = "got 'identity' with convolutions; expected a dense network"
        yield Finding("initializer", message, "write orthogonal: it keeps lengths too")


@advice(
    "units that pass on only part of their inputs lower the variance in every layer; He's first weights make up for it",
    "set initializer to he_normal",
    Rectifier,
)
def rectifier_initializer(one: Draft) -> Places:
    rectifies = isinstance(one.activation, Rectifier)
    faded = isinstance(one.initializer, SMALL) and is_plain_and_deep(one, FADED)
    return ("initializer", "activation", "network") if rectifies and faded else FOLLOWED


@advice(
    "He's first weights make up for what a rectifier does not pass on, and bring a sigmoid nearer to where it is flat",
    "set initializer to glorot_uniform, or leave it out",
    *SIGMOIDS,
    HeNormal,
    HeUniform,
)
def sigmoid_initializer(one: Draft) -> Places:
    he = isinstance(one.initializer, HeNormal | HeUniform) and isinstance(one.normalization, NoNormalization)
    sigmoid = isinstance(one.activation, SIGMOIDS) and one.network.hidden_layers
    return ("initializer", "activation") if he and sigmoid else FOLLOWED


@advice(
    "one deviation for layers of any size lets the variance grow with the number of inputs: units saturate or explode",
    "set initializer to he_normal, or glorot_uniform for tanh and sigmoid",
    RandomNormal,
    TruncatedNormal,
    RandomUniform,
)
def unscaled_initializer(one: Draft) -> Places:
    field, deviation = _deviation(one.initializer)
    large = deviation >= LARGEST_DEVIATION and isinstance(one.normalization, NoNormalization)
    return (f"initializer.{field}",) if large else FOLLOWED


def _deviation(initializer: object) -> tuple[str, float]:
    """Returns the field that sets the deviation of first weights whatever the layer's size, and that deviation."""
    if isinstance(initializer, RandomNormal):
        return "stddev", initializer.stddev
    if isinstance(initializer, TruncatedNormal):
        return "stddev", DEVIATION_WITHIN_TWO * initializer.stddev
    if isinstance(initializer, RandomUniform):
        return "maxval", (initializer.maxval - initializer.minval) / 12**0.5
    return "", 0.0


@advice(
    "with equal weights all units of a layer compute the same, and learn the same",
    "set initializer to he_normal",
    Constant,
    Zeros,
)
def equal_weights(one: Draft) -> Places:
    equal = isinstance(one.initializer, Constant | Zeros)
    return ("initializer", "network") if equal and one.network.hidden_layers else FOLLOWED


@advice(
    "where it is flat, units pass on almost no gradient, and less in every layer",
    "set activation to elu, or normalization to batch_norm",
    *SIGMOIDS,
    TanhShrink,
)
def saturation(one: Draft) -> Places:
    saturates = isinstance(one.activation, (*SIGMOIDS, TanhShrink))
    return ("activation", "network") if saturates and is_plain_and_deep(one, DEEP) else FOLLOWED


@advice(
    "outputs, and gradients with them, grow exponentially from layer to layer",
    "set activation to elu, or normalization to batch_norm",
    Exponential,
)
def explosion(one: Draft) -> Places:
    explodes = isinstance(one.activation, Exponential) and is_plain_and_deep(one, 2)
    return ("activation", "network") if explodes else FOLLOWED

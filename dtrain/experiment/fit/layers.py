"""Rules on the layers: first weights and activations."""

from __future__ import annotations

from collections.abc import Iterator

from dtrain.experiment.draft import DEEP, Draft
from dtrain.experiment.fit.repairs import PASSING, paired_initializer
from dtrain.experiment.fit.rule import FOLLOWED, Finding, Places, advice, error, is_plain_and_deep
from dtrain.experiment.techniques.activations import (
    Exponential,
    HardSigmoid,
    Linear,
    Rectifier,
    Sigmoid,
    SparseSigmoid,
    TanhShrink,
)
from dtrain.experiment.techniques.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
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
    "initializer=he_normal",
    Rectifier,
)
def rectifier_initializer(one: Draft) -> Places:
    rectifies = isinstance(one.activation, Rectifier)
    faded = isinstance(one.initializer, SMALL) and is_plain_and_deep(one, FADED)
    return ("initializer", "activation", "network") if rectifies and faded else FOLLOWED


@advice(
    "one large deviation for layers of any size: weighted sums grow with the number of inputs, and units saturate or "
    "explode",
    # Fixup takes no normalization
    lambda one: PASSING if isinstance(one.activation, SIGMOIDS) and not one.network.fixup else paired_initializer(one),
    RandomNormal,
    TruncatedNormal,
    RandomUniform,
    fix="set initializer to the one that the activation is paired with, and in place of a sigmoid " + PASSING,
)
def unscaled_initializer(one: Draft) -> Places:
    if not _is_unscaled(one):
        return FOLLOWED
    return (f"initializer.{_deviation(one.initializer)[0]}", *("activation", "network")[: one.network.hidden_layers])


def _is_unscaled(one: Draft) -> bool:
    return _deviation(one.initializer)[1] >= LARGEST_DEVIATION and isinstance(one.normalization, NoNormalization)


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
    paired_initializer,
    Constant,
    Zeros,
    fix="set initializer to the one that the activation is paired with",
)
def equal_weights(one: Draft) -> Places:
    equal = isinstance(one.initializer, Constant | Zeros)
    return ("initializer", "network") if equal and one.network.hidden_layers else FOLLOWED


@advice(
    "each layer passes on half of the gradient or less, so that next to nothing reaches the first ones",
    PASSING,
    *SIGMOIDS,
    TanhShrink,
)
def vanishing(one: Draft) -> Places:
    vanishes = isinstance(one.activation, (*SIGMOIDS, TanhShrink)) and not _is_unscaled(one)
    return ("activation", "network") if vanishes and is_plain_and_deep(one, DEEP) else FOLLOWED


@advice(
    "outputs, and gradients with them, grow exponentially from layer to layer",
    "activation=elu initializer=he_normal",
    Exponential,
)
def explosion(one: Draft) -> Places:
    explodes = isinstance(one.activation, Exponential) and is_plain_and_deep(one, 2)
    return ("activation", "network") if explodes else FOLLOWED


@advice(
    "layers without a non-linearity between them compute little that one alone could not",
    "activation=elu initializer=he_normal",
    Linear,
)
def linear_layers(one: Draft) -> Places:
    linear = isinstance(one.activation, Linear) and one.network.hidden_layers
    return ("activation", "network") if linear else FOLLOWED

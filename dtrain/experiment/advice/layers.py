"""Rules on the layers: inputs, first weights, activations, normalization and noise."""

from __future__ import annotations

from dtrain.experiment.advice.rule import (
    ACTIVATION,
    BATCH_SIZE,
    FOLLOWED,
    INITIALIZER,
    NETWORK,
    NORMALIZATION,
    Places,
    Rule,
    regularizer,
    self_normalises,
)
from dtrain.experiment.spec import DEEP, NAMED_DATASETS, Experiment
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
    LecunNormal,
    LecunUniform,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    Zeros,
)
from dtrain.experiment.techniques.normalizations import BatchNorm, NoNormalization, NormalizationTechnique
from dtrain.experiment.techniques.regularizers import AlphaDropout, Dropout, GaussianDropout, Noise, SpatialDropout

UNSTEADY = 10
"""Hidden layers with which, on the sample, He and ELU without normalization diverged at the default rate."""
UNSTEADY_RESIDUAL = 8
"""The same where branches add their variance to what went into them."""
FADED = 20
"""Hidden layers with which, on the sample, ReLU, Swish and GELU lost much to Glorot's first weights, and ELU a little;
with 5 ReLU lost nothing."""
LARGEST_DEVIATION = 0.4
"""Of first weights, whatever the layer's size: on the sample a truncated normal of 0.44 lost more than 40 points."""
DEVIATION_WITHIN_TWO = 0.8796
"""Deviation of the standard normal distribution cut off at -2 and 2."""
SMALLEST_WINDOW = 100
"""Images that the moving statistics of batch normalization average over."""


def _is_plain_and_deep(one: Experiment, depth: int) -> bool:
    unaided = isinstance(one.normalization, NoNormalization) and not one.network.fixup
    return unaided and one.network.hidden_layers >= depth


def _hidden_noise(one: Experiment) -> tuple[float, ...]:
    """The rates behind the hidden layers."""
    noises = [each for each in one.regularizer if isinstance(each, Noise)]
    return noises[0].rates(one.network.hidden_layers)[1:] if noises else ()


@Rule.of(
    "raw pixels reach 255, which makes the first gradients as large",
    "set dataset.scaling to unit or standardize",
)
def unscaled_inputs(one: Experiment) -> Places:
    raw = one.dataset.scaling == "none" and one.dataset.name in NAMED_DATASETS
    normalised = isinstance(one.normalization, NormalizationTechnique) and one.normalization.inputs
    return (("dataset", "scaling"),) if raw and not normalised else FOLLOWED


@Rule.of(
    "units that pass on only part of their inputs lower the variance in every layer; He's first weights make up for it",
    "set initializer to he_normal",
    Rectifier,
)
def rectifier_initializer(one: Experiment) -> Places:
    rectifies = isinstance(one.activation, Rectifier)
    small = isinstance(one.initializer, GlorotNormal | GlorotUniform | LecunNormal | LecunUniform)
    return (INITIALIZER, ACTIVATION, NETWORK) if rectifies and small and _is_plain_and_deep(one, FADED) else FOLLOWED


@Rule.of(
    "He's first weights make up for what a rectifier does not pass on, and bring a sigmoid nearer to where it is flat",
    "set initializer to glorot_uniform, or leave it out",
    Sigmoid,
    HardSigmoid,
    SparseSigmoid,
    HeNormal,
    HeUniform,
)
def sigmoid_initializer(one: Experiment) -> Places:
    he = isinstance(one.initializer, HeNormal | HeUniform) and isinstance(one.normalization, NoNormalization)
    sigmoid = isinstance(one.activation, Sigmoid | HardSigmoid | SparseSigmoid) and one.network.hidden_layers
    return (INITIALIZER, ACTIVATION) if he and sigmoid else FOLLOWED


@Rule.of(
    "one deviation for layers of any size lets the variance grow with the number of inputs: units saturate or explode",
    "set initializer to he_normal, or glorot_uniform for tanh and sigmoid",
    RandomNormal,
    TruncatedNormal,
    RandomUniform,
)
def unscaled_initializer(one: Experiment) -> Places:
    field, deviation = _deviation(one.initializer)
    large = deviation >= LARGEST_DEVIATION and isinstance(one.normalization, NoNormalization)
    return (("initializer", field),) if large else FOLLOWED


def _deviation(initializer: object) -> tuple[str, float]:
    """Returns the field that sets the deviation of first weights whatever the layer's size, and that deviation."""
    if isinstance(initializer, RandomNormal):
        return "stddev", initializer.stddev
    if isinstance(initializer, TruncatedNormal):
        return "stddev", DEVIATION_WITHIN_TWO * initializer.stddev
    if isinstance(initializer, RandomUniform):
        return "maxval", (initializer.maxval - initializer.minval) / 12**0.5
    return "", 0.0


@Rule.of(
    "with equal weights all units of a layer compute the same, and learn the same",
    "set initializer to he_normal",
    Constant,
    Zeros,
)
def equal_weights(one: Experiment) -> Places:
    equal = isinstance(one.initializer, Constant | Zeros)
    return (INITIALIZER, NETWORK) if equal and one.network.hidden_layers else FOLLOWED


@Rule.of(
    "where it is flat, units pass on almost no gradient, and less in every layer",
    "set activation to elu, or normalization to batch_norm",
    Sigmoid,
    HardSigmoid,
    SparseSigmoid,
    TanhShrink,
)
def saturation(one: Experiment) -> Places:
    saturates = isinstance(one.activation, Sigmoid | HardSigmoid | SparseSigmoid | TanhShrink)
    return (ACTIVATION, NETWORK) if saturates and _is_plain_and_deep(one, DEEP) else FOLLOWED


@Rule.of(
    "outputs, and gradients with them, grow exponentially from layer to layer",
    "set activation to elu, or normalization to batch_norm",
    Exponential,
)
def explosion(one: Experiment) -> Places:
    return (ACTIVATION, NETWORK) if isinstance(one.activation, Exponential) and _is_plain_and_deep(one, 2) else FOLLOWED


@Rule.of(
    "good first weights keep gradients in bounds at the start, and not later in so deep a net",
    "set normalization to batch_norm, or network.fixup to true in a residual network",
    NoNormalization,
)
def deep_normalization(one: Experiment) -> Places:
    unsteady = _is_plain_and_deep(one, UNSTEADY_RESIDUAL if one.network.residual else UNSTEADY)
    return (NORMALIZATION, NETWORK) if unsteady and not self_normalises(one) else FOLLOWED


@Rule.of(
    "the moving statistics are of so few images that they are noise; small batches need more 9s",
    "raise momentum, or set final_statistics to full_pass",
    BatchNorm,
)
def batch_norm_window(one: Experiment) -> Places:
    layer = one.normalization
    if not isinstance(layer, BatchNorm) or layer.final_statistics != "moving":
        return FOLLOWED
    short = one.training.batch_size / (1 - layer.momentum) < SMALLEST_WINDOW
    return (("normalization", "momentum"), BATCH_SIZE) if short else FOLLOWED


@Rule.of(
    "rates from 0.1 to 0.5 are useful; above, more is lost than kept",
    "lower the rate; for more regularization add l2",
    Dropout,
    AlphaDropout,
    GaussianDropout,
    SpatialDropout,
)
def dropout_rate(one: Experiment) -> Places:
    found = regularizer(one, Noise)
    return ((*found[0], "rate"),) if found and max(_hidden_noise(one), default=0) > 0.5 else FOLLOWED

"""Rules on the layers: inputs, first weights, activations, normalization and noise."""

from __future__ import annotations

from dtrain.advice.rule import ACTIVATION, BATCH_SIZE, FOLLOWED, INITIALIZER, NETWORK, NORMALIZATION, Places, Rule
from dtrain.spec import DEEP, NAMED_DATASETS, Experiment
from dtrain.techniques.activations import LeakyRelu, Prelu, Relu, Rrelu, Selu, Sigmoid
from dtrain.techniques.initializers import (
    GlorotNormal,
    GlorotUniform,
    LecunNormal,
    LecunUniform,
    RandomNormal,
    VarianceScaling,
)
from dtrain.techniques.normalizations import BatchNorm, NoNormalization
from dtrain.techniques.regularizers import L1, L1L2, AlphaDropout, Dropout, Noise

UNSTEADY = 10
"""Hidden layers with which, on the sample, He and ELU without normalization diverged at the default rate."""
FADED = 20
"""Hidden layers with which, on the sample, ReLU lost much to Glorot's first weights; it lost nothing with 5."""
SMALLEST_WINDOW = 100
"""Images that the moving statistics of batch normalization average over."""


def _self_normalises(one: Experiment) -> bool:
    return isinstance(one.activation, Selu) and isinstance(one.normalization, NoNormalization)


def _is_plain_and_deep(one: Experiment, depth: int) -> bool:
    unaided = isinstance(one.normalization, NoNormalization) and not one.network.fixup
    return unaided and one.network.hidden_layers >= depth


def _regularizer(one: Experiment, *roles: type) -> Places:
    return tuple(("regularizer", index) for index, each in enumerate(one.regularizer) if isinstance(each, roles))[:1]


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
    normalised = isinstance(one.normalization, BatchNorm) and one.normalization.inputs
    return (("dataset", "scaling"),) if raw and not normalised else FOLLOWED


@Rule.of(
    "SELU only keeps mean 0 and deviation 1 where the inputs have them",
    "set dataset.scaling to standardize",
    Selu,
)
def selu_inputs(one: Experiment) -> Places:
    return (("dataset", "scaling"), ACTIVATION) if _self_normalises(one) and one.dataset.scaling == "unit" else FOLLOWED


@Rule.of(
    "SELU only keeps mean and deviation with first weights of variance 1 / fan_in, LeCun's",
    "set initializer to lecun_normal",
    Selu,
    LecunNormal,
    LecunUniform,
)
def selu_initializer(one: Experiment) -> Places:
    lecun = isinstance(one.initializer, LecunNormal | LecunUniform) or (
        isinstance(one.initializer, VarianceScaling)
        and (one.initializer.scale, one.initializer.mode) == (1.0, "fan_in")
    )
    return (INITIALIZER, ACTIVATION) if _self_normalises(one) and not lecun else FOLLOWED


@Rule.of(
    "SELU normalises itself: a normalization costs time and takes away what SELU is chosen for",
    "set normalization to none, or activation to elu",
    Selu,
)
def selu_normalization(one: Experiment) -> Places:
    normalised = not isinstance(one.normalization, NoNormalization)
    return (NORMALIZATION, ACTIVATION) if isinstance(one.activation, Selu) and normalised else FOLLOWED


@Rule.of(
    "zeros shift SELU's mean and deviation; alpha dropout keeps them",
    "use alpha_dropout",
    Selu,
    AlphaDropout,
)
def selu_dropout(one: Experiment) -> Places:
    found = _regularizer(one, Dropout)
    return (*found, ACTIVATION) if found and isinstance(one.activation, Selu) else FOLLOWED


@Rule.of(
    "weights driven to zero no longer have the variance that self-normalisation needs",
    "for a sparse model set activation to elu",
    Selu,
    L1,
    L1L2,
)
def selu_sparsity(one: Experiment) -> Places:
    found = _regularizer(one, L1, L1L2)
    return (*found, ACTIVATION) if found and _self_normalises(one) else FOLLOWED


@Rule.of(
    "what it puts in place of a dropped unit is SELU's lowest value, and strange to other activations",
    "use dropout",
    AlphaDropout,
)
def alpha_dropout(one: Experiment) -> Places:
    found = _regularizer(one, AlphaDropout)
    return (*found, ACTIVATION) if found and not isinstance(one.activation, Selu) else FOLLOWED


@Rule.of(
    "units that pass half of their inputs halve the variance in every layer; He's first weights make up for it",
    "set initializer to he_normal",
    Relu,
    LeakyRelu,
    Prelu,
    Rrelu,
)
def rectifier_initializer(one: Experiment) -> Places:
    rectifies = isinstance(one.activation, Relu | LeakyRelu | Prelu | Rrelu)
    small = isinstance(one.initializer, GlorotNormal | GlorotUniform | LecunNormal | LecunUniform)
    return (INITIALIZER, ACTIVATION, NETWORK) if rectifies and small and _is_plain_and_deep(one, FADED) else FOLLOWED


@Rule.of(
    "one deviation for layers of any size lets the variance grow with the number of inputs: units saturate or explode",
    "set initializer to he_normal, or glorot_uniform for tanh and sigmoid",
    RandomNormal,
)
def unscaled_initializer(one: Experiment) -> Places:
    large = isinstance(one.initializer, RandomNormal) and one.initializer.stddev >= 0.5
    return (("initializer", "stddev"),) if large and isinstance(one.normalization, NoNormalization) else FOLLOWED


@Rule.of(
    "saturated units pass on almost no gradient, and less in every layer",
    "set activation to elu, or normalization to batch_norm",
    Sigmoid,
)
def saturation(one: Experiment) -> Places:
    saturates = isinstance(one.activation, Sigmoid)
    return (ACTIVATION, NETWORK) if saturates and _is_plain_and_deep(one, DEEP) else FOLLOWED


@Rule.of(
    "good first weights keep gradients in bounds at the start, and not later in so deep a net",
    "set normalization to batch_norm",
    NoNormalization,
)
def deep_normalization(one: Experiment) -> Places:
    return (NORMALIZATION, NETWORK) if _is_plain_and_deep(one, UNSTEADY) and not _self_normalises(one) else FOLLOWED


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
)
def dropout_rate(one: Experiment) -> Places:
    found = _regularizer(one, Noise)
    return ((*found[0], "rate"),) if found and max(_hidden_noise(one), default=0) > 0.5 else FOLLOWED

"""Rules on SELU: what a net that normalises itself needs, and what only it needs."""

from __future__ import annotations

from dtrain.experiment.advice.rule import (
    ACTIVATION,
    FOLLOWED,
    INITIALIZER,
    NORMALIZATION,
    Places,
    Rule,
    regularizer,
    self_normalises,
)
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.activations import Selu
from dtrain.experiment.techniques.initializers import LecunNormal, LecunUniform, VarianceScaling
from dtrain.experiment.techniques.normalizations import NoNormalization
from dtrain.experiment.techniques.regularizers import L1, L1L2, AlphaDropout, Dropout, SpatialDropout


@Rule.of(
    "SELU only keeps mean 0 and deviation 1 where the inputs have them",
    "set dataset.scaling to standardize",
    Selu,
)
def selu_inputs(one: Experiment) -> Places:
    return (("dataset", "scaling"), ACTIVATION) if self_normalises(one) and one.dataset.scaling == "unit" else FOLLOWED


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
    return (INITIALIZER, ACTIVATION) if self_normalises(one) and not lecun else FOLLOWED


@Rule.of(
    "SELU normalises itself: a normalization costs time and takes away what SELU is chosen for",
    "set normalization to none, or activation to elu",
    Selu,
)
def selu_normalization(one: Experiment) -> Places:
    normalised = not isinstance(one.normalization, NoNormalization)
    return (NORMALIZATION, ACTIVATION) if isinstance(one.activation, Selu) and normalised else FOLLOWED


@Rule.of(
    "what is added back shifts mean and deviation: SELU only keeps them in a plain stack of layers",
    "set activation to elu, or network.residual to false",
    Selu,
)
def selu_residual(one: Experiment) -> Places:
    residual = isinstance(one.activation, Selu) and one.network.residual
    return (("network", "residual"), ACTIVATION) if residual else FOLLOWED


@Rule.of(
    "zeros shift SELU's mean and deviation; alpha dropout keeps them",
    "use alpha_dropout",
    Selu,
    AlphaDropout,
)
def selu_dropout(one: Experiment) -> Places:
    found = regularizer(one, Dropout, SpatialDropout)
    return (*found, ACTIVATION) if found and isinstance(one.activation, Selu) else FOLLOWED


@Rule.of(
    "weights driven to zero no longer have the variance that self-normalisation needs",
    "for a sparse model set activation to elu",
    Selu,
    L1,
    L1L2,
)
def selu_sparsity(one: Experiment) -> Places:
    found = regularizer(one, L1, L1L2)
    return (*found, ACTIVATION) if found and self_normalises(one) else FOLLOWED


@Rule.of(
    "what it puts in place of a dropped unit is SELU's lowest value, and strange to other activations",
    "use dropout",
    AlphaDropout,
)
def alpha_dropout(one: Experiment) -> Places:
    found = regularizer(one, AlphaDropout)
    return (*found, ACTIVATION) if found and not isinstance(one.activation, Selu) else FOLLOWED

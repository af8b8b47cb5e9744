"""Rules on SELU: what a net that normalises itself needs, and what only it needs."""

from __future__ import annotations

from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.repairs import gentle_alpha_dropout
from dtrain.experiment.fit.rule import FOLLOWED, Places, advice, regularizer, self_normalises
from dtrain.experiment.techniques.activations import Selu
from dtrain.experiment.techniques.initializers import LecunNormal, LecunUniform, VarianceScaling
from dtrain.experiment.techniques.normalizations import NoNormalization
from dtrain.experiment.techniques.regularizers import L1, L1L2, AlphaDropout, Dropout, SpatialDropout

ELU = "activation=elu initializer=he_normal normalization=batch_norm network.fixup=false"
"""SELU's neighbour, which goes with everything that SELU does not go with."""


@advice("SELU only keeps mean 0 and deviation 1 where the inputs have them", "dataset.scaling=standardize", Selu)
def selu_inputs(one: Draft) -> Places:
    return ("dataset.scaling", "activation") if self_normalises(one) and one.dataset.scaling == "unit" else FOLLOWED


@advice(
    "SELU only keeps mean and deviation with first weights of variance 1 / fan_in, LeCun's",
    "initializer=lecun_normal",
    Selu,
    LecunNormal,
    LecunUniform,
)
def selu_initializer(one: Draft) -> Places:
    lecun = isinstance(one.initializer, LecunNormal | LecunUniform) or (
        isinstance(one.initializer, VarianceScaling)
        and (one.initializer.scale, one.initializer.mode) == (1.0, "fan_in")
    )
    return ("initializer", "activation") if self_normalises(one) and not lecun else FOLLOWED


@advice(
    "SELU normalises itself: a normalization costs time and takes away what SELU is chosen for",
    "normalization=none initializer=lecun_normal dataset.scaling=standardize",
    Selu,
)
def selu_normalization(one: Draft) -> Places:
    normalised = not isinstance(one.normalization, NoNormalization)
    return ("normalization", "activation") if isinstance(one.activation, Selu) and normalised else FOLLOWED


@advice(
    "what is added back shifts mean and deviation: SELU only keeps them in a plain stack of layers",
    ELU,
    Selu,
)
def selu_residual(one: Draft) -> Places:
    residual = isinstance(one.activation, Selu) and one.network.residual
    return ("network.residual", "activation") if residual else FOLLOWED


@advice(
    "zeros shift SELU's mean and deviation; alpha dropout keeps them",
    gentle_alpha_dropout,
    Selu,
    AlphaDropout,
    fix="use alpha_dropout at half the rate, or in front of the last layers only",
)
def selu_dropout(one: Draft) -> Places:
    found = regularizer(one, Dropout, SpatialDropout)
    return (*found, "activation") if found and isinstance(one.activation, Selu) else FOLLOWED


@advice(
    "weights driven to zero no longer have the variance that self-normalisation needs",
    ELU,
    Selu,
    L1,
    L1L2,
)
def selu_sparsity(one: Draft) -> Places:
    found = regularizer(one, L1, L1L2)
    return (*found, "activation") if found and self_normalises(one) else FOLLOWED

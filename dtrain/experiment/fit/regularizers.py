"""Rules on the regularizers: how many of a sort, where they can stand, and how much of them is useful."""

from __future__ import annotations

from collections.abc import Iterator

from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.descent import way
from dtrain.experiment.fit.repairs import HIGHEST_DROPOUT, lower_noise, plain_dropout
from dtrain.experiment.fit.rule import FOLLOWED, Finding, Places, advice, error, regularizer
from dtrain.experiment.techniques.activations import Selu
from dtrain.experiment.techniques.networks import ConvNetwork
from dtrain.experiment.techniques.regularizers import (
    L1,
    L1L2,
    L2,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    Noise,
    Orthogonal,
    Penalty,
    SpatialDropout,
    WeightConstraint,
)
from dtrain.experiment.techniques.technique import Contradiction

ONE_OF_EACH = (
    (Penalty, "penalty", "l1_l2 has both factors"),
    (WeightConstraint, "constraint", "keep one of them"),
    (Noise, "dropout", "one entry takes a list of rates"),
)
LARGEST_L1, LARGEST_L2 = 0.005, 0.05
"""Factors: on the sample l1 cost 1 point at 0.001, 6 at 0.003 and 14 at 0.01, l2 2 at 0.01, 6 at 0.03 and 15 at 0.1."""
USUAL_WEIGHT = 0.05


@error
def one_of_a_sort(one: Draft) -> Iterator[Finding]:
    for sort, name, fix in ONE_OF_EACH:
        for index in [index for index, each in enumerate(one.regularizer) if isinstance(each, sort)][1:2]:
            message = f"got {one.regularizer[index].kind!r} as a second {name}; expected at most one"
            yield Finding(f"regularizer.{index}", message, fix)


@error
def orthogonal_penalty(one: Draft) -> Iterator[Finding]:
    for place in regularizer(one, Orthogonal) if isinstance(one.network, ConvNetwork) else ():
        hint = "write l2, and initializer: orthogonal for first weights at right angles"
        yield Finding(place, "got 'orthogonal' with convolutions; expected a dense network", hint)


@error
def spatial_dropout(one: Draft) -> Iterator[Finding]:
    for place in () if isinstance(one.network, ConvNetwork) else regularizer(one, SpatialDropout):
        message = "got 'spatial_dropout' without convolutions; expected network: {filters: [32, 64]}, for example"
        yield Finding(place, message, "write dropout")


@error
def rates(one: Draft) -> Iterator[Finding]:
    for index, each in enumerate(one.regularizer):
        try:
            _ = isinstance(each, Noise) and each.rates(one.network.hidden_layers)
        except Contradiction as wrong:
            yield Finding.of(wrong, "regularizer", index)


@advice(
    "rates from 0.1 to 0.5 are useful; above, more is lost than kept",
    lower_noise,
    Dropout,
    AlphaDropout,
    GaussianDropout,
    SpatialDropout,
    fix="lower the rate; for more regularization add l2",
)
def dropout_rate(one: Draft) -> Places:
    noises = [each for each in one.regularizer if isinstance(each, Noise)][:1]
    hidden = [rate for each in noises for rate in each.rates(one.network.hidden_layers)[1:]]
    return (f"{regularizer(one, Noise)[0]}.rate",) if max(hidden, default=0) > HIGHEST_DROPOUT else FOLLOWED


@advice(
    "what it puts in place of a dropped unit is SELU's lowest value, and strange to other activations",
    plain_dropout,
    AlphaDropout,
    fix="use dropout",
)
def alpha_dropout(one: Draft) -> Places:
    found = regularizer(one, AlphaDropout)
    return (*found, "activation") if found and not isinstance(one.activation, Selu) else FOLLOWED


def _factors(one: Draft) -> Iterator[tuple[str, float, float]]:
    """Yields where factors of penalties are written, with those of |w| and of w^2."""
    for index, each in enumerate(one.regularizer):
        place = f"regularizer.{index}"
        if isinstance(each, L1L2):
            yield from ((f"{place}.l1", each.l1, 0.0), (f"{place}.l2", 0.0, each.l2))
        elif isinstance(each, L1):
            yield f"{place}.factor", each.factor, 0.0
        elif isinstance(each, L2):
            yield f"{place}.factor", 0.0, each.factor


def _dominating(one: Draft) -> Iterator[tuple[str, float, float]]:
    for place, l1, l2 in _factors(one):
        # in the steps of plain descent a penalty takes away that share of a weight
        taken = way(one) * max(l1 / USUAL_WEIGHT, 2 * l2)
        if taken >= 1 and (l1 >= LARGEST_L1 or l2 >= LARGEST_L2):
            yield place, l1, l2


@advice(
    "the penalty outweighs what is to be learnt, and drives the weights to zero",
    lambda one: " ".join(f"{place}={1e-5 if l1 else 1e-4:f}" for place, l1, _ in _dominating(one)),
    L1,
    L2,
    L1L2,
    fix="lower the factor: 0.0001 is much for l2, and 0.00001 for l1",
)
def penalty(one: Draft) -> Places:
    return tuple(place for place, *_ in _dominating(one))[:1]

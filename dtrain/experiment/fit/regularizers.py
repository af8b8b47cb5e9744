"""Rules on the regularizers: how many of a sort, where they can stand, and how much of them is useful."""

from __future__ import annotations

from collections.abc import Iterator

from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.rule import FOLLOWED, Finding, Places, advice, error, regularizer
from dtrain.experiment.techniques.activations import Selu
from dtrain.experiment.techniques.networks import ConvNetwork
from dtrain.experiment.techniques.regularizers import (
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
    "lower the rate; for more regularization add l2",
    Dropout,
    AlphaDropout,
    GaussianDropout,
    SpatialDropout,
)
def dropout_rate(one: Draft) -> Places:
    noises = [each for each in one.regularizer if isinstance(each, Noise)][:1]
    hidden = [rate for each in noises for rate in each.rates(one.network.hidden_layers)[1:]]
    return (f"{regularizer(one, Noise)[0]}.rate",) if max(hidden, default=0) > 0.5 else FOLLOWED


@advice(
    "what it puts in place of a dropped unit is SELU's lowest value, and strange to other activations",
    "use dropout",
    AlphaDropout,
)
def alpha_dropout(one: Draft) -> Places:
    found = regularizer(one, AlphaDropout)
    return (*found, "activation") if found and not isinstance(one.activation, Selu) else FOLLOWED

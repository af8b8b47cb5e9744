"""Optimizers are Keras's own, with the names and defaults of Keras, and at most one form of clipping."""

from __future__ import annotations

import inspect

import keras
import pytest
from pydantic import TypeAdapter, ValidationError

from dtrain.experiment.techniques.optimizers import SGD, Adam, Optimizer, OptimizerTechnique

KINDS = [kind for kind in OptimizerTechnique.__subclasses__() if "kind" in kind.model_fields]
KINDS += [kind for family in OptimizerTechnique.__subclasses__() for kind in family.__subclasses__()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_fields_have_the_names_and_defaults_of_keras(kind: type[OptimizerTechnique]) -> None:
    theirs = inspect.signature(getattr(keras.optimizers, kind.__name__)).parameters
    for name, field in kind.model_fields.items():
        if name != "kind":
            assert field.default == theirs[name].default, name


def test_sgd_with_momentum_is_a_stock_sgd_whose_momentum_can_move() -> None:
    assert isinstance(SGD(momentum=0.9).build(), keras.optimizers.SGD)
    assert type(SGD().build()) is keras.optimizers.SGD


def test_momentum_can_be_cycled_only_where_there_is_one() -> None:
    assert SGD(momentum=0.9).cycled_momentum == 0.9
    assert SGD().cycled_momentum is None
    assert Adam().cycled_momentum is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"kind": "sgd", "nesterov": True}, "got true without momentum"),
        ({"kind": "adam", "clipnorm": 1.0, "clipvalue": 0.5}, "at most one form of clipping"),
        ({"kind": "adam", "ema_momentum": 0.5}, "got 0.5 without an average; expected use_ema: true"),
    ],
)
def test_contradictions_are_refused(written: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Optimizer).validate_python(written)

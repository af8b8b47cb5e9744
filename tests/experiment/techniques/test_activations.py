"""Each activation in use against its formula."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import special

from dtrain.experiment.techniques.activations import INITIALIZERS, Activation
from dtrain.experiment.techniques.technique import LayerSite

Z = np.linspace(-4, 4, 41)
SITE = LayerSite("activation_1", noise_index=1)


def negative_part(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.where(Z > 0, Z, function(np.minimum(Z, 0)))


FORMULAS = [
    ("relu", np.maximum(0, Z)),
    ("leaky_relu", np.maximum(0.2 * Z, Z)),
    ({"kind": "leaky_relu", "negative_slope": 0.01}, np.maximum(0.01 * Z, Z)),
    ("prelu", np.maximum(0, Z)),
    ("rrelu", negative_part(lambda z: z * (1 / 8 + 1 / 3) / 2)),
    ("elu", negative_part(lambda z: np.exp(z) - 1)),
    ({"kind": "elu", "alpha": 0.5}, negative_part(lambda z: 0.5 * (np.exp(z) - 1))),
    ("selu", 1.0507009873554805 * negative_part(lambda z: 1.6732632423543772 * (np.exp(z) - 1))),
    ("tanh", np.tanh(Z)),
    ("sigmoid", 1 / (1 + np.exp(-Z))),
    ("swish", Z / (1 + np.exp(-Z))),
    ("relu6", np.clip(Z, 0, 6)),
    ("celu", negative_part(lambda z: np.exp(z) - 1)),
    ({"kind": "celu", "alpha": 0.5}, negative_part(lambda z: 0.5 * (np.exp(z / 0.5) - 1))),
    ("gelu", Z * special.ndtr(Z)),
    ({"kind": "gelu", "approximate": True}, Z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (Z + 0.044715 * Z**3)))),
    ("mish", Z * np.tanh(np.log1p(np.exp(Z)))),
    ("softplus", np.log1p(np.exp(Z))),
    ("squareplus", (Z + np.sqrt(Z**2 + 4)) / 2),
    ({"kind": "squareplus", "b": 1}, (Z + np.sqrt(Z**2 + 1)) / 2),
    ("sparse_plus", np.where(Z <= -1, 0, np.where(Z >= 1, Z, (Z + 1) ** 2 / 4))),
    ("hard_swish", Z * np.clip(Z / 6 + 0.5, 0, 1)),
    ("hard_sigmoid", np.clip(Z / 6 + 0.5, 0, 1)),
    ("sparse_sigmoid", np.clip((Z + 1) / 2, 0, 1)),
    ("log_sigmoid", special.log_expit(Z)),
    ("hard_tanh", np.clip(Z, -1, 1)),
    ("softsign", Z / (1 + np.abs(Z))),
    ("tanh_shrink", Z - np.tanh(Z)),
    ("soft_shrink", np.sign(Z) * np.maximum(np.abs(Z) - 0.5, 0)),
    ({"kind": "hard_shrink", "threshold": 1.1}, np.where(np.abs(Z) > 1.1, Z, 0)),
    ({"kind": "threshold", "threshold": 0.3, "default_value": -1.0}, np.where(Z > 0.3, Z, -1)),
    ("exponential", np.exp(Z)),
    ("linear", Z),
]
ACROSS_UNITS = {"softmax", "log_softmax", "sparsemax", "glu"}
OTHER_NAMES = {"silu": "swish", "hard_silu": "hard_swish"}


def build(written: object, site: LayerSite = SITE) -> Callable[..., object]:
    technique: Activation = TypeAdapter(Activation).validate_python(written)
    layer: Callable[..., object] = technique.build(site)
    return layer


@pytest.mark.parametrize(("written", "expected"), FORMULAS)
def test_activation_equals_its_formula(written: object, expected: np.ndarray) -> None:
    layer = build(written)
    outputs = np.asarray(layer(Z[None].astype(np.float32)))
    np.testing.assert_allclose(outputs[0], expected, rtol=1e-5, atol=1e-6)


def test_prelu_has_a_slope_for_each_channel_behind_a_convolution() -> None:
    layer = build("prelu", LayerSite("activation_1", noise_index=1, convolutional=True))
    layer(np.zeros((1, 5, 6, 3), np.float32))
    assert layer.weights[0].shape == (1, 1, 3)  # type: ignore[attr-defined]


def test_rrelu_refuses_a_range_upside_down() -> None:
    with pytest.raises(ValidationError, match="expected at most upper"):
        build({"kind": "rrelu", "lower": 0.5, "upper": 0.1})


def test_every_elementwise_activation_of_keras_has_a_kind_and_a_formula_here() -> None:
    theirs = {name for name, _ in inspect.getmembers(keras.activations, inspect.isfunction)}
    theirs -= ACROSS_UNITS | {"get", "serialize", "deserialize"}
    ours = set(INITIALIZERS)
    assert {OTHER_NAMES.get(name, name) for name in theirs} <= ours
    assert {written if isinstance(written, str) else str(written["kind"]) for written, _ in FORMULAS} == ours  # type: ignore[index]

"""Each activation in use against its formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from dtrain.techniques.activations import Activation
from dtrain.techniques.technique import LayerSite

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
]


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

"""The table of layer measures: each is what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.engine.layer_measures import LayerStep, NormalizationStep, measured

LAYER = LayerStep(
    kernel=np.array([3.0, 4.0]),
    update=np.array([0.0, 0.05]),
    gradient=np.array([0.6, 0.8]),
    pre_activations=np.array([[-1.0, 3.0], [1.0, 3.0]]),
    activations=np.array([[0.0, 3.0], [1.0, 4.0]]),
    slopes=np.array([[0.0, 0.04], [-1.0, 0.06]]),
    flat_below=0.05,
    signal_gradients=None,
)
NORMALIZATION = NormalizationStep(np.array([0.0, 1.0]), np.ones(2), np.array([2.0, 1.0]), np.array([4.0, 1.0]))
EXPECTED = {
    "gradient_norm": 1,
    "weight_norm": 5,
    "update_ratio": 0.01,
    "pre_activation_mean": 1.5,
    "pre_activation_deviation": np.sqrt(2.75),
    "activation_mean": 2,
    "activation_deviation": np.sqrt(2.5),
    "saturated": 0.5,
    "moving_mean": 0.5,
    "moving_variance": 1,
    "batch_mean": 1.5,
    "batch_variance": 2.5,
    "mean_lag": np.sqrt(0.5),
}


def test_every_measure_is_what_its_name_says() -> None:
    found = measured([LAYER, LAYER], [NORMALIZATION])
    assert {name: values[0] for name, values in found.items()} == pytest.approx(EXPECTED)
    assert {len(values) for name, values in found.items() if name not in vars(NORMALIZATION)} == {2, 1}


def test_what_a_layer_does_not_have_is_not_a_number() -> None:
    frozen = LayerStep(np.zeros(2), np.zeros(2), None, np.ones(2), np.ones(2), None, 0.05, None)
    found = measured([frozen], [])
    assert found.keys() < EXPECTED.keys() and "moving_mean" not in found
    assert np.isnan([found[name][0] for name in ("gradient_norm", "update_ratio", "saturated")]).all()

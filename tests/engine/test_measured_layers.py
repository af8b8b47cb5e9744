"""What goes through layers: against NumPy by hand, Keras's own gradients, and every image looked at one by one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from dtrain.data.prepare import Data
from dtrain.engine import measured_layers
from dtrain.engine.epoch import Engine
from dtrain.engine.measured_layers import MeasuredNetwork, Pass
from dtrain.engine.objectives import Classification
from dtrain.layers.noise import NoisePlace
from tests.engine.helpers import ORDER, engine_of, experiment_of

SHAPES: dict[str, dict[str, Any]] = {
    "residual": {"network": {"depth": 4, "width": 8, "residual": True}, "normalization": "batch_norm"},
    "convolutional": {"network": {"filters": [2, 3], "hidden": [4]}, "activation": "prelu"},
    "noise": {"regularizer": "dropout", "activation": "rrelu"},
    "weighed": {"training": {"batch_size": 16, "class_weight": "balanced"}},
}


def close(found: Any, expected: Any, atol: float = 0) -> None:
    np.testing.assert_allclose(found, expected, atol=atol)


def looked_into(data: Data, **settings: Any) -> tuple[Engine, Pass]:
    engine = engine_of(experiment_of(**settings), data, "graph")
    return engine, engine.network.look(*engine.batch(ORDER[16:32], 7, 1))


def test_a_dense_network_is_what_it_is_by_hand(data: Data) -> None:
    l2 = {"kind": "l2", "factor": 0.01}
    engine, found = looked_into(data, activation="sigmoid", initializer="glorot_uniform", regularizer=l2)
    indices = ORDER[16:32]
    images = data.scaling.apply(data.train.images[indices]).reshape(16, -1).astype(np.float64)
    w1, b1, w2, b2, w3, b3 = (one.astype(np.float64) for one in engine.model.get_weights())
    z1 = images @ w1 + b1
    a1 = 1 / (1 + np.exp(-z1))
    z2 = a1 @ w2 + b2
    a2 = 1 / (1 + np.exp(-z2))
    z3 = a2 @ w3 + b3
    p = np.exp(z3) / np.exp(z3).sum(axis=1, keepdims=True)
    labels = np.eye(10)[data.train.labels[indices]]
    d2 = (p - labels) @ w3.T * a2 * (1 - a2)
    d1 = d2 @ w2.T * a1 * (1 - a1)
    first, second, output = found.layers
    assert found.loss == pytest.approx(-np.log((p * labels).sum(axis=1)).mean(), rel=1e-5)
    for layer, z, a, d in ((first, z1, a1, d1), (second, z2, a2, d2)):
        close(layer.pre_activations, z, atol=1e-5)
        close(layer.activations, a, atol=1e-6)
        close(layer.slopes, a * (1 - a), atol=1e-6)
        close(layer.signal_gradients, d, atol=1e-6)
    close(first.gradient, (images.T @ d1 / 16 + 0.02 * w1).ravel(), atol=1e-6)
    close(second.gradient, (a1.T @ d2 / 16 + 0.02 * w2).ravel(), atol=1e-6)
    close(output.pre_activations, z3, atol=1e-5)
    close(output.activations, p, atol=1e-6)
    assert output.slopes is None and output.signal_gradients is None
    assert [one.flat_below for one in engine.network.layers] == pytest.approx([0.0125, 0.0125, 0.05])


@pytest.mark.parametrize("settings", SHAPES.values(), ids=SHAPES)
def test_the_gradients_are_those_of_the_step_itself_and_nothing_has_changed(
    settings: dict[str, Any], data: Data
) -> None:
    """Steps of plain descent at a rate of 1: what they take away is the gradient."""
    plain = {"optimizer": {"kind": "sgd", "learning_rate": 1.0}}
    engine = engine_of(experiment_of(**plain | settings), data, "graph")
    before = [one.numpy() for one in engine.variables]
    found = engine.network.look(*engine.batch(ORDER[16:32], 7, 6))
    assert all(map(np.array_equal, before, [one.numpy() for one in engine.variables]))
    kernels = engine.network.kernels()
    taken = engine.train(ORDER, np.ones(5), None, 7, 5, 1, 2)
    assert found.loss == pytest.approx(taken["loss"][0], rel=1e-5)
    for layer, one, old, new in zip(
        engine.network.layers, found.layers, kernels, engine.network.kernels(), strict=True
    ):
        close(one.gradient, old - new, atol=2e-5)
        assert one.pre_activations.shape[-1] == layer.layer.kernel.shape[-1]
    names = [one.layer.name for one in engine.network.layers]
    assert names[-1] == "output" and len(set(names)) == len(names)


def test_every_hidden_layer_of_a_residual_network_has_the_activation_of_its_number(data: Data) -> None:
    engine = engine_of(experiment_of(**SHAPES["residual"]), data, "graph")
    pairs = {one.layer.name: one.activation and one.activation.name for one in engine.network.layers}
    expected = {f"dense_{number}": f"activation_{number}" for number in range(1, 5)}
    assert pairs == expected | {"projection_2": None, "output": None}


def test_batch_normalization_is_told_with_the_moments_of_the_batch(data: Data) -> None:
    engine, found = looked_into(data, normalization={"kind": "batch_norm", "inputs": True})
    images = data.scaling.apply(data.train.images[ORDER[16:32]]).reshape(16, -1)
    first = found.normalizations[0]
    close(first.batch_mean, images.mean(axis=0), atol=1e-6)
    close(first.batch_variance, images.var(axis=0), atol=1e-6)
    assert (first.moving_mean == 0).all() and (first.moving_variance == 1).all()
    assert len(found.normalizations) == len(engine.network.normalizations) == 3


def activations_of(kind: str) -> keras.Model:
    """A stranger's network: activations within layers, one as a layer, and a sum."""
    images = keras.Input((28, 28))
    signal = keras.layers.Dense(6, activation=kind)(keras.layers.Flatten()(images))
    branch = keras.layers.Dense(6)(signal)
    signal = keras.layers.ReLU()(keras.layers.Add()([signal, branch]))
    return keras.Model(images, keras.layers.Dense(10, activation="softmax")(signal))


def test_activations_within_layers_are_found_too(data: Data) -> None:
    model = activations_of("tanh")
    objective = Classification("softmax")
    network = MeasuredNetwork(model, objective, lambda *known: tf.reduce_mean(objective.losses(*known[:2])))
    images = data.scaling.apply(data.train.images[:8])
    place = NoisePlace(*(tf.constant(one, tf.uint32) for one in (0, 0, range(8))))
    first, second, _ = network.look(tf.constant(images), tf.constant(data.train.labels[:8]), place).layers
    close(np.tanh(first.pre_activations), first.activations, atol=1e-6)
    close(first.slopes, 1 - first.activations**2, atol=1e-6)
    assert first.signal_gradients is None
    close(np.maximum(second.pre_activations, 0), second.activations)
    assert second.signal_gradients is not None and model.layers[2].activation is keras.activations.tanh


@pytest.mark.parametrize(("activation", "batch"), [("relu", 16), ("sigmoid", 1000), ("elu", 1000)])
def test_a_unit_is_dead_where_no_image_of_all_has_a_slope(
    activation: str, batch: int, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_layers, "BATCH", batch)
    engine = engine_of(experiment_of(activation=activation), data, "graph")
    first = engine.model.get_layer("dense_1")
    images = data.scaling.apply(data.train.images).reshape(70, -1)
    bias = np.zeros(12, np.float32)
    # the third unit is woken by one image alone, the second by none
    signals = np.sort(images @ first.kernel.numpy()[:, 2])
    bias[1], bias[2] = -1e3, -signals[-2:].mean()
    first.bias.assign(bias)
    z = images @ first.kernel.numpy() + bias
    slopes = {"relu": z > 0, "sigmoid": z > -87, "elu": z > -103}[activation]
    expected = float((~slopes.any(axis=0)).sum())
    assert expected >= 1
    for _ in range(2):
        assert engine.network.dead_units(engine.examples_of, engine.examples)[0] == expected


def test_what_told_that_a_unit_lives_is_asked_first_the_next_time(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured_layers, "BATCH", 10)
    engine, asked = engine_of(experiment_of(activation="relu"), data, "graph"), list[int]()
    first = engine.model.get_layer("dense_1")
    images = data.scaling.apply(data.train.images).reshape(70, -1)
    signals = images @ first.kernel.numpy()[:, 0]
    bias = np.full(12, 1e3, np.float32)
    bias[0] = -np.sort(signals)[-2:].mean()
    first.bias.assign(bias)
    engine.model.get_layer("dense_2").bias.assign(np.full(8, 1e6))

    def batch_of(places: slice) -> tuple[tf.Tensor, tf.Tensor]:
        asked.append(places.start)
        return engine.examples_of(places)

    waker = int(signals.argmax()) // 10 * 10
    assert engine.network.dead_units(batch_of, 70) == [0, 0, 0]
    assert asked == [*range(0, waker + 1, 10)] and waker > 0
    asked.clear()
    engine.network.dead_units(batch_of, 70)
    assert asked == [0, waker]

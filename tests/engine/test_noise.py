"""Random layers in the engine against Keras: the oracle's noise, written into a stock model as constants."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from dtrain.data.prepare import Data
from dtrain.engine.epoch import Compiler
from dtrain.layers.dropout import CounterDropout, CounterGaussianDropout, CounterSpatialDropout
from dtrain.layers.rrelu import RReLU
from tests.engine.helpers import BATCH, ORDER, RATES, engine_of, experiment_of
from tests.layers import noise_oracle

NOISES: dict[str, dict[str, Any]] = {
    "dropout": {"regularizer": {"kind": "dropout", "rate": 0.3}},
    "alpha_dropout": {"activation": "selu", "regularizer": {"kind": "alpha_dropout", "rate": 0.3}},
    "gaussian_dropout": {"regularizer": {"kind": "gaussian_dropout", "rate": 0.3}},
    "rrelu": {"activation": "rrelu"},
    "rrelu with dropout": {"activation": "rrelu", "regularizer": {"kind": "dropout", "rate": 0.3}},
    "convolution with dropout": {
        "network": {"filters": [3], "hidden": [8]},
        "regularizer": {"kind": "dropout", "rate": 0.3},
    },
    "spatial_dropout": {
        "network": {"filters": [3], "hidden": [8]},
        "regularizer": {"kind": "spatial_dropout", "rate": 0.3},
    },
}


def masked_reference(model: keras.Model, batch: npt.NDArray[np.int64], step: int) -> keras.Model:
    """The same model for one step on these examples, with the oracle's noise written into it as constants."""

    def constant_noise(layer: keras.layers.Layer) -> keras.layers.Layer:
        if not hasattr(layer, "noise_index"):
            return type(layer).from_config(layer.get_config())
        shape = layer.output.shape[1:]
        if isinstance(layer, CounterSpatialDropout):
            shape = (1, 1, shape[-1])
        words = noise_oracle.words(1, layer.noise_index, step, batch, int(np.prod(shape)))
        return ConstantNoise(layer, words.reshape(len(batch), *shape), name=layer.name)

    copy = keras.models.clone_model(model, clone_function=constant_noise)
    copy.set_weights(model.get_weights())
    return copy


class ConstantNoise(keras.layers.Layer):  # type: ignore[misc]
    """What a noise layer does, from given random words and the formulas of the papers."""

    def __init__(self, layer: keras.layers.Layer, words: noise_oracle.Words, **options: Any) -> None:
        super().__init__(**options)
        self.layer, self.words = layer, words

    def call(self, inputs: Any) -> Any:
        """Applies the noise."""
        if isinstance(self.layer, RReLU):
            slopes = self.layer.lower + (self.layer.upper - self.layer.lower) * (self.words >> 8) / 2**24
            return keras.ops.where(inputs > 0, inputs, inputs * slopes.astype(np.float32))
        rate = self.layer.rate
        if isinstance(self.layer, CounterGaussianDropout):
            return inputs * (1 + np.sqrt(rate / (1 - rate)) * noise_oracle.normal(self.words)).astype(np.float32)
        kept = (self.words >= rate * 2**32).astype(np.float32)
        if isinstance(self.layer, CounterDropout):
            return inputs * kept / (1 - rate)
        floor = -1.7580993408473766
        scale = ((1 - rate) * (1 + rate * floor**2)) ** -0.5
        return scale * (inputs * kept + floor * (1 - kept)) - scale * floor * rate


@pytest.mark.parametrize("compiler", ["graph", "xla"])
@pytest.mark.parametrize("name", NOISES)
def test_random_layers_equal_keras_under_the_same_masks(name: str, compiler: Compiler, data: Data) -> None:
    experiment = experiment_of(**{"network": [8], "optimizer": "sgd"} | NOISES[name])
    engine = engine_of(experiment, data, compiler)
    images = data.scaling.apply(data.train.images)
    weights = engine.model.get_weights()
    for step in range(3):
        batch = ORDER[step * BATCH : (step + 1) * BATCH]
        reference = masked_reference(engine.model, batch, step)
        sgd = keras.optimizers.SGD(RATES[step])
        reference.compile(optimizer=sgd, loss="sparse_categorical_crossentropy", run_eagerly=True)
        records = engine.train(ORDER, RATES, None, noise_seed=1, first_step=0, start=step, stop=step + 1)
        loss = reference.train_on_batch(images[batch], data.train.labels[batch])
        assert records["loss"][0] == pytest.approx(float(loss), rel=1e-5)
        for ours, theirs in zip(engine.model.get_weights(), reference.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=1e-5)
    assert any(np.abs(new - old).max() > 1e-4 for new, old in zip(engine.model.get_weights(), weights, strict=True))


@pytest.mark.parametrize("name", NOISES)
def test_a_step_does_not_depend_on_where_an_example_stands_in_its_batch(name: str, data: Data) -> None:
    engines = [engine_of(experiment_of(**NOISES[name], optimizer="sgd"), data, "graph") for _ in range(2)]
    orders = [ORDER, np.concatenate([ORDER[:BATCH][::-1], ORDER[BATCH:]])]
    one, other = (engine.train(order, RATES, None, 1, 0, 0, 1) for engine, order in zip(engines, orders, strict=True))
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
    for left, right in zip(*(engine.model.get_weights() for engine in engines), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6, rtol=1e-5)


def test_an_example_has_its_own_noise_also_where_only_some_examples_are_chosen(data: Data) -> None:
    whole, chosen = (engine_of(experiment_of(**NOISES["dropout"], optimizer="sgd"), data, "graph") for _ in range(2))
    chosen.choose(np.arange(40, 70))
    places = np.arange(30)
    expected = whole.train(np.concatenate([places + 40, np.arange(40)]), RATES, None, 1, 0, 0, 1)
    np.testing.assert_array_equal(chosen.train(places, RATES[:2], None, 1, 0, 0, 1)["loss"], expected["loss"])

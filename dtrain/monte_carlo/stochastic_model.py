"""Monte Carlo dropout (Gal & Ghahramani 2016): a copy of a model in which dropout alone is random, and its passes.

Every other layer, batch normalization above all, works as in inference and keeps its state. What lies in front of the
first dropout layer is computed once for all passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.data.prepare import Scaling
from dtrain.engine.depth import any_depth
from dtrain.engine.epoch import Scaler
from dtrain.engine.model import Output
from dtrain.engine.objectives import Classification
from dtrain.ground.errors import ModelFileError
from dtrain.ground.randomness import Stream, word
from dtrain.layers.always_on import ALWAYS_ON
from dtrain.layers.dropout import COUNTERS
from dtrain.layers.noise import DroppingLayer, NoisePlace, current_place, noise
from dtrain.statistics.uncertainty import check_rates

Array = npt.NDArray[Any]

SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class DropoutLayer:
    """A layer that is random in every pass.

    Args:
        name: Its name in the model.
        kind: Its class in Keras.
        rate: Its rate.
    """

    name: str
    kind: str
    rate: float


class _Active(keras.layers.Layer):  # type: ignore[misc]
    """A noise layer that draws wherever `noise()` says a place, whether the model trains or not.

    It is compiled by XLA by itself, which makes one loop of hashing and masking: the random numbers are never stored.
    """

    def __init__(self, noise_layer: DroppingLayer) -> None:
        super().__init__(name=noise_layer.name)
        self._noise_layer = noise_layer
        self._compiled = tf.function(self._draw, jit_compile=True, autograph=False)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._noise_layer.build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        place = current_place()
        if place is None:
            return inputs
        # given as arguments: a tensor that is captured would belong to the first trace for ever
        return self._compiled(inputs, place.seed, place.step, place.examples)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def _draw(self, inputs: tf.Tensor, seed: tf.Tensor, step: tf.Tensor, examples: tf.Tensor) -> tf.Tensor:
        with noise(NoisePlace(seed, step, examples)):
            return self._noise_layer(inputs, training=True)


class StochasticModel:
    """A trained model whose dropout can be switched on.

    Args:
        model: From scaled images to probabilities; it is copied and stays as it is.
        output: What its probabilities come from.
        scaling: How the images are scaled.
        where: What to call the model in messages.

    Raises:
        ConfigError: It has no dropout layer, or all their rates are zero.
        ModelFileError: It has one that dtrain cannot make masks for.
    """

    def __init__(self, model: keras.Model, output: Output, scaling: Scaling, where: str) -> None:
        self.layers = dropout_layers(model, where)
        self._where, self._scaler = where, Scaler(scaling)
        self._probabilities = Classification(output).probabilities
        self._before, self._after = _split(_with_active_dropout(model, where))
        self._signals = tf.function(self._scale_and_begin, reduce_retracing=True, autograph=False)
        self._plain = tf.function(self._without_dropout, reduce_retracing=True, autograph=False)
        self._passes = tf.function(self._with_dropout, reduce_retracing=True, autograph=False)

    def begin(self, images: Array) -> tf.Tensor:
        """Returns what goes into the first dropout layer [images, ...] for images as stored."""
        return self._signals(tf.constant(images))

    def plain(self, signals: tf.Tensor) -> npt.NDArray[np.float32]:
        """Returns the probabilities [images, classes] with dropout off.

        Raises:
            ModelFileError: The model's outputs are no probabilities.
        """
        outputs = self._plain(signals).numpy()
        probabilities = self._probabilities(outputs)
        sums = probabilities.sum(axis=1)
        if not np.all((probabilities >= 0) & (np.abs(sums - 1) < SUM_TOLERANCE)[:, None]):
            raise ModelFileError(
                f"got outputs from {outputs.min():.3g} to {outputs.max():.3g}, which sum up to {sums.min():.3g} to "
                f"{sums.max():.3g}; expected probabilities",
                where=self._where,
                hint="the last layer has to be a softmax, or a sigmoid for two classes",
            )
        return probabilities

    def passes(self, signals: tf.Tensor, examples: Array, seed: int, first: int, passes: int) -> Array:
        """Returns the probabilities [passes, images, classes] with dropout on.

        Args:
            signals: What `begin` returned.
            examples: The number of each image [images], which its masks depend on.
            seed: Seeds the masks.
            first: Number of the first pass.
            passes: How many passes.
        """
        place = (tf.constant(value, tf.uint32) for value in (word(seed, Stream.PASSES), first))
        outputs = self._passes(signals, tf.constant(examples, tf.uint32), *place, tf.constant(passes)).numpy()
        flat = self._probabilities(outputs.reshape(-1, outputs.shape[-1]))
        return flat.reshape(*outputs.shape[:2], -1)

    def _scale_and_begin(self, images: tf.Tensor) -> tf.Tensor:
        scaled = self._scaler(images)
        return self._before(scaled, training=False) if self._before else scaled

    def _without_dropout(self, signals: tf.Tensor) -> tf.Tensor:
        with noise(None):
            return self._after(signals, training=False)

    def _with_dropout(
        self, signals: tf.Tensor, examples: tf.Tensor, seed: tf.Tensor, first: tf.Tensor, passes: tf.Tensor
    ) -> tf.Tensor:
        def body(number: tf.Tensor, outputs: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            with noise(NoisePlace(seed, first + tf.cast(number, tf.uint32), examples)):
                return number + 1, outputs.write(number, self._after(signals, training=False))

        outputs = tf.TensorArray(tf.float32, passes, element_shape=[None, *self._after.output_shape[1:]])
        _, outputs = tf.while_loop(lambda number, _: number < passes, body, (tf.constant(0), outputs))
        return outputs.stack()


def dropout_layers(model: keras.Model, where: str) -> tuple[DropoutLayer, ...]:
    """Returns the layers that Monte Carlo dropout makes random.

    Raises:
        ConfigError: There is none, or all their rates are zero: every pass would give the same.
    """
    found = tuple(
        DropoutLayer(layer.name, type(layer).__name__, float(layer.rate))
        for layer in _all_layers(model)
        if type(layer) in ALWAYS_ON
    )
    check_rates([one.rate for one in found], where)
    return found


def always_on_copy(model: keras.Model) -> keras.Model:
    """Returns a copy of a model of stock Keras layers whose dropout is always on, with the same weights."""

    def always_on(layer: keras.layers.Layer) -> keras.layers.Layer:
        return ALWAYS_ON.get(type(layer), type(layer)).from_config(layer.get_config())

    return _copied(model, always_on)


def _with_active_dropout(model: keras.Model, where: str) -> keras.Model:
    numbers = count(1)

    def active(layer: keras.layers.Layer) -> keras.layers.Layer:
        if type(layer) not in ALWAYS_ON:
            return type(layer).from_config(layer.get_config())
        if type(layer) not in COUNTERS or getattr(layer, "noise_shape", None) is not None:
            kinds = ", ".join(kind.__name__ for kind in COUNTERS)
            raise ModelFileError(
                f"got {type(layer).__name__} {layer.name!r}; expected one of {kinds}, without noise_shape", where=where
            )
        return _Active(COUNTERS[type(layer)](layer.rate, noise_index=next(numbers), name=layer.name))

    return _copied(model, active)


@any_depth()
def _copied(model: keras.Model, clone: Callable[[keras.layers.Layer], keras.layers.Layer]) -> keras.Model:
    copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


@any_depth()
def _split(model: keras.Model) -> tuple[keras.Model | None, keras.Model]:
    """Cuts a chain of layers in front of the first dropout; a model that is no chain there stays whole."""
    first = next(layer for layer in _all_layers(model) if isinstance(layer, _Active))
    try:
        before, after = keras.Model(model.inputs, first.input), keras.Model(first.input, model.outputs[0])
    # Keras's words for: used more than once, or not all that the rest needs comes through here
    except (AttributeError, ValueError):
        return None, model
    return (None, model) if any(isinstance(layer, _Active) for layer in _all_layers(before)) else (before, after)


def _all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers of a model and of the models among them."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)

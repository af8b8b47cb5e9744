"""Keras's dropouts, drawn from counters."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from dtrain.layers.noise import DroppingLayer, normal_numbers


@keras.saving.register_keras_serializable("dtrain")
class CounterDropout(DroppingLayer):
    """Dropout with counter-based masks: zero for dropped units, the others scaled by 1 / (1 - rate)."""

    def _drop(self, inputs: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        return tf.where(kept, inputs / (1 - self.rate), tf.zeros_like(inputs))

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.Dropout(self.rate, name=self.name)


@keras.saving.register_keras_serializable("dtrain")
class CounterSpatialDropout(CounterDropout):
    """Dropout of whole channels of images [batch, height, width, channels], with counter-based masks."""

    def _noise_shape(self, inputs: tf.Tensor) -> tuple[int, ...]:
        return (1, 1, inputs.shape[-1])

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.SpatialDropout2D(self.rate, name=self.name)


@keras.saving.register_keras_serializable("dtrain")
class CounterGaussianDropout(DroppingLayer):
    """Multiplicative Gaussian noise of mean 1 and variance rate / (1 - rate), counter-based."""

    def _disturb(self, inputs: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        return inputs * (1 + np.float32(np.sqrt(self.rate / (1 - self.rate))) * normal_numbers(words))

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.GaussianDropout(self.rate, name=self.name)


_SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772
"""The value that SELU saturates at, -scale x alpha (Klambauer et al. 2017, eq. 14)."""


@keras.saving.register_keras_serializable("dtrain")
class CounterAlphaDropout(DroppingLayer):
    """Alpha dropout with counter-based masks: SELU's floor for dropped units, then mean and variance restored."""

    def _drop(self, inputs: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        scale = ((1 - self.rate) * (1 + self.rate * _SELU_FLOOR**2)) ** -0.5
        shift = -scale * _SELU_FLOOR * self.rate
        return scale * tf.where(kept, inputs, tf.fill(tf.shape(inputs), np.float32(_SELU_FLOOR))) + shift

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.AlphaDropout(self.rate, name=self.name)


def _kinds(kind: type[DroppingLayer] = DroppingLayer) -> Iterator[type[DroppingLayer]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


COUNTERS: dict[type[keras.layers.Layer], type[DroppingLayer]] = {
    type(kind(0.5, noise_index=0).stock()): kind for kind in _kinds()
}
"""What draws from counters in place of each layer of Keras."""

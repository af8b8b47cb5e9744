"""Leaky ReLU with random slopes, which Keras lacks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from dtrain.layers.noise import NoiseLayer, random_words


@keras.saving.register_keras_serializable("dtrain")
class RReLU(NoiseLayer):
    """Leaky ReLU with a random slope for each element in training and the mean slope in use (Xu et al. 2015, 2.4).

    Args:
        lower: Smallest slope.
        upper: Largest slope.
        noise_index: The number of the layer in its network.
    """

    def __init__(self, lower: float, upper: float, *, noise_index: int, **kwargs: Any) -> None:
        super().__init__(noise_index=noise_index, **kwargs)
        self.lower, self.upper = lower, upper

    @property
    def mean_slope(self) -> float:
        """The slope in use: the mean of the range."""
        return (self.lower + self.upper) / 2

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns inputs above zero as they are and the others times their slope."""
        words = random_words(inputs.shape[1:], self.noise_index) if training else None
        if words is None:
            return tf.where(inputs > 0, inputs, inputs * self.mean_slope)
        # 24 bits fill a float32's mantissa exactly
        uniform = tf.cast(tf.bitwise.right_shift(words, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
        return tf.where(inputs > 0, inputs, inputs * (self.lower + (self.upper - self.lower) * uniform))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "lower": self.lower, "upper": self.upper}

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that predicts the same: Keras has no random slopes."""
        return keras.layers.LeakyReLU(negative_slope=self.mean_slope, name=self.name)

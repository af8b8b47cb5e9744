"""Keras's Gaussian noise drawn from counters: a base may hold it, while no experiment asks for it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from dtrain.layers.noise import NoiseLayer, normal_numbers, random_words


@keras.saving.register_keras_serializable("dtrain")
class CounterGaussianNoise(NoiseLayer):
    """Additive Gaussian noise of mean 0 in training, nothing in use.

    Args:
        stddev: Its deviation.
        noise_index: The number of the layer in its network.
    """

    def __init__(self, stddev: float, *, noise_index: int, **kwargs: Any) -> None:
        super().__init__(noise_index=noise_index, **kwargs)
        self.stddev = stddev

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns `inputs`, in training with noise added."""
        words = random_words(tuple(inputs.shape[1:]), self.noise_index) if training else None
        return inputs if words is None else inputs + self.stddev * normal_numbers(words)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "stddev": self.stddev}

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.GaussianNoise(self.stddev, name=self.name)

"""Fixup's trained scalars, which Keras lacks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("dtrain")
class TrainedScalar(keras.layers.Layer):  # type: ignore[misc]
    """One trained number that all inputs are multiplied by, or that is added to all (Zhang et al. 2019, section 3).

    Args:
        multiplies: Whether the number multiplies, from 1 on, or is added, from 0 on.
    """

    def __init__(self, *, multiplies: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiplies = multiplies

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the number."""
        self.scalar = self.add_weight(shape=(1,), initializer="ones" if self.multiplies else "zeros", name="scalar")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `inputs` times the number, or plus it."""
        return inputs * self.scalar if self.multiplies else inputs + self.scalar

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "multiplies": self.multiplies}

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with the number as a constant: Keras has no trained one."""
        number = float(self.scalar[0])
        scale, offset = (number, 0.0) if self.multiplies else (1.0, number)
        return keras.layers.Rescaling(scale, offset, name=self.name)

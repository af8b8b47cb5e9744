"""Dropout that is always on, as the lesson writes it, so that a saved model samples wherever it is loaded.

Import this module before `keras.models.load_model`. The random numbers are Keras's own.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

_PACKAGE = "dtrain"


class _AlwaysOn:
    """Lets the layer behind it in the order of classes believe that it trains."""

    def call(self, inputs: tf.Tensor, training: bool = True) -> tf.Tensor:
        """Returns `inputs` with units dropped, also in prediction."""
        layer: Any = super()
        return layer.call(inputs, training=True)


@keras.saving.register_keras_serializable(_PACKAGE)
class MCDropout(_AlwaysOn, keras.layers.Dropout):  # type: ignore[misc]
    """Keras's Dropout, always on."""


@keras.saving.register_keras_serializable(_PACKAGE)
class MCAlphaDropout(_AlwaysOn, keras.layers.AlphaDropout):  # type: ignore[misc]
    """Keras's AlphaDropout, always on."""


@keras.saving.register_keras_serializable(_PACKAGE)
class MCGaussianDropout(_AlwaysOn, keras.layers.GaussianDropout):  # type: ignore[misc]
    """Keras's GaussianDropout, always on."""


@keras.saving.register_keras_serializable(_PACKAGE)
class MCSpatialDropout1D(_AlwaysOn, keras.layers.SpatialDropout1D):  # type: ignore[misc]
    """Keras's SpatialDropout1D, always on."""


@keras.saving.register_keras_serializable(_PACKAGE)
class MCSpatialDropout2D(_AlwaysOn, keras.layers.SpatialDropout2D):  # type: ignore[misc]
    """Keras's SpatialDropout2D, always on."""


ALWAYS_ON: dict[type[keras.layers.Layer], type[keras.layers.Layer]] = {
    kind.__mro__[2]: kind
    for kind in (MCDropout, MCAlphaDropout, MCGaussianDropout, MCSpatialDropout1D, MCSpatialDropout2D)
}
"""Which layer stands for which of Keras's."""

"""Loss and correctness of predictions, for a softmax over the classes and for a single sigmoid."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.model import Output


def example_losses(output: Output, labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Returns the cross-entropy of each example, computed by Keras from the logits behind the probabilities.

    Args:
        output: What the probabilities come from.
        labels: int32 [batch].
        probabilities: The model's output: [batch, classes], or [batch, 1] with sigmoid.
    """
    if output == "sigmoid":
        return keras.losses.binary_crossentropy(tf.cast(labels, tf.float32)[:, None], probabilities)
    return keras.losses.sparse_categorical_crossentropy(labels, probabilities)


def correct_predictions(output: Output, labels: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Returns for each example [batch] whether the likeliest class is the label's."""
    if output == "sigmoid":
        return tf.equal(tf.cast(probabilities[:, 0] > 0.5, tf.int32), labels)
    return tf.equal(tf.argmax(probabilities, axis=-1, output_type=tf.int32), labels)


def class_probabilities(output: Output, probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns a probability for each class [examples, classes], also where the model gives only the second's."""
    return np.concatenate([1 - probabilities, probabilities], axis=1) if output == "sigmoid" else probabilities

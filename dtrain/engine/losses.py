"""The terms of the objective: losses of predictions, by a softmax or a single sigmoid, and penalties on weights."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.engine.model import Output


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


def weight_penalty(model: keras.Model) -> tf.Tensor:
    """Returns the sum of the penalties on the weights, the same as that of `model.losses`."""
    penalties = [_penalty(one.regularizer, one) for one in model.trainable_variables if one.regularizer]
    return tf.add_n(penalties) if penalties else tf.constant(0.0)


def _penalty(regularizer: keras.Regularizer, variable: keras.Variable) -> tf.Tensor:
    weights = tf.convert_to_tensor(variable)
    if isinstance(regularizer, keras.regularizers.L2):
        return regularizer.l2 * sum_of_elements(tf.square(weights))
    if isinstance(regularizer, keras.regularizers.L1):
        return regularizer.l1 * sum_of_elements(tf.abs(weights))
    return regularizer(weights)


def sum_of_elements(tensor: tf.Tensor) -> tf.Tensor:
    """Returns the sum of all elements, row by row as a product with ones.

    The compiler turns a plain sum into a chain of dependent additions, which took a quarter of a step.
    """
    rows = tf.reshape(tensor, [-1, tensor.shape[-1]])
    return tf.reduce_sum(tf.linalg.matvec(rows, tf.ones([rows.shape[-1]])))

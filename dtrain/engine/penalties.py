"""Penalties on weights, and sums that the compiler makes fast."""

from __future__ import annotations

import keras
import tensorflow as tf


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

"""Losses and predictions of a softmax and of a single sigmoid."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dtrain.engine.losses import class_probabilities, correct_predictions, example_losses
from dtrain.engine.model import Output

LABELS = tf.constant([0, 1, 1])
SIGMOID = np.array([[0.2], [0.9], [0.4]], np.float32)
SOFTMAX = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.5, 0.1, 0.4]], np.float32)


def test_cross_entropy_is_minus_the_logarithm_of_the_labels_probability() -> None:
    np.testing.assert_allclose(
        example_losses("sigmoid", LABELS, tf.constant(SIGMOID)), -np.log([0.8, 0.9, 0.4]), rtol=1e-5
    )
    np.testing.assert_allclose(
        example_losses("softmax", LABELS, tf.constant(SOFTMAX)), -np.log([0.7, 0.6, 0.1]), rtol=1e-5
    )


@pytest.mark.parametrize(("output", "probabilities"), [("sigmoid", SIGMOID), ("softmax", SOFTMAX)])
def test_the_likeliest_class_counts(output: Output, probabilities: np.ndarray) -> None:
    found = correct_predictions(output, LABELS, tf.constant(probabilities))
    assert found.numpy().tolist() == [True, True, False]


def test_a_sigmoid_is_spread_over_both_classes() -> None:
    np.testing.assert_allclose(class_probabilities("sigmoid", SIGMOID), [[0.8, 0.2], [0.1, 0.9], [0.6, 0.4]], rtol=1e-6)
    assert class_probabilities("softmax", SOFTMAX) is SOFTMAX

"""Objectives: classes by a softmax or a single sigmoid, and one that is not dtrain's own, against Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import keras
import numpy as np
import pytest
import tensorflow as tf

from dtrain.data.prepare import Data
from dtrain.engine.epoch import Compiler, Engine
from dtrain.engine.evaluation import Validator
from dtrain.engine.measures import ExampleMeasure
from dtrain.engine.model import Output
from dtrain.engine.objectives import Classification
from dtrain.engine.training import Trainer
from tests.engine.helpers import BATCH, ORDER, RATES, experiment_of
from tests.engine.test_training import Watcher

LABELS = tf.constant([0, 1, 1])
SIGMOID = np.array([[0.2], [0.9], [0.4]], np.float32)
SOFTMAX = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.5, 0.1, 0.4]], np.float32)


def test_cross_entropy_is_minus_the_logarithm_of_the_labels_probability() -> None:
    sigmoid, softmax = Classification("sigmoid"), Classification("softmax")
    np.testing.assert_allclose(sigmoid.losses(LABELS, tf.constant(SIGMOID)), -np.log([0.8, 0.9, 0.4]), rtol=1e-5)
    np.testing.assert_allclose(softmax.losses(LABELS, tf.constant(SOFTMAX)), -np.log([0.7, 0.6, 0.1]), rtol=1e-5)


@pytest.mark.parametrize(("output", "probabilities"), [("sigmoid", SIGMOID), ("softmax", SOFTMAX)])
def test_the_likeliest_class_counts(output: Output, probabilities: np.ndarray) -> None:
    found = Classification(output).correct(LABELS, tf.constant(probabilities))
    assert found.numpy().tolist() == [1, 1, 0]


def test_a_sigmoid_is_spread_over_both_classes() -> None:
    spread = Classification("sigmoid").probabilities(SIGMOID)
    np.testing.assert_allclose(spread, [[0.8, 0.2], [0.1, 0.9], [0.6, 0.4]], rtol=1e-6)
    assert Classification("softmax").probabilities(SOFTMAX) is SOFTMAX


class Reconstruction:
    """Images made again from images that lost their lower half: all that another objective has to say."""

    measures: Mapping[str, ExampleMeasure] = {
        "absolute_error": lambda targets, outputs: tf.reduce_mean(tf.abs(targets - outputs), axis=-1)
    }

    def batch(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the upper halves, and whole images, flat."""
        upper = tf.reshape(tf.range(28) < 14, [1, 28, 1])
        return tf.where(upper, images, tf.zeros_like(images)), tf.reshape(images, [-1, 784])

    def losses(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the mean squared error of each image."""
        return keras.losses.mean_squared_error(targets, outputs)

    def weights(self, labels: np.ndarray) -> None:
        """Returns nothing: all images count alike."""


def small_net() -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Flatten(), keras.layers.Dense(9, "relu", kernel_regularizer="l2"), keras.layers.Dense(784)]
    return keras.Sequential([keras.Input((28, 28)), *layers])


def engine_for(model: keras.Model, data: Data, compiler: Compiler) -> Engine:
    return Engine(model, keras.optimizers.Adam(), Reconstruction(), data.train, data.scaling, BATCH, compiler)


def prepared(data: Data) -> tuple[np.ndarray, np.ndarray]:
    images = data.scaling.apply(data.train.images)
    upper = images.copy()
    upper[:, 14:] = 0
    return upper, images.reshape(-1, 784)


@pytest.mark.parametrize("compiler", ["graph", "xla"])
def test_another_objective_trains_as_keras_trains_it(compiler: Compiler, data: Data) -> None:
    model, reference = small_net(), small_net()
    records = engine_for(model, data, compiler).train(ORDER, RATES, None, 1, 0, 0, 5)
    reference.compile(keras.optimizers.Adam(), "mean_squared_error", metrics=["mean_absolute_error"])
    inputs, targets = prepared(data)
    for step, batch in enumerate(np.split(ORDER, range(BATCH, len(ORDER), BATCH))):
        reference.optimizer.learning_rate = RATES[step]
        reference.reset_metrics()
        loss, error = reference.train_on_batch(inputs[batch], targets[batch])
        assert records["loss"][step] + records["penalty"][step] == pytest.approx(float(loss), rel=1e-5)
        assert records["absolute_error"][step] == pytest.approx(float(error), rel=1e-5)
    for ours, theirs in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=1e-5)


def test_another_objective_is_validated_by_its_own_measures(data: Data) -> None:
    experiment, model = experiment_of(optimizer="adam", training={"batch_size": BATCH, "epochs": 2}), small_net()
    validator = Validator(model, Reconstruction(), data.scaling)
    history = Trainer(experiment, data, engine_for(model, data, "graph"), validator, Watcher()).train()
    last = history.epochs[-1]
    assert last["val_loss"] < history.epochs[0]["val_loss"]
    assert "accuracy" not in last and "val_accuracy" not in last
    assert {"absolute_error", "val_absolute_error"} <= last.keys() and "absolute_error" in history.steps
    on_train = validator.measure(replace(data.train))
    inputs, targets = prepared(data)
    model.compile(loss="mean_squared_error", metrics=["mean_absolute_error"])
    _, error = cast(list[float], model.evaluate(inputs, targets, verbose=0))
    assert on_train["absolute_error"] == pytest.approx(error, rel=1e-5)

"""The forward pass against Keras, and the final statistics of batch norm against NumPy."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from dtrain.data.images import ImageSet
from dtrain.data.prepare import Data, Split, prepare
from dtrain.engine.evaluation import Evaluator, set_final_statistics
from dtrain.engine.model import build_model, output_kind
from dtrain.engine.objectives import Classification
from dtrain.experiment.spec import Experiment


def model_and_evaluator(data: Data, **written: Any) -> tuple[keras.Model, Evaluator]:
    experiment = Experiment.model_validate({"network": [12, 8], "regularizer": []} | written)
    classes = len(data.class_names)
    model = build_model(experiment, data.image_shape, classes, seed=1)
    return model, Evaluator(model, Classification(output_kind(experiment, classes)), data.scaling)


def test_loss_and_accuracy_equal_those_of_keras(data: Data) -> None:
    model, evaluator = model_and_evaluator(data)
    found = evaluator.evaluate(data.test)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(data.scaling.apply(data.test.images), data.test.labels, verbose=0)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert found.accuracy == pytest.approx(accuracy)
    assert found.correct == round(accuracy * len(data.test.labels))
    assert found.probabilities.shape == (2000, 10)


def test_two_classes_have_two_probabilities(image_set: ImageSet) -> None:
    experiment = Experiment.model_validate({"dataset": {"classes": [5, 6], "train_limit": 50}})
    data = prepare(experiment.dataset, image_set)
    model, evaluator = model_and_evaluator(data)
    found = evaluator.evaluate(data.test)
    model.compile(loss="binary_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(data.scaling.apply(data.test.images), data.test.labels, verbose=0)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert found.accuracy == pytest.approx(accuracy)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("network", [[12, 8], {"filters": [3], "hidden": [8]}], ids=["dense", "conv"])
def test_full_pass_gives_batch_norm_the_statistics_of_the_training_set(network: object, data: Data) -> None:
    normalization = {"kind": "batch_norm", "inputs": True}
    model, _ = model_and_evaluator(data, network=network, normalization=normalization, regularizer="dropout")
    set_final_statistics(model, data.train, data.scaling, batch_size=32)
    images = data.scaling.apply(data.train.images)
    inputs = images.reshape(70, 784) if isinstance(network, list) else images[..., None]
    axes = tuple(range(inputs.ndim - 1))
    layer = model.get_layer("batch_norm_0")
    np.testing.assert_allclose(layer.moving_mean, inputs.mean(axis=axes), atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, inputs.var(axis=axes), atol=1e-5)


def test_full_pass_knows_the_axis_of_the_inputs(data: Data) -> None:
    model, _ = model_and_evaluator(data, normalization={"kind": "batch_norm", "inputs": True, "axis": 1})
    set_final_statistics(model, data.train, data.scaling, batch_size=32)
    rows = data.scaling.apply(data.train.images).mean(axis=(0, 2))
    np.testing.assert_allclose(model.get_layer("batch_norm_0").moving_mean, rows, atol=1e-5)


def test_full_pass_does_not_depend_on_images_sorted_by_class(data: Data) -> None:
    model, _ = model_and_evaluator(data, normalization="batch_norm")
    by_class = np.argsort(data.train.labels, kind="stable")
    variances = []
    for order in (by_class, np.random.default_rng(1).permutation(70)):
        train = Split(data.train.images[order], data.train.labels[order])
        set_final_statistics(model, train, data.scaling, batch_size=35)
        variances.append(model.get_layer("batch_norm_2").moving_variance.numpy())
    # two batches of ten classes; in the order of the file they would hold five classes each
    assert np.abs(variances[0] / variances[1] - 1).mean() < 0.15


def test_full_pass_sees_each_layer_behind_the_batch_statistics_of_those_below(data: Data) -> None:
    model, _ = model_and_evaluator(data, normalization="batch_norm")
    train = Split(data.train.images[:32], data.train.labels[:32])
    set_final_statistics(model, train, data.scaling, batch_size=32)
    signal = data.scaling.apply(train.images).reshape(32, 784)
    for number in (1, 2):
        kernel, bias = model.get_layer(f"dense_{number}").get_weights()
        activated = signal @ kernel + bias
        activated = np.where(activated > 0, activated, np.exp(np.minimum(activated, 0)) - 1)
        layer = model.get_layer(f"batch_norm_{number}")
        np.testing.assert_allclose(layer.moving_mean, activated.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(layer.moving_variance, activated.var(axis=0), atol=1e-4, rtol=1e-4)
        signal = (activated - activated.mean(axis=0)) / np.sqrt(activated.var(axis=0) + 1e-3)

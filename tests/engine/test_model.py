"""From an experiment to layers: their order, their seeds, and the stock model that is saved."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter

from dtrain.engine.model import build_model, output_kind, stock_model
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.activations import INITIALIZERS, Activation
from dtrain.experiment.techniques.technique import LayerSite
from dtrain.layers.trained_scalar import TrainedScalar

IMAGES = np.random.default_rng(0).normal(size=(20, 28, 28)).astype(np.float32)


def model_of(seed: int = 1, classes: int = 10, shape: tuple[int, ...] = (28, 28), **written: Any) -> keras.Model:
    plain = {"network": [12, 8], "dataset": {"classes": list(range(classes))}}
    return build_model(Experiment.model_validate(plain | written), shape, classes, seed)


def layers_of(**written: Any) -> list[str]:
    return [layer.name for layer in model_of(**written).layers]


def test_the_activation_is_a_layer_of_its_own_behind_the_linear_one() -> None:
    assert layers_of() == ["images", "flatten", "dense_1", "activation_1", "dense_2", "activation_2", "output"]


def test_batch_norm_behind_the_activation() -> None:
    assert layers_of(normalization="batch_norm")[2:5] == ["dense_1", "activation_1", "batch_norm_1"]


def test_batch_norm_before_the_activation_takes_the_place_of_the_bias() -> None:
    model = model_of(normalization={"kind": "batch_norm", "position": "before"})
    assert [layer.name for layer in model.layers][2:5] == ["dense_1", "batch_norm_1", "activation_1"]
    assert not model.get_layer("dense_1").use_bias
    assert model.get_layer("output").use_bias


def test_the_lessons_network_with_batch_norm_has_its_parameters() -> None:
    model = model_of(network=[300, 100], normalization={"kind": "batch_norm", "inputs": True})
    assert model.get_layer("batch_norm_0").count_params() == 3136
    assert model.get_layer("batch_norm_1").count_params() == 1200
    assert model.get_layer("batch_norm_2").count_params() == 400
    assert model.count_params() == 271_346
    assert sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights) == 2368


@pytest.mark.parametrize(
    ("axis", "network", "averaged"),
    [
        (-1, [12], (0, 1)),
        (1, [12], (0, 2)),
        ([1, 2], [12], 0),
        ([1, 2], {"filters": [4]}, 0),
        (-1, {"filters": [4]}, (0, 1, 2)),
    ],
)
def test_the_inputs_have_statistics_along_the_axes_that_are_chosen(
    axis: object, network: object, averaged: int | tuple[int, ...]
) -> None:
    model = model_of(network=network, normalization={"kind": "batch_norm", "inputs": True, "axis": axis})
    mean, variance = IMAGES.mean(averaged, keepdims=True), IMAGES.var(averaged, keepdims=True)
    assert model.get_layer("batch_norm_0").moving_mean.shape == (mean.size,)
    last = next(layer for layer in reversed(model.layers) if layer.name in ("batch_norm_0", "split_axes"))
    normalized = keras.Model(model.input, last.output)(IMAGES, training=True)
    expected = (IMAGES - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(np.reshape(normalized, IMAGES.shape), expected, atol=1e-4)


@pytest.mark.parametrize("axis", [-1, 1])
def test_keras_normalises_images_along_an_axis_as_we_do(axis: int) -> None:
    model = model_of(normalization={"kind": "batch_norm", "inputs": True, "axis": axis})
    ours, theirs = model.get_layer("batch_norm_0"), keras.layers.BatchNormalization(axis)
    np.testing.assert_allclose(ours(IMAGES, training=True), theirs(IMAGES, training=True), atol=1e-6)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, atol=1e-6)


def test_colour_images_have_their_own_axes() -> None:
    for axis, statistics in ((-1, 3), ([1, 2], 80), ([2, 3], 30), ([1, 2, 3], 240)):
        norm = {"kind": "batch_norm", "inputs": True, "axis": axis}
        for network in ([5], {"filters": [4]}):
            model = model_of(shape=(8, 10, 3), network=network, normalization=norm, dataset={"name": "./own"})
            assert model.get_layer("batch_norm_0").moving_mean.shape == (statistics,)


FIXUP = {"hidden": [12, 8, 8, 8], "residual": True, "fixup": True}


def test_two_layers_form_a_branch_that_is_added_to_what_went_into_it() -> None:
    names = layers_of(network={"hidden": [12, 8, 8, 8], "residual": True})
    assert names[2:7] == ["dense_1", "activation_1", "projection_2", "dense_2", "sum_2"]
    assert names[7:] == ["activation_2", "dense_3", "activation_3", "dense_4", "sum_4", "activation_4", "output"]


def test_a_residual_network_is_the_sum_of_its_parts() -> None:
    model = model_of(network={"hidden": [12, 784], "residual": True}, activation="relu")
    (first, bias), (second, other) = (model.get_layer(name).get_weights() for name in ("dense_1", "dense_2"))
    images = IMAGES.reshape(20, 784)
    expected = images + np.maximum(images @ first + bias, 0) @ second + other
    np.testing.assert_allclose(
        keras.Model(model.input, model.get_layer("sum_2").output)(IMAGES), expected, rtol=1e-4, atol=1e-4
    )


def test_fixup_shrinks_the_first_layer_of_a_branch_and_clears_the_last_and_the_output() -> None:
    fixup, plain = model_of(network=FIXUP), model_of(network=FIXUP | {"fixup": False})
    for name in ("dense_1", "dense_3"):
        np.testing.assert_allclose(fixup.get_layer(name).kernel, plain.get_layer(name).kernel / np.sqrt(2), rtol=1e-6)
        assert not fixup.get_layer(name).use_bias
    for name in ("dense_2", "dense_4", "output"):
        assert not np.asarray(fixup.get_layer(name).kernel).any()
    np.testing.assert_array_equal(fixup.get_layer("projection_2").kernel, plain.get_layer("projection_2").kernel)
    scalars = [layer.multiplies for layer in fixup.layers if isinstance(layer, TrainedScalar)]
    assert (scalars.count(True), scalars.count(False)) == (2, 2 * 4 + 1)


def first_gradient_norms(depth: int, **network: bool) -> list[float]:
    """The norms of the whole gradient in the first three steps of a narrow net of ReLU without normalization."""
    written = {"depth": depth, "width": 10, **network}
    model = model_of(network=written, normalization="none", activation="relu", regularizer=[])
    optimizer, norms = keras.optimizers.SGD(0.02), []
    for _ in range(3):
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(np.arange(20) % 10, model(IMAGES, training=True))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        norms.append(float(tf.linalg.global_norm(gradients)))
    return norms


def test_fixup_makes_the_first_gradients_independent_of_depth() -> None:
    shallow, deep = (first_gradient_norms(depth, residual=True, fixup=True) for depth in (2, 50))
    np.testing.assert_allclose(deep, shallow, rtol=0.1)
    assert first_gradient_norms(50, residual=True)[0] > 100 * deep[0]


@pytest.mark.slow
def test_fixup_makes_the_first_gradients_independent_of_a_thousand_layers() -> None:
    shallow, deep = (first_gradient_norms(depth, residual=True, fixup=True) for depth in (2, 1000))
    np.testing.assert_allclose(deep, shallow, rtol=0.1)


def test_the_identity_stands_in_the_square_kernels_of_a_net() -> None:
    model = model_of(network=[8, 8], initializer="identity")
    np.testing.assert_array_equal(model.get_layer("dense_2").kernel, np.eye(8))
    np.testing.assert_allclose(np.linalg.svd(model.get_layer("dense_1").kernel, compute_uv=False), 1, rtol=1e-4)


def test_dropout_stands_before_every_dense_layer_and_never_behind_the_output() -> None:
    names = layers_of(regularizer="dropout")
    places = [name for name in names if name.startswith(("dropout", "dense", "output"))]
    assert places == ["dropout_0", "dense_1", "dropout_1", "dense_2", "dropout_2", "output"]


def test_every_random_layer_draws_noise_of_its_own() -> None:
    model = model_of(activation="rrelu", regularizer="dropout")
    numbers = [layer.noise_index for layer in model.layers if hasattr(layer, "noise_index")]
    assert len(numbers) == len(set(numbers)) == 5


def test_dropout_on_the_last_hidden_layer_only() -> None:
    names = layers_of(regularizer={"kind": "dropout", "layers": "last"})
    assert [name for name in names if "dropout" in name] == ["dropout_2"]


def test_a_convolutional_network_and_its_noise() -> None:
    names = layers_of(network={"filters": [4, 6], "hidden": [5]}, regularizer={"kind": "dropout", "layers": "hidden"})
    assert names[2:6] == ["conv_1", "activation_1", "pooling_1", "dropout_1"]
    assert names[-4:] == ["dense_3", "activation_3", "dropout_3", "output"]


def test_colour_images_keep_their_channels() -> None:
    model = model_of(shape=(8, 10, 3), network={"filters": [4], "hidden": []})
    assert model.get_layer("conv_1").kernel.shape == (3, 3, 3, 4)


def test_many_poolings_of_a_small_image_do_no_harm() -> None:
    assert model_of(network={"filters": [2] * 7, "hidden": []}).output_shape == (None, 10)


def test_penalties_act_on_every_kernel_and_max_norm_on_hidden_ones() -> None:
    model = model_of(regularizer=["l2", {"kind": "max_norm", "biases": True}])
    hidden, output = model.get_layer("dense_1"), model.get_layer("output")
    assert hidden.kernel_regularizer and output.kernel_regularizer
    assert hidden.kernel_constraint and hidden.bias_constraint
    assert output.kernel_constraint is None


def test_hidden_layers_follow_the_initializer_and_the_output_keeps_glorot() -> None:
    model = model_of(initializer="he_normal")
    assert isinstance(model.get_layer("dense_1").kernel_initializer, keras.initializers.HeNormal)
    assert isinstance(model.get_layer("output").kernel_initializer, keras.initializers.GlorotUniform)


def test_weights_depend_on_the_seed_and_differ_between_layers_of_one_shape() -> None:
    network = {"depth": 3, "width": 784}
    first, again, other = (model_of(seed=seed, network=network) for seed in (1, 1, 2))
    for one, two in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first.get_weights()[0] != other.get_weights()[0]).any()
    assert (first.get_layer("dense_1").get_weights()[0] != first.get_layer("dense_2").get_weights()[0]).any()


def test_two_classes_get_one_sigmoid_and_more_a_softmax() -> None:
    assert model_of(classes=2).output_shape == (None, 1)
    assert model_of(classes=3).output_shape == (None, 3)
    softmax = Experiment.model_validate({"network": {"hidden": [4], "output": "softmax"}})
    assert output_kind(softmax, classes=2) == "softmax"


def model_of_every_activation() -> keras.Model:
    """A model that puts the images through each activation and shows all results side by side."""
    images = keras.Input((28, 28))
    every = (TypeAdapter(Activation).validate_python(kind) for kind in INITIALIZERS)
    layers = [one.build(LayerSite(f"activation_{number}", number)) for number, one in enumerate(every)]
    return keras.Model(images, keras.layers.Concatenate()([layer(images) for layer in layers]))


SAVED: dict[str, dict[str, Any]] = {
    "everything dense": {
        "activation": "rrelu",
        "normalization": {"kind": "batch_norm", "position": "before", "inputs": True},
        "regularizer": ["l1_l2", {"kind": "max_norm", "biases": True}, "dropout"],
    },
    "inputs by the pixel": {"normalization": {"kind": "batch_norm", "inputs": True, "axis": [1, 2]}},
    "everything convolutional": {
        "network": {"filters": [3], "hidden": [8]},
        "activation": "prelu",
        "normalization": {"kind": "batch_norm", "inputs": True},
        "regularizer": ["l2", "max_norm", "alpha_dropout"],
    },
    "gelu by a hyperbolic tangent": {"activation": {"kind": "gelu", "approximate": True}},
    "other noise and norms, residual": {
        "network": {"filters": [4, 4, 6, 6], "hidden": [8], "residual": True},
        "normalization": {"kind": "group_norm", "inputs": True},
        "regularizer": ["l2", "unit_norm", "spatial_dropout"],
    },
    "fixup": {
        "network": {"hidden": [12, 8, 8, 8], "residual": True, "fixup": True},
        "regularizer": ["orthogonal", "non_neg", "gaussian_dropout"],
    },
}
RELOAD = """
import sys, keras, numpy as np
images = np.load("images.npy")
for number in range(int(sys.argv[1])):
    for suffix in ("keras", "h5"):
        model = keras.models.load_model(f"{number}.{suffix}", compile=False)
        np.save(f"{number}-{suffix}.npy", model(images))
assert not any(name.startswith("dtrain") for name in sys.modules)
"""


@pytest.mark.slow
def test_saved_models_reload_in_plain_keras_with_equal_predictions(tmp_path: Path) -> None:
    models = [*(model_of(**written) for written in SAVED.values()), model_of_every_activation()]
    for scalar in (layer for model in models for layer in model.layers if isinstance(layer, TrainedScalar)):
        scalar.scalar.assign_add([0.1])
    np.save(tmp_path / "images.npy", IMAGES)
    for number, model in enumerate(models):
        for suffix in ("keras", "h5"):
            stock_model(model).save(tmp_path / f"{number}.{suffix}")
    command = [sys.executable, "-c", RELOAD, str(len(models))]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    for number, model in enumerate(models):
        for suffix in ("keras", "h5"):
            reloaded = np.load(tmp_path / f"{number}-{suffix}.npy")
            np.testing.assert_allclose(reloaded, model(IMAGES), rtol=1e-5, atol=1e-6)

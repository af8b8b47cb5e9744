"""Loading model files: what Keras 2, Keras 3 and dtrain write is loaded as Keras itself would."""

from __future__ import annotations

import hashlib
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from dtrain.experiment.config.loading import load_experiment
from dtrain.reuse.base import Base
from dtrain.runs.catalogue import create_run
from dtrain.runs.folder import RunFolder
from tests.reuse.helpers import arrays_of, load_base, write_keras_2

Array = npt.NDArray[np.float32]


def predictions_of_a_chain(images: Array, arrays: dict[str, dict[str, Array]]) -> Array:
    """The forward pass of `write_keras_2`'s default model, in NumPy."""
    relu = np.maximum(images.reshape(len(images), -1) @ arrays["dense_0"]["kernel"] + arrays["dense_0"]["bias"], 0)
    inner = relu @ arrays["dense_1"]["kernel"] + arrays["dense_1"]["bias"]
    selu = 1.0507009873554805 * np.where(inner > 0, inner, 1.6732632423543772 * np.expm1(np.minimum(inner, 0)))
    logits = selu @ arrays["dense_2"]["kernel"] + arrays["dense_2"]["bias"]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result


def predict(base: Base, images: Array) -> Array:
    return np.asarray(base.model(images, training=False))


def test_row_42_a_file_of_keras_2_predicts_what_its_arrays_say(tmp_path: Path) -> None:
    arrays = arrays_of([12, 5, 5, 3], seed=3)
    path = write_keras_2(tmp_path / "old.h5", arrays=arrays)
    base = load_base(path)
    images = np.random.default_rng(0).random((6, 4, 3), np.float32)
    np.testing.assert_allclose(predict(base, images), predictions_of_a_chain(images, arrays), rtol=1e-5, atol=1e-6)
    assert (base.input_shape, base.classes, base.scaling) == ((4, 3), 3, None)
    assert base.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def every_kind_of_layer() -> keras.Model:
    """A small network of most layers on the list, with two branches."""
    layers = keras.layers
    images = keras.Input((8, 8))
    signal = layers.Rescaling(0.5)(layers.Reshape((8, 8, 1))(images))
    signal = layers.Conv2D(4, 3, padding="same", use_bias=False, name="first")(layers.ZeroPadding2D(1)(signal))
    signal = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization(momentum=0.9)(signal))
    signal = layers.LeakyReLU(0.2)(layers.SeparableConv2D(4, 3, padding="same")(layers.MaxPooling2D()(signal)))
    signal = layers.SpatialDropout2D(0.1)(layers.DepthwiseConv2D(3, activation="elu")(signal))
    signal = layers.LayerNormalization()(layers.Flatten()(signal))
    left = layers.Dense(6, "swish", kernel_regularizer="l2", name="last")(layers.Dropout(0.3)(signal))
    right = layers.Activation("tanh")(layers.Dense(6, kernel_constraint="max_norm")(signal))
    joined = layers.Concatenate()([layers.Add()([left, right]), right])
    return keras.Model(images, layers.Dense(1, "sigmoid")(layers.GaussianNoise(0.1)(joined)))


@pytest.fixture(scope="module")
def original() -> keras.Model:
    model = every_kind_of_layer()
    random = np.random.default_rng(1)
    # variances have to be positive
    model.set_weights([np.abs(random.normal(size=one.shape)).astype(np.float32) for one in model.weights])
    return model


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_file_of_keras_3_predicts_what_keras_does(suffix: str, original: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / f"model.{suffix}"
    original.save(path)
    base = load_base(path)
    images = np.random.default_rng(0).random((5, 8, 8), np.float32)
    np.testing.assert_allclose(predict(base, images), original(images, training=False), rtol=1e-5)
    assert base.classes == 2
    assert not base.model.compiled
    assert not base.model.losses


def test_a_dtrain_run_says_how_its_images_were_scaled(tmp_path: Path, original: keras.Model) -> None:
    run = create_run(tmp_path, name="trained", stem="")
    run.write_config("dataset: {name: mnist_sample, scaling: standardize}\n")
    original.save(run.model_path("h5"))
    assert load_base(run.path).scaling is None, "without the digest nobody knows whose mean and deviation they were"
    run.write_summary({"dataset_digest": "abc"})
    for path in (run.path, run.model_path("h5")):
        base = load_base(path)
        assert base.path == run.model_path("h5")
        assert base.scaling is not None
        assert (base.scaling["kind"], base.scaling["dataset"]["name"]) == ("standardize", "mnist_sample")
        assert base.scaling["digest"] == "abc"
    original.save(tmp_path / "alone.h5")
    assert load_base(tmp_path / "alone.h5").scaling is None
    assert load_experiment(run.path / "config.yaml").dataset.scaling == "standardize"


def test_of_several_seeds_the_first_is_taken(tmp_path: Path, original: keras.Model) -> None:
    parent = create_run(tmp_path, name="several", stem="")
    for seed in (10, 9):
        folder: RunFolder = parent.seed_folder(seed)
        original.save(folder.model_path("keras"))
    assert load_base(parent.path).path.parent.name == "seed-9"

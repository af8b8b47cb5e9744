"""Layers on the list that Keras cannot build or run as written: the layer is named, and nothing else happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.reuse.helpers import Layer, arrays_of, dense, flatten, refusal, small_layers, write_keras_2


def layer(kind: str, **config: Any) -> Layer:
    return {"class_name": kind, "config": {"name": "odd", **config}}


def behind_an_image(odd: Layer) -> list[Layer]:
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4, 3, 1], "name": "images"}}
    return [first, odd, {"class_name": "Flatten", "config": {"name": "flatten"}}, *small_layers()[2:]]


@pytest.mark.parametrize(
    "odd",
    [
        layer("Rescaling", scale="x"),
        layer("Rescaling", scale=[1.0, 2.0]),
        layer("AveragePooling2D", strides=0),
        layer("MaxPooling2D", pool_size=[2, -2]),
        layer("MaxPooling2D", pool_size=2**20),
        layer("Activation", activation="threshold"),
        layer("Activation", activation={"class_name": "Threshold", "config": {"threshold": "x"}}),
        layer("LeakyReLU", negative_slope="x"),
        layer("Softmax", axis=7),
        layer("Dropout", rate=1.5),
        layer("BatchNormalization", epsilon=None, momentum=[1]),
        layer("UpSampling2D", size=[2**15, 2**15]),
        layer("Reshape", target_shape=["x"]),
        layer("Cropping2D", cropping=10**30),
        layer("GroupNormalization", groups=7),
        layer("Normalization", mean=[1, 2], variance=[1]),
        layer("Normalization", axis=[1, 2]),
        layer("Conv2D", filters=2**13, kernel_size=[4, 3], padding="same"),
    ],
    ids=lambda one: str(one["class_name"]),
)
def test_a_layer_that_fails_is_named(odd: Layer, tmp_path: Path) -> None:
    said = refusal(write_keras_2(tmp_path / "old.h5", behind_an_image(odd)))
    assert "'odd'" in said or "layer 2 of 3" in said or "layer 1 of" in said


def test_two_layers_of_one_name(tmp_path: Path) -> None:
    layers = [*small_layers()[:4], dense("dense_0", 5), small_layers()[4]]
    assert "two layers are named 'dense_0'" in refusal(write_keras_2(tmp_path / "old.h5", layers))


def test_very_many_layers(tmp_path: Path) -> None:
    layers = [{"class_name": "ReLU", "config": {"name": f"many_{number}"}} for number in range(4900)]
    said = refusal(write_keras_2(tmp_path / "old.h5", [*flatten(4, 3), *layers], arrays_of([12, 5])))
    assert "expected at most 1,000" in said


@pytest.mark.parametrize("name", ["\x1b[31m\nforged", "a" * 10**5])
def test_a_name_in_a_message_is_short_and_printable(name: str, tmp_path: Path) -> None:
    for odd in (dense(name, -1), dense(name, 5, unheard_of=3), layer("Mine") | {"config": {"name": name}}):
        said = refusal(write_keras_2(tmp_path / "old.h5", [*flatten(4, 3), odd]))
        assert said.isprintable()
        assert len(said) < 600


def test_an_array_that_is_listed_often(tmp_path: Path) -> None:
    path = write_keras_2(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights/dense_0"].attrs["weight_names"] = np.array(["dense_0/kernel:0"] * 1000, "S")
    assert "an array is listed more than once" in refusal(path)

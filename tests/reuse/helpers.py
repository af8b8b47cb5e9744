"""Model files as others write them: Keras 2's layout by hand, and archives that were tampered with."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from dtrain.ground.errors import ModelFileError
from dtrain.reuse.base import Base, build_base, read_outline
from dtrain.reuse.files import read_model_file

Arrays = dict[str, npt.NDArray[np.float32]]
Layer = dict[str, Any]


def load_base(path: Path) -> Base:
    """A model file or run folder, loaded as a whole."""
    return build_base(read_outline(read_model_file(path)))


def dense(name: str, units: int, activation: Any = "relu", **more: Any) -> Layer:
    """A Dense layer as Keras 2.15 describes it."""
    glorot = {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": None}}
    config = {"name": name, "trainable": True, "dtype": "float32", "units": units, "activation": activation}
    config |= {"use_bias": True, "kernel_initializer": glorot | {"registered_name": None}, "kernel_regularizer": None}
    return {"class_name": "Dense", "config": config | more}


def flatten(*shape: int) -> list[Layer]:
    """An input and a Flatten layer as Keras 2.15 describes them; both hold the shape of the batch."""
    batch = [None, *shape]
    return [
        {"class_name": "InputLayer", "config": {"batch_input_shape": batch, "ragged": False, "name": "flatten_input"}},
        {"class_name": "Flatten", "config": {"name": "flatten", "batch_input_shape": batch, "dtype": "float32"}},
    ]


def arrays_of(sizes: list[int], seed: int = 0) -> dict[str, Arrays]:
    """Kernels and biases of a chain of dense layers, by layer."""
    random = np.random.default_rng(seed)
    return {
        f"dense_{number}": {
            "kernel": random.normal(size=(before, after)).astype(np.float32),
            "bias": random.normal(size=after).astype(np.float32),
        }
        for number, (before, after) in enumerate(itertools.pairwise(sizes))
    }


def small_layers() -> list[Layer]:
    """4 x 3 images, 5 and 5 units, 3 classes."""
    return [*flatten(4, 3), dense("dense_0", 5), dense("dense_1", 5, "selu"), dense("dense_2", 3, "softmax")]


def write_keras_2(
    path: Path,
    layers: list[Layer] | None = None,
    arrays: dict[str, Arrays] | None = None,
    inner: dict[str, int] | None = None,
) -> Path:
    """Writes an .h5 as tf.keras 2.15 lays it out, optimizer and all; `inner` models hold so many of the layers each."""
    layers = small_layers() if layers is None else layers
    arrays = arrays_of([12, 5, 5, 3]) if arrays is None else arrays
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        model = {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
        file.attrs["model_config"] = json.dumps(model)
        optimizer = {"class_name": "Custom>SGD", "config": {"lr": 0.001}}
        file.attrs["training_config"] = json.dumps({"loss": "anything", "optimizer_config": optimizer})
        weights = file.create_group("model_weights")
        weights.create_group("flatten").attrs["weight_names"] = np.array([])
        groups, waiting = {}, list(arrays)
        for name, count in (inner or {}).items():
            groups[name], waiting = waiting[:count], waiting[count:]
        groups |= {layer: [layer] for layer in waiting}
        weights.attrs["layer_names"] = ["flatten", *groups]
        for name, members in groups.items():
            group = weights.create_group(name)
            found = {f"{one}/{weight}:0": values for one in members for weight, values in arrays[one].items()}
            group.attrs["weight_names"] = list(found)
            for weight, values in found.items():
                group[weight] = values
        file.create_dataset("optimizer_weights/iteration:0", data=np.int64(7))
    return path


def edit_archive(path: Path, **members: bytes) -> None:
    """Replaces members of a .keras archive; `config` is config.json and `weights` is model.weights.h5."""
    names = {"config": "config.json", "weights": "model.weights.h5", "metadata": "metadata.json"}
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content |= {names[name]: value for name, value in members.items()}
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, value in content.items():
            archive.writestr(name, value)


def read_member(path: Path, name: str) -> bytes:
    """Returns a member of an archive."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def with_weights(path: Path, change: Any) -> None:
    """Changes the HDF5 file inside a .keras archive by a function of the open file."""
    content = io.BytesIO(read_member(path, "model.weights.h5"))
    with h5py.File(content, "r+") as file:
        change(file)
    edit_archive(path, weights=content.getvalue())


def soft_link(file: h5py.File) -> None:
    """Adds a soft link."""
    file["other"] = h5py.SoftLink("/model_weights")


def refusal(path: Path) -> str:
    """Returns why the file is refused."""
    with pytest.raises(ModelFileError) as caught:
        load_base(path)
    assert caught.value.exit_code == 5
    return str(caught.value)

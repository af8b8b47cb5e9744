"""Model files that are damaged, do not fit or are no models: each is refused with a reason."""

from __future__ import annotations

import copy
import os
import resource
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dtrain.reuse.base import build_base, read_outline
from dtrain.reuse.files import read_model_file
from tests.reuse.helpers import arrays_of, dense, flatten, load_base, refusal, small_layers, with_weights, write_keras_2


def test_row_38_missing_empty_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.h5").touch()
    os.mkfifo(tmp_path / "pipe.h5")
    assert "does not exist" in refusal(tmp_path / "missing.h5")
    assert "got an empty file" in refusal(tmp_path / "empty.h5")
    assert "got a folder" in refusal(tmp_path)
    assert "not a regular file" in refusal(tmp_path / "pipe.h5")


def test_row_39_the_kind_is_that_of_the_bytes(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "text.h5").write_text("not a model")
    write_keras_2(tmp_path / "old.h5").rename(tmp_path / "old.keras")
    archive.rename(tmp_path / "new.h5")
    assert "got a text file" in refusal(tmp_path / "text.h5")
    assert "got an HDF5 file named '.keras'; expected .h5" in refusal(tmp_path / "old.keras")
    assert "got a zip archive named '.h5'; expected .keras" in refusal(tmp_path / "new.h5")


def test_row_40_truncated(tmp_path: Path, archive: Path) -> None:
    old = write_keras_2(tmp_path / "old.h5")
    for path in (old, archive):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "damaged or incomplete" in refusal(path)
    other = tmp_path / "other.keras"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("data.pkl", b"")
    assert "got an archive of data.pkl" in refusal(other)


def test_row_41_weights_alone(tmp_path: Path) -> None:
    path = write_keras_2(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    assert "weights without an architecture" in refusal(path)


def test_row_43_an_unknown_layer_is_named_with_its_place(tmp_path: Path) -> None:
    layers = small_layers()
    layers[3] = {"class_name": "MyAttention", "config": {"name": "mine", "units": 5}}
    said = refusal(write_keras_2(tmp_path / "old.h5", layers))
    assert "layer 'mine' needs 'MyAttention', which is not on the list" in said
    assert "config.config.layers[3]" in said


def test_row_44_counts_and_shapes_differ(tmp_path: Path, archive: Path) -> None:
    fewer = write_keras_2(tmp_path / "fewer.h5", arrays=arrays_of([12, 5, 5]))
    assert "dense_2   nothing" in refusal(fewer)
    other = refusal(write_keras_2(tmp_path / "other.h5", arrays=arrays_of([12, 5, 6, 3])))
    assert "dense_1/kernel (5, 5)  dense_1/kernel (5, 6)" in other

    def cut(file: h5py.File) -> None:
        del file["layers/dense_1/vars/1"]

    with_weights(archive, cut)
    assert "b/bias (5,)" in refusal(archive)


def test_row_45_the_same_shapes_in_another_order(tmp_path: Path, archive: Path) -> None:
    arrays = arrays_of([12, 5, 5, 5])
    swapped = {name: arrays[name] for name in ("dense_0", "dense_2", "dense_1")}
    layers = [*flatten(4, 3), dense("dense_0", 5), dense("dense_1", 5), dense("dense_2", 5)]
    path = write_keras_2(tmp_path / "old.h5", layers, swapped)
    assert "got the weights of 'dense_2'; expected those of 'dense_1'" in refusal(path)

    def rename(file: h5py.File) -> None:
        file["layers/dense/vars"].attrs["name"] = "b"

    with_weights(archive, rename)
    assert "got the weights of 'b'; expected those of 'a'" in refusal(archive)


def test_row_46_weights_that_are_no_numbers(tmp_path: Path) -> None:
    arrays = arrays_of([12, 5, 5, 3])
    arrays["dense_1"]["kernel"][2, 2] = np.nan
    assert "dense_1/kernel holds 1 values that are not finite" in refusal(
        write_keras_2(tmp_path / "a.h5", arrays=arrays)
    )


@pytest.mark.parametrize("suffix", ["pkl", "pt", "onnx"])
def test_row_49_other_libraries(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(b"\x80\x04anything")
    assert "not a supported base" in refusal(path)


def test_row_49_a_saved_model(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    assert "got a SavedModel folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([*flatten(4, 3), dense("dense_0", 10**9)], "makes 1,000,000,000 values"),
        ([*flatten(4, 3), dense("dense_0", 10**5), dense("dense_1", 10**5)], "has 10,001,400,000 parameters"),
        ([*flatten(10**5, 10**5), dense("dense_0", 5)], "makes 10,000,000,000 values"),
        ([*flatten(4, 3), dense("dense_0", -1)], "layer 'dense_0' (Dense):"),
        ([*flatten(4, 3), dense("dense_0", 5, unheard_of=3)], "layer 'dense_0' (Dense):"),
        ([dense("dense_0", 5)], "takes inputs of shape []"),
        ([{}], "not as Keras writes it"),
    ],
)
def test_row_101_layers_that_no_machine_holds(layers: list[dict[str, Any]], said: str, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert said in refusal(write_keras_2(tmp_path / "old.h5", layers))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16


def test_a_thousand_levels(tmp_path: Path) -> None:
    value: Any = {}
    for _ in range(200):
        value = {"config": value}
    layers = copy.deepcopy(small_layers())
    layers[2]["config"]["more"] = value
    assert "more than 40 levels deep" in refusal(write_keras_2(tmp_path / "old.h5", layers))


def test_row_108_the_bytes_that_are_checked_are_those_that_are_loaded(tmp_path: Path) -> None:
    path = write_keras_2(tmp_path / "old.h5")
    expected = load_base(path)
    file = read_model_file(path)
    path.write_bytes(b"something else")
    base = build_base(read_outline(file))
    assert base.digest == expected.digest
    for one, other in zip(base.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

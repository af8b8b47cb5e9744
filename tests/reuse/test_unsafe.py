"""Model files that want to run, read or allocate something: each is refused, and nothing of it happens."""

from __future__ import annotations

import io
import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dtrain.ground.errors import ModelFileError
from dtrain.reuse import contents, hdf5_reader
from tests.reuse.helpers import (
    dense,
    edit_archive,
    flatten,
    load_base,
    read_member,
    refusal,
    small_layers,
    soft_link,
    write_keras_2,
)


def lambda_layer(canary: Path) -> dict[str, Any]:
    """What Keras 2 writes for a Lambda of a module's function."""
    function = {"function": "system", "function_type": "function", "module": "os"}
    return {"class_name": "Lambda", "config": {"name": "evil", **function, "arguments": {"command": f"touch {canary}"}}}


def planted(layer: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The same layer wherever an architecture has room for one."""
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [*flatten(4, 3), layer]}}
    wrapper = {"class_name": "TimeDistributed", "config": {"name": "around", "layer": layer}}
    hidden = dense("dense_1", 5)
    return {
        "top level": [*small_layers(), layer],
        "nested": [*small_layers(), inner],
        "wrapper": [*small_layers(), wrapper],
        "initializer": [*small_layers()[:3], {**hidden, "config": {**hidden["config"], "kernel_initializer": layer}}],
        "activation": [*small_layers()[:3], dense("dense_1", 5, activation=layer)],
    }


@pytest.mark.parametrize("place", planted({}))
def test_row_97_a_lambda_anywhere(place: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = write_keras_2(tmp_path / "old.h5", planted(lambda_layer(canary))[place])
    assert "layer 'evil' needs 'Lambda'" in refusal(path)
    assert not canary.exists()


def test_row_97_a_loss_is_not_even_read(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = write_keras_2(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = json.dumps({"loss": lambda_layer(canary)})
    load_base(path)
    assert not canary.exists()


def gadgets(tmp_path: Path) -> dict[str, dict[str, Any]]:
    secret = str(tmp_path / "secret.txt")
    return {
        "TFSMLayer": {"class_name": "TFSMLayer", "config": {"name": "x", "filepath": str(tmp_path)}},
        "StringLookup": {"class_name": "StringLookup", "config": {"name": "x", "vocabulary": secret}},
        "module": dense("x", 5) | {"module": "os", "class_name": "Dense"},
        "registered name": dense("x", 5) | {"registered_name": "package>Dense"},
        "function": dense("x", 5, activation={"class_name": "function", "config": "system", "module": "os"}),
    }


@pytest.mark.parametrize("kind", gadgets(Path()))
def test_row_98_gadgets(kind: str, tmp_path: Path, archive: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    config = json.loads(read_member(archive, "config.json"))
    config["config"]["layers"].append(gadgets(tmp_path)[kind])
    edit_archive(archive, config=json.dumps(config).encode())
    said = refusal(archive)
    assert "layer 'x' needs" in said
    assert "secret" not in said.replace(str(tmp_path), "")


def external_link(file: h5py.File) -> None:
    file["other"] = h5py.ExternalLink("/etc/passwd", "/")


def second_link(file: h5py.File) -> None:
    file["model_weights/again"] = file["model_weights"]


def virtual_dataset(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((5,), np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "data", (5,))
    file.create_virtual_dataset("other", layout)


def external_dataset(file: h5py.File) -> None:
    file.create_dataset("other", (5,), np.float32, external=[("/etc/passwd", 0, 20)])


def objects(file: h5py.File) -> None:
    file.create_dataset("other", data=["text"], dtype=h5py.string_dtype())


def named_type(file: h5py.File) -> None:
    file["other"] = np.dtype(np.float32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (soft_link, "a soft link"),
        (external_link, "an external link"),
        (second_link, "a second link"),
        (virtual_dataset, "a virtual dataset"),
        (external_dataset, "an external file"),
        (objects, "expected numbers"),
        (named_type, "a named datatype"),
    ],
)
def test_row_99_what_leads_out_of_the_file(change: Callable[[h5py.File], None], said: str, tmp_path: Path) -> None:
    path = write_keras_2(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    assert said in refusal(path)


@pytest.mark.parametrize("values", [3 * 2**28, 2**48])
def test_row_100_arrays_of_three_gigabytes_and_of_a_petabyte(values: int, tmp_path: Path) -> None:
    path = write_keras_2(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        file.create_dataset("model_weights/bomb", (values,), np.float32, chunks=(2**20,), compression="gzip")
    assert path.stat().st_size < 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "expected at most" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16


def test_row_100_an_archive_that_unpacks_to_more(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LARGEST_ARRAYS", 2**20)
    edit_archive(archive, weights=bytes(2**20 + 1))
    assert "unpacks to more than 1,048,576 bytes" in refusal(archive)


def test_row_102_a_file_that_crashes_its_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_process: None
) -> None:
    crash = tmp_path / "crash.py"
    crash.write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGSEGV)})\n")
    monkeypatch.setattr(hdf5_reader, "__file__", str(crash))
    assert "died by signal 11 (SIGSEGV)" in refusal(write_keras_2(tmp_path / "old.h5"))


def test_row_102_the_reader_is_a_process_of_its_own(tmp_path: Path, own_process: None) -> None:
    path = write_keras_2(tmp_path / "old.h5")
    assert load_base(path).classes == 3
    with h5py.File(path, "r+") as file:
        soft_link(file)
    assert "a soft link" in refusal(path)


@pytest.mark.slow
def test_row_102_bytes_changed_at_random_give_a_model_or_a_reason(tmp_path: Path, own_process: None) -> None:
    path = write_keras_2(tmp_path / "old.h5")
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    outcomes = []
    for _ in range(40):
        damaged = whole.copy()
        damaged[random.integers(0, len(whole), 40)] = random.integers(0, 256, 40)
        path.write_bytes(io.BytesIO(damaged.tobytes()).getvalue())
        try:
            load_base(path)
            outcomes.append("loaded")
        except ModelFileError:
            outcomes.append("refused")
    assert outcomes.count("refused") > 10

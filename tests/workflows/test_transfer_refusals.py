"""What `transfer` refuses at the door: each fault has its exit code, and no folder is made."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import dtrain.reuse.files
from dtrain.cli import main
from dtrain.reuse import hdf5_reader
from dtrain.studies.transfer_source import SAMPLE
from tests.cli.test_cli import WITHOUT_TENSORFLOW
from tests.reuse.conftest import own_process as own_process
from tests.reuse.conftest import reader_in_this_process as reader_in_this_process
from tests.reuse.grafts import save_base
from tests.reuse.helpers import arrays_of, dense, flatten, small_layers, soft_link, write_keras_2
from tests.reuse.test_unsafe import lambda_layer, planted

SIZES = [784, 5, 5, 3]


def whole(path: Path) -> Path:
    """A base for images of 28 x 28."""
    layers = [*flatten(28, 28), dense("dense_0", 5), dense("dense_1", 5), dense("dense_2", 3, "softmax")]
    return write_keras_2(path, layers, arrays_of(SIZES))


def halved(path: Path) -> None:
    whole(path).write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def weights_alone(path: Path) -> None:
    with h5py.File(whole(path), "r+") as file:
        del file.attrs["model_config"]


def not_a_number(path: Path) -> None:
    arrays = arrays_of(SIZES)
    arrays["dense_1"]["kernel"][0, 0] = np.nan
    layers = [*flatten(28, 28), dense("dense_0", 5), dense("dense_1", 5), dense("dense_2", 3, "softmax")]
    write_keras_2(path, layers, arrays)


def linked(path: Path) -> None:
    with h5py.File(whole(path), "r+") as file:
        soft_link(file)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "row_38_missing": (lambda path: None, "does not exist"),
    "row_38_empty": (lambda path: path.touch(), "got an empty file"),
    "row_38_folder": (lambda path: path.mkdir(), "got a folder"),
    "row_39_text": (lambda path: path.write_text("no model"), "got a text file"),
    "row_40_truncated": (halved, "damaged or incomplete"),
    "row_41_weights_alone": (weights_alone, "architecture"),
    "row_43_unknown_layer": (
        lambda path: write_keras_2(path, [*small_layers(), {"class_name": "Strange", "config": {"name": "odd"}}]),
        "layer 'odd' needs 'Strange'",
    ),
    "row_44_shapes": (
        lambda path: write_keras_2(path, None, arrays_of([12, 5, 4, 3])),
        "architecture and arrays differ",
    ),
    "row_46_nan": (not_a_number, "dense_1/kernel holds 1 values that are not finite"),
    "row_48_images_of_another_shape": (write_keras_2, "takes inputs of shape (4, 3); expected (28, 28)"),
    "row_99_soft_link": (linked, "link"),
    "row_101_units": (
        lambda path: write_keras_2(path, [*small_layers()[:-1], dense("dense_2", 10**9)]),
        "expected at most",
    ),
}


def command(base: Path, folder: Path, *more: str) -> int:
    task = [f"dataset.name={SAMPLE}", "dataset.train_limit=32", "training.engine=graph", "--seeds", "1"]
    return main(["transfer", "--base", str(base), "--runs-dir", str(folder / "runs"), *task, *more])


@pytest.mark.parametrize("fault", BROKEN)
def test_exit_5_and_nothing_written(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, said = BROKEN[fault]
    make(tmp_path / "base.h5")
    assert command(tmp_path / "base.h5", tmp_path) == 5
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "runs").exists()


def test_an_error_of_the_base_comes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = [type("Place", (), {"missing": ("train-images",)})()]
    monkeypatch.setattr("dtrain.studies.transfer_source.locate", lambda name, data_dir: missing)
    assert main(["transfer", "--base", "none.h5", "--runs-dir", str(tmp_path / "runs"), "--quiet"]) == 5
    assert capsys.readouterr().err.startswith("error: none.h5: does not exist")


def test_row_45_the_same_shapes_in_another_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = arrays_of([12, 5, 5, 5])
    arrays["dense_1"], arrays["dense_2"] = arrays["dense_2"], arrays["dense_1"]
    swapped = {name: arrays[name] for name in ("dense_0", "dense_2", "dense_1")}
    layers = [*flatten(4, 3), dense("dense_0", 5), dense("dense_1", 5), dense("dense_2", 5)]
    assert command(write_keras_2(tmp_path / "base.h5", layers, swapped), tmp_path) == 5
    assert "order" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".pkl", ".pt", ".onnx"])
def test_row_49_other_libraries(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"base{suffix}"
    path.write_bytes(pickle.dumps([]))
    assert command(path, tmp_path) == 5
    assert "not a supported base" in " ".join(capsys.readouterr().err.split())


def test_row_97_a_lambda_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    canary = tmp_path / "canary"
    path = write_keras_2(tmp_path / "base.h5", planted(lambda_layer(canary))["nested"])
    assert command(path, tmp_path) == 5
    assert "layer 'evil' needs 'Lambda'" in capsys.readouterr().err
    assert not canary.exists() and not (tmp_path / "runs").exists()


def test_row_98_a_gadget_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gadget = {"class_name": "TFSMLayer", "config": {"name": "far", "filepath": str(tmp_path), "call_endpoint": "x"}}
    assert command(write_keras_2(tmp_path / "base.h5", [*small_layers(), gadget]), tmp_path) == 5
    assert "layer 'far' needs 'TFSMLayer'" in capsys.readouterr().err


def test_row_100_more_than_the_machine_holds(tmp_path: Path) -> None:
    def enlarge(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            group = file["model_weights/dense_1/dense_1"]
            del group["kernel:0"]
            group.create_dataset("kernel:0", shape=(2**20, 2**28), dtype="f4", chunks=(1024, 1024))

    path = whole(tmp_path / "base.h5")
    enlarge(path)
    assert command(path, tmp_path) == 5
    assert not (tmp_path / "runs").exists()


def test_row_102_a_reader_that_dies(
    tmp_path: Path, own_process: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crash = tmp_path / "crash.py"
    crash.write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGSEGV)})\n")
    monkeypatch.setattr(hdf5_reader, "__file__", str(crash))
    assert command(whole(tmp_path / "base.h5"), tmp_path) == 5
    assert "died by signal 11 (SIGSEGV)" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_row_108_the_bytes_that_are_checked_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = whole(tmp_path / "base.h5")
    opened: list[str] = []
    read = dtrain.reuse.files._read

    def once(one: Path, most: int) -> bytes:
        content = read(one, most)
        opened.append(one.name)
        os.unlink(one)
        return content

    monkeypatch.setattr(dtrain.reuse.files, "_read", once)
    assert command(path, tmp_path, "transfer.unfrozen_epochs=0", "transfer.frozen_epochs=1", "--no-controls") == 0
    assert opened == ["base.h5"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (["--reuse", "3"], "transfer.reuse: got 3; expected all or 1 to 2, the hidden layers of base.h5"),
        (["--reuse", "1", "--unfreeze", "2"], "transfer.unfreeze: got 2; expected 1 to 1"),
        (["--reuse", "0"], "transfer.reuse=0: got 0; expected an integer greater than 0"),
        (["--frozen-epochs", "0", "--unfrozen-epochs", "0"], "which trains nothing"),
    ],
)
def test_row_47_what_cannot_be_frozen(
    written: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(whole(tmp_path / "base.h5"), tmp_path, *written) == 3
    told = capsys.readouterr().err
    assert said in " ".join(told.split())
    assert "warning" not in told
    assert not (tmp_path / "runs").exists()


def test_row_47_what_a_base_cannot_do_is_known_without_tensorflow(tmp_path: Path) -> None:
    whole(tmp_path / "base.h5")
    write_keras_2(tmp_path / "unsafe.h5", planted(lambda_layer(tmp_path / "canary"))["nested"])
    halved(tmp_path / "half.h5")
    commands = ["--base base.h5 --reuse 7", "--base base.h5 --reuse dens_0", "--base unsafe.h5", "--base half.h5"]
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *(f"transfer {one} dataset.name={SAMPLE}" for one in commands)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert finished.stderr.splitlines()[-1] == "[3, 3, 5, 5] []"


def test_a_base_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transfer"]) == 2
    assert "--base" in capsys.readouterr().err


def test_every_field_of_the_section_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    import inspect

    from dtrain.cli.training import transfer_command
    from dtrain.experiment.transfer import Transfer

    assert set(Transfer.model_fields) <= set(inspect.signature(transfer_command).parameters)


def test_a_keras_file_with_everything_is_taken(tmp_path: Path) -> None:
    import keras

    layers = [keras.layers.Flatten(), keras.layers.Dense(4, "relu", name="low"), keras.layers.Dense(3, name="x")]
    path = save_base(tmp_path / "base.keras", layers, (28, 28, 1))
    more = ["--reuse", "low", "--hidden", "[3]", "--unfreeze", "gradual", "--frozen-epochs", "1"]
    rates = ["--unfrozen-epochs", "1", "--frozen-learning-rate", "0.1", "--unfrozen-learning-rate", "1e-2"]
    assert command(path, tmp_path, *more, *rates, "--no-controls", "--name", "kept") == 0
    assert "unfrozen_learning_rate: 0.01" in (tmp_path / "runs" / "kept" / "config.yaml").read_text()

"""Settings outside dtrain that would change a run are refused, and devices that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtrain import backend
from dtrain.errors import EnvironmentProblem, UsageError


@pytest.mark.parametrize(
    ("variable", "value"), [("KERAS_BACKEND", "jax"), ("TF_USE_LEGACY_KERAS", "1"), ("KERAS_MAX_EPOCHS", "1")]
)
def test_rows_73_and_74_foreign_settings_are_named(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(EnvironmentProblem, match=variable):
        backend.start("cpu")


def test_row_73_another_floatx_is_named_with_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"floatx": "float16"}')
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=r"keras\.json floatx: got 'float16'"):
        backend.start("cpu")


def test_row_69_a_gpu_that_is_not_there() -> None:
    with pytest.raises(EnvironmentProblem, match="TensorFlow sees 0 GPUs"):
        backend.start("gpu:0")


@pytest.mark.parametrize("device", ["tpu", "gpu:x", "CPU0", ""])
def test_a_device_of_no_kind(device: str) -> None:
    with pytest.raises(UsageError, match="expected auto, cpu, gpu or gpu:N"):
        backend.check_device(device)


def test_the_start_is_silent_and_names_versions() -> None:
    program = "from dtrain import backend; found = backend.start(); print(found.device, sorted(found.versions))"
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "cpu ['dtrain', 'keras', 'numpy', 'python', 'tensorflow']\n"
    assert done.stderr == ""


def test_what_fails_while_standard_error_is_kept_back_is_shown() -> None:
    program = (
        "import os\nfrom dtrain.backend import _quiet_descriptor\n"
        "with _quiet_descriptor():\n    os.write(2, b'the cause')\n    raise SystemExit(3)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "the cause")

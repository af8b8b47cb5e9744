"""Settings outside dtrain that would change a run are refused, and devices that are not there."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dtrain.engine import backend
from dtrain.ground.errors import EnvironmentProblem, UsageError


@pytest.mark.parametrize(
    ("variable", "value"), [("KERAS_BACKEND", "jax"), ("TF_USE_LEGACY_KERAS", "1"), ("KERAS_MAX_EPOCHS", "1")]
)
def test_rows_73_and_74_foreign_settings_are_named(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(EnvironmentProblem, match=variable):
        backend.start("cpu")


@pytest.mark.parametrize(
    ("name", "value"), [("floatx", "float16"), ("epsilon", 0.1), ("image_data_format", "channels_first")]
)
def test_row_73_a_setting_of_keras_is_named_with_its_file(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keras.json").write_text(json.dumps({name: value, "backend": "jax"}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=rf"keras\.json {name}: got {value!r}; expected"):
        backend.start("cpu")


@pytest.mark.parametrize("text", ["not json", "[]", '{"backend": "jax", "epsilon": 1e-07}'])
def test_row_73_settings_that_change_nothing_are_left_alone(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keras.json").write_text(text)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert backend.start("cpu").device == "cpu"


def test_row_76_a_python_without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.setattr(platform, "python_version", lambda: "3.14.0")
    with pytest.raises(EnvironmentProblem, match="keras: cannot be imported: ") as caught:
        backend.start("cpu")
    assert "this is Python 3.14.0; dtrain needs Python 3.11, 3.12 or 3.13" in caught.value.problems[0].hint


def test_row_76_the_pythons_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    first, last = re.findall(r"3\.(\d+)", project["requires-python"])
    minor = [f"3.{number}" for number in range(int(first), int(last))]
    assert f"{', '.join(minor[:-1])} or {minor[-1]}" == backend.PYTHONS


def test_row_69_a_gpu_that_is_not_there() -> None:
    with pytest.raises(EnvironmentProblem, match="TensorFlow sees 0 GPUs"):
        backend.start("gpu:0")


@pytest.mark.parametrize("device", ["tpu", "gpu:x", "CPU0", ""])
def test_a_device_of_no_kind(device: str) -> None:
    with pytest.raises(UsageError, match="expected auto, cpu, gpu or gpu:N"):
        backend.check_device(device)


def test_the_start_is_silent_and_names_versions() -> None:
    program = "from dtrain.engine import backend; found = backend.start(); print(found.device, sorted(found.versions))"
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "cpu ['dtrain', 'keras', 'numpy', 'python', 'tensorflow']\n"
    assert done.stderr == ""


def test_what_fails_while_standard_error_is_kept_back_is_shown() -> None:
    program = (
        "import os\nfrom dtrain.engine.backend import _quiet_descriptor\n"
        "with _quiet_descriptor():\n    os.write(2, b'the cause')\n    raise SystemExit(3)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "the cause")

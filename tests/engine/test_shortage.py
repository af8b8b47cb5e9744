"""Too little memory and no exact kernel are told with what to change, and the run folder says so too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import dtrain.data.sources
import dtrain.engine.model
from dtrain.cli import main
from dtrain.data.prepare import Data
from dtrain.engine.shortage import device_problem, shortage_explained
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import EnvironmentProblem
from dtrain.runs.folder import RunFolder

SHORTAGES = [
    MemoryError("Unable to allocate 8.00 GiB"),
    tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[32,9999]"),
]


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize("shortage", SHORTAGES, ids=["python", "tensorflow"])
def test_row_67_a_network_too_large_for_this_machine(
    shortage: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DTRAIN_DATA_DIR", raising=False)
    monkeypatch.setattr(dtrain.engine.model, "build_model", failing(shortage))
    assert main(["run", "-q", "training.batch_size=64", "--runs-dir", str(tmp_path), "--name", "large"]) == 7
    error, hint, going_on = capsys.readouterr().err.splitlines()
    assert going_on.endswith(f"`dtrain resume {tmp_path / 'large'}`")
    expected = "cpu: ran out of memory with batches of 64; expected at least 0.014 GB: "
    assert error == f"error: {expected}0.0043 GB for 266,610 parameters in training, 0.0094 GB for the images"
    assert "make training.batch_size smaller than 64" in hint
    status = RunFolder(tmp_path / "large").read_status()
    assert (status["state"], "ran out of memory" in status["reason"]) == ("failed", True)


def test_row_68_too_little_memory_on_a_gpu_names_device_and_batch(data: Data) -> None:
    with (
        pytest.raises(EnvironmentProblem, match="gpu:1: ran out of memory with batches of 32") as caught,
        shortage_explained(Experiment(), data, "gpu:1"),  # type: ignore[call-arg]
    ):
        raise SHORTAGES[1]
    assert "end what else uses the GPU" in caught.value.problems[0].hint


def test_row_67_images_too_large_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dtrain.data.sources, "read_place", failing(SHORTAGES[0]))
    assert main(["run", "-q", "--runs-dir", str(tmp_path / "runs")]) == 7
    assert capsys.readouterr().err.startswith("error: ran out of memory\nhint: ")
    assert not (tmp_path / "runs").exists()


def test_row_78_an_operation_that_cannot_be_repeated_exactly_is_named() -> None:
    words = "A deterministic GPU implementation of SparseApplyAdagrad is not currently available.\nmore"
    problem = device_problem(tf.errors.UnimplementedError(None, None, words))
    assert problem is not None and problem.exit_code == 7
    assert "SparseApplyAdagrad" in str(problem) and "--device cpu" in problem.problems[0].hint


def test_what_is_no_fault_of_a_device_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_problem(tf.errors.UnimplementedError(None, None, "no such kernel")) is None
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert device_problem(ZeroDivisionError()) is None

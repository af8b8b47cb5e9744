"""Surroundings that end other programs: a training outlives its progress, its pictures and what others are asked."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dtrain.runs.folder import RunFolder

SMALL = ["dataset.train_limit=320", "network=[4]", "optimizer=adam", "schedule=constant"]
SMALL += ["training={epochs: 1, engine: graph}"]
FULL = "/dev/full"
BEFORE_1980 = """
import os, sys, time
import dtrain.cli
time.time = lambda: 86400.0
own, os.stat = os.stat, lambda *args, **more: os.stat_result((*own(*args, **more)[:7], 0, 0, 0))
sys.exit(dtrain.cli.main())
"""


def run(folder: Path, *arguments: str, begin: tuple[str, ...] = ("-m", "dtrain"), **more: object) -> tuple[int, str]:
    """Trains in a process of its own; returns its exit code and what it said on standard error."""
    where = ["--name", "x", "--runs-dir", str(folder)]
    command = [sys.executable, *begin, "run", *SMALL, *arguments, *where]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | more
    done = subprocess.run(command, text=True, check=False, **streams)  # type: ignore[call-overload]
    return done.returncode, done.stderr or ""


def assert_whole(folder: Path) -> None:
    found = RunFolder(folder / "x")
    assert found.read_status()["state"] == "completed"
    assert found.read_summary()["epochs"] == 1
    assert found.model_path("keras").exists() and found.curves_path.exists()


def test_a_training_outlives_everything_around_it(tmp_path: Path) -> None:
    notebook = {"MPLBACKEND": "module://not_installed.backend_inline", "PYTHONWARNINGS": "error", "COLUMNS": "0"}
    with open(FULL, "w") as full:
        exit_code, _ = run(tmp_path, env=os.environ | notebook, stderr=full)
    assert exit_code == 0
    assert_whole(tmp_path)


@pytest.mark.faults
def test_a_clock_before_1980_loses_nothing(tmp_path: Path) -> None:
    exit_code, said = run(tmp_path, "-q", begin=("-c", BEFORE_1980))
    assert (exit_code, said) == (0, "")
    assert_whole(tmp_path)


@pytest.mark.faults
def test_results_that_cannot_be_printed_are_in_the_run_folder(tmp_path: Path) -> None:
    with open(FULL, "w") as full:
        exit_code, said = run(tmp_path, "-q", stdout=full)
    assert exit_code == 7
    assert said.startswith("error: standard output: cannot be written: No space left on device\nhint: ")
    assert_whole(tmp_path)


@pytest.mark.faults
def test_both_streams_closed(tmp_path: Path) -> None:
    def close() -> None:
        os.close(1)
        os.close(2)

    exit_code, _ = run(tmp_path, preexec_fn=close, stdout=None, stderr=None)
    assert exit_code == 0
    assert_whole(tmp_path)


@pytest.mark.faults
def test_too_little_memory_is_said_in_one_line(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))

    exit_code, said = run(tmp_path, "-q", preexec_fn=limit)
    assert exit_code == 7 and "Traceback" not in said
    assert "memory" in said

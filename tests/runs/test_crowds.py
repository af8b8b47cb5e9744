"""Many processes at once: no two runs share a folder, and who looks on always sees a whole one."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from dtrain.ground.errors import DtrainError
from dtrain.runs.catalogue import create_run
from dtrain.runs.folder import RunFolder, list_runs
from dtrain.workflows.show import RunReport, show

SMALL = (
    "dataset.train_limit=320",
    "network=[16]",
    "schedule=constant",
    "training.engine=graph",
    "training.early_stopping=null",
)


def race(runs_dir: Path, name: str | None, barrier: Barrier, outcomes: Queue[tuple[str, Any]]) -> None:
    barrier.wait()
    try:
        outcomes.put(("made", create_run(runs_dir, name=name, stem="race").path.name))
    except DtrainError as error:
        outcomes.put((error.name, str(error)))


def race_of_processes(runs_dir: Path, name: str | None, processes: int) -> list[tuple[str, Any]]:
    context = multiprocessing.get_context("spawn")
    barrier, outcomes = context.Barrier(processes), context.Queue()
    racers = [context.Process(target=race, args=(runs_dir, name, barrier, outcomes)) for _ in range(processes)]
    for racer in racers:
        racer.start()
    return [outcomes.get(timeout=60) for _ in racers]


def test_row_79_one_of_two_processes_gets_the_name_and_the_other_hears_whose_it_is(tmp_path: Path) -> None:
    made, conflict = sorted(race_of_processes(tmp_path, "same", 2))
    owner = RunFolder(tmp_path / "same").read_status()
    assert made == ("made", "same")
    assert conflict[0] == "run_conflict"
    assert f"created, process {owner['pid']} on {owner['host']}" in conflict[1]


def test_row_80_eight_processes_at_once_get_eight_folders(tmp_path: Path) -> None:
    results = race_of_processes(tmp_path, None, 8)
    assert sorted(results) == [("made", f"race-{number}") for number in range(1, 9)]


def start(runs_dir: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dtrain", "run", *SMALL, "--quiet", "--runs-dir", str(runs_dir), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Returns the exit code of each, and what it said on standard error."""
    said = [process.communicate()[1] for process in processes]
    return [(process.returncode, words) for process, words in zip(processes, said, strict=True)]


@pytest.mark.faults
def test_row_80_eight_runs_at_once_are_complete_and_alike(tmp_path: Path) -> None:
    ended = end([start(tmp_path, "training.epochs=2") for _ in range(8)])
    assert ended == [(0, "")] * 8
    runs = list_runs(tmp_path)
    assert {run.path.name for run in runs} == {f"default-{number}" for number in range(1, 9)}
    assert {run.read_status()["state"] for run in runs} == {"completed"}
    assert len({run.read_status()["pid"] for run in runs}) == 8
    assert len({(run.path / "metrics.jsonl").read_bytes() for run in runs}) == 1
    assert len({tuple(sorted(path.name for path in run.path.iterdir())) for run in runs}) == 1


@pytest.mark.faults
def test_row_79_of_two_runs_of_one_name_the_other_hears_whose_it_is(tmp_path: Path) -> None:
    (won, _), (lost, said) = sorted(end([start(tmp_path, "--name", "same", "training.epochs=2") for _ in range(2)]))
    owner = RunFolder(tmp_path / "same").read_status()
    assert (won, lost, owner["state"]) == (0, 8, "completed")
    assert f"process {owner['pid']} on {owner['host']}" in said
    assert [run.path.name for run in list_runs(tmp_path)] == ["same"]


@pytest.mark.faults
def test_row_83_a_run_is_whole_whenever_one_looks(tmp_path: Path) -> None:
    seen: list[int] = []
    states: list[str] = []
    with start(tmp_path, "--name", "watched", "training.epochs=100") as process:
        while process.poll() is None:
            if (tmp_path / "watched" / "status.json").exists():
                report = show(tmp_path, "watched")
                assert isinstance(report, RunReport)
                assert [one["epoch"] for one in report.metrics] == list(range(1, len(report.metrics) + 1))
                assert len(report.seconds) in (len(report.metrics) - 1, len(report.metrics))
                seen.append(len(report.metrics))
                states.append(report.status.state)
        assert end([process])[0][0] == 0
    assert seen == sorted(seen) and len(set(seen)) > 10
    assert list(dict.fromkeys(states)) in (["created", "running", "completed"], ["running", "completed"])

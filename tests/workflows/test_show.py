"""`show`: what a run folder says while the run goes on, when it has ended, and after it died."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from scipy import stats

from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import RunConflictError, UsageError
from dtrain.runs.catalogue import create_run
from dtrain.runs.contents import State
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import STATES_IN_WORDS
from dtrain.runs.results import RunResult, SplitResult
from dtrain.statistics.intervals import Interval
from dtrain.workflows.show import RunReport, SeedsReport, show
from tests.studies.made_runs import measured


def result(folder: Path, seed: int, accuracy: float) -> RunResult:
    split = SplitResult(0.5, accuracy, Interval(accuracy - 0.01, accuracy + 0.01), 2000)
    return RunResult(folder, seed, 1, 2, 100, split, split, split, {"train": 1.5}, "graph", stopped_early=False)


def fill(folder: RunFolder, state: State, seed: int = 42, epochs: int = 2, accuracy: float = 0.8) -> RunFolder:
    """Writes what a training writes, without one."""
    folder.write_config(dump_experiment(Experiment.model_validate({"seed": seed, "training": {"epochs": 5}})))
    for epoch in range(1, epochs + 1):
        folder.append_metrics(measured(epoch))
        folder.append_timing({"epoch": epoch, "seconds": 0.5})
    if state == "completed":
        summary = asdict(result(folder.path, seed, accuracy)) | {"dataset_digest": "abc"}
        del summary["folder"]
        folder.write_summary(summary)
    folder.write_status(state)
    return folder


def edit_status(folder: RunFolder, **changed: Any) -> None:
    path = folder.path / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def report_of(runs_dir: Path, run: str | None = None) -> RunReport:
    report = show(runs_dir, run)
    assert isinstance(report, RunReport)
    return report


def test_a_completed_run(tmp_path: Path) -> None:
    folder = fill(create_run(tmp_path, name="a", stem=""), "completed", seed=7)
    folder.curves_path.touch()
    (folder.path / ".curves-half-written.png").touch()
    report = report_of(tmp_path)
    assert report.result == result(folder.path, 7, 0.8)
    assert (report.seed, report.epochs, report.seconds) == (7, 5, (0.5, 0.5))
    assert [one["epoch"] for one in report.metrics] == [1, 2]
    assert report.pictures == (folder.curves_path,)


def test_row_83_a_run_that_is_being_written(tmp_path: Path) -> None:
    folder = fill(create_run(tmp_path, name="a", stem=""), "running")
    with (folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "val_lo')
    report = report_of(tmp_path)
    assert report.status.state == "running" and report.status.pid == os.getpid()
    assert 0 <= report.status.heartbeat_age < 60
    assert [one["epoch"] for one in report.metrics] == [1, 2]
    assert report.result is None


def test_row_83_an_epoch_that_ends_while_one_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(create_run(tmp_path, name="a", stem=""), "running")
    original = RunFolder.read_metrics

    def read_metrics(self: RunFolder) -> list[dict[str, Any]]:
        found = original(self)
        fill(folder, "running", epochs=3)
        return found

    monkeypatch.setattr(RunFolder, "read_metrics", read_metrics)
    report = report_of(tmp_path)
    assert (len(report.metrics), len(report.seconds)) == (2, 2)


def test_row_83_a_run_of_this_very_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = create_run(tmp_path, name="a", stem="")
    monkeypatch.setattr(time, "sleep", lambda _: folder.write_config(dump_experiment(Experiment.model_validate({}))))
    assert report_of(tmp_path).status.state == "created"


def test_row_75_a_heartbeat_from_the_future_is_that_of_now(tmp_path: Path) -> None:
    folder = fill(create_run(tmp_path, name="a", stem=""), "running")
    edit_status(folder, heartbeat="2100-01-01T00:00:00+00:00")
    report = report_of(tmp_path)
    assert (report.status.state, report.status.heartbeat_age) == ("running", 0.0)


def test_row_66_a_run_whose_process_is_gone(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = fill(create_run(tmp_path, name="a", stem=""), "running")
    edit_status(folder, pid=ended.pid)
    assert report_of(tmp_path).status.state == "died"
    edit_status(folder, host="another-machine")
    assert report_of(tmp_path).status.state == "running"


def test_why_a_run_failed(tmp_path: Path) -> None:
    folder = fill(create_run(tmp_path, name="a", stem=""), "running", epochs=0)
    folder.write_status("diverged", reason="step 3: loss nan")
    report = report_of(tmp_path)
    assert (report.status.state, report.status.reason) == ("diverged", "step 3: loss nan")


def test_the_mean_over_the_seeds_that_have_ended(tmp_path: Path) -> None:
    parent = create_run(tmp_path, name="a", stem="", kind="seeds")
    parent.write_status("running")
    accuracies = [0.80, 0.83, 0.81]
    for seed, accuracy in enumerate(accuracies):
        fill(parent.seed_folder(seed), "completed", seed, accuracy=accuracy)
    fill(parent.seed_folder(3), "diverged", 3)
    fill(parent.seed_folder(4), "running", 4)
    report = show(tmp_path)
    assert isinstance(report, SeedsReport) and report.result is not None
    assert [run.status.state for run in report.runs] == ["completed"] * 3 + ["diverged", "running"]
    assert report.result.diverged == 1
    expected = stats.t.interval(0.95, 2, np.mean(accuracies), stats.sem(accuracies))
    interval = report.result.test_interval
    assert interval is not None
    np.testing.assert_allclose([interval.low, interval.high], expected, rtol=1e-9)
    assert report.result.seconds == {}
    parent.write_summary({"seconds": {"data": 1.5}})
    report = show(tmp_path)
    assert isinstance(report, SeedsReport) and report.result and report.result.seconds == {"data": 1.5}


def test_seeds_of_which_none_has_ended(tmp_path: Path) -> None:
    parent = create_run(tmp_path, name="a", stem="", kind="seeds")
    fill(parent.seed_folder(0), "running", 0)
    report = show(tmp_path, "a")
    assert isinstance(report, SeedsReport) and report.result is None


def test_seeds_on_their_way(tmp_path: Path) -> None:
    parent = create_run(tmp_path, name="a", stem="", kind="seeds")
    edit_status(parent, seeds=3, heartbeat="2020-01-02T03:04:05+00:00")
    report = show(tmp_path)
    assert isinstance(report, SeedsReport) and (report.planned, report.runs) == (3, ())
    assert report.status.heartbeat_age > 60


def test_every_state_has_its_words() -> None:
    assert STATES_IN_WORDS.keys() == {*get_args(State), "died"}


def test_an_unknown_run(tmp_path: Path) -> None:
    fill(create_run(tmp_path, name="elu", stem=""), "completed")
    with pytest.raises(UsageError, match="did you mean 'elu'"):
        show(tmp_path, "elu1")


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("summary.json", {"test": {"loss": 0.1}}, "test.accuracy"),
        ("summary.json", {"seed": "x"}, "seed"),
        ("status.json", {"pid": "x"}, r"status\.json: is damaged: ValueError got pid 'x'; expected int"),
        ("status.json", {"heartbeat": "yesterday"}, "status is damaged"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, file: str, change: dict[str, Any], said: str) -> None:
    path = fill(create_run(tmp_path, name="a", stem=""), "completed").path / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RunConflictError, match=said):
        show(tmp_path, "a")

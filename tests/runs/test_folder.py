"""A run folder: what is written is read back, damage is named, and nothing is made again."""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import time
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from dtrain.ground.errors import EnvironmentProblem, RunConflictError
from dtrain.ground.files import replace_file
from dtrain.runs.catalogue import create_run, find_run
from dtrain.runs.folder import RunFolder, list_runs
from dtrain.runs.status import Kind
from tests.studies.made_runs import measured

EPOCH = measured(1, loss=0.1 + 0.2)


def make_runs(runs_dir: Path, *names: str) -> list[RunFolder]:
    return [create_run(runs_dir, name=name, stem="") for name in names]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path, name="trial", stem="")


def test_text_mappings_and_lines_are_read_back(folder: RunFolder) -> None:
    folder.write_config("seed: 1  # größer\r\n")
    folder.write_summary({"epochs": 2, "test": {"accuracy": 1 / 3}})
    folder.append_metrics(EPOCH)
    folder.append_metrics(EPOCH | {"epoch": 2})
    folder.append_timing({"epoch": 1, "seconds": 0.5})
    assert folder.read_config() == "seed: 1  # größer\r\n"
    assert folder.read_summary() == {"epochs": 2, "test": {"accuracy": 1 / 3}}
    assert folder.read_metrics() == [EPOCH, EPOCH | {"epoch": 2}]
    assert folder.read_durations() == {1: 0.5}


def test_arrays_are_read_back_by_us_and_by_numpy(folder: RunFolder) -> None:
    probabilities, labels = np.array([[0.25, 0.75]], np.float32).T, np.array([1, 0], np.int32)
    folder.write_predictions(probabilities, labels)
    with np.load(folder.path / "predictions.npz") as archive:
        theirs = dict(archive)
    for read in (folder.read_predictions(), (theirs["probabilities"], theirs["labels"])):
        for array, written in zip(read, (probabilities, labels), strict=True):
            np.testing.assert_array_equal(array, written, strict=True)


def test_equal_inputs_give_equal_bytes_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_runs(tmp_path, "first", "second")
    first.append_metrics({"loss": 0.5, "epoch": 1})
    first.write_steps({"loss": np.ones((2, 3)), "accuracy": np.zeros(2)})
    monkeypatch.setattr(time, "localtime", lambda *_: time.struct_time((2031, 5, 6, 7, 8, 9, 0, 1, 0)))
    second.append_metrics({"epoch": 1, "loss": 0.5})
    second.write_steps({"accuracy": np.zeros(2), "loss": np.asfortranarray(np.ones((2, 3)))})
    for name in ("metrics.jsonl", "steps.npz"):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(folder: RunFolder, value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        folder.append_metrics({"loss": value})
    with pytest.raises(ValueError, match="JSON compliant"):
        folder.write_summary({"loss": value})
    assert sorted(os.listdir(folder.path)) == ["status.json"]


def test_status_keeps_the_time_of_creation_and_moves_the_heartbeat(folder: RunFolder) -> None:
    created = folder.read_status()
    folder.write_status("failed", reason="a [red]reason[/]")
    failed = folder.read_status()
    assert (created["state"], failed["state"], failed["reason"]) == ("created", "failed", "a [red]reason[/]")
    assert created["created"] == failed["created"] == folder.created()
    assert created["heartbeat"] <= failed["heartbeat"]
    assert failed["pid"] == os.getpid()


def test_before_the_first_epoch_there_are_no_metrics(folder: RunFolder) -> None:
    assert folder.read_metrics() == []
    folder.write_status("completed")
    with pytest.raises(RunConflictError, match=r"metrics\.jsonl: cannot be read: No such file"):
        folder.read_metrics()


def test_row_83_a_torn_last_line_is_ignored_and_replaced(folder: RunFolder) -> None:
    folder.append_metrics(EPOCH)
    with open(folder.path / "metrics.jsonl", "ab") as file:
        file.write(b'{"epoch": 2, "lo')
    assert folder.read_metrics() == [EPOCH]
    folder.append_metrics(measured(2))
    assert folder.read_metrics() == [EPOCH, measured(2)]


def test_row_61_a_line_that_does_not_fit_on_the_disk_leaves_whole_lines(folder: RunFolder) -> None:
    folder.append_metrics(EPOCH)
    size = (folder.path / "metrics.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, hard))
    try:
        with pytest.raises(EnvironmentProblem, match=r"metrics\.jsonl: cannot be written: File too large"):
            folder.append_metrics(measured(2))
        with pytest.raises(EnvironmentProblem, match=r"summary\.json: cannot be written"):
            folder.write_summary({"text": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert folder.read_metrics() == [EPOCH]
    assert sorted(os.listdir(folder.path)) == ["metrics.jsonl", "status.json"]


@pytest.mark.parametrize("write", [RunFolder.append_metrics, RunFolder.write_summary])
def test_row_86_a_deleted_folder_is_not_made_again(folder: RunFolder, write: Callable[..., None]) -> None:
    shutil.rmtree(folder.path)
    with pytest.raises(EnvironmentProblem) as caught:
        write(folder, EPOCH)
    assert "deleted or moved" in caught.value.problems[0].hint
    assert not folder.path.exists()


@pytest.mark.parametrize(
    "name, read",
    [
        ("config.yaml", RunFolder.read_config),
        ("status.json", RunFolder.read_status),
        ("summary.json", RunFolder.read_summary),
        ("metrics.jsonl", RunFolder.read_metrics),
        ("steps.npz", RunFolder.read_steps),
        ("predictions.npz", RunFolder.read_predictions),
    ],
)
@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"PK\x03\x04\n\x80"])
def test_files_at_fault_are_named(folder: RunFolder, name: str, read: Callable[..., object], content: bytes) -> None:
    (folder.path / name).write_bytes(content)
    with pytest.raises(RunConflictError, match=f"{name}: is damaged"):
        read(folder)
    folder.write_status("completed")
    (folder.path / name).unlink()
    with pytest.raises(RunConflictError, match=f"{name}: cannot be read: No such file"):
        read(folder)


@pytest.mark.parametrize("text", ["[]", '{"state": "asleep"}', "{}", "[" * 100_000])
def test_a_status_that_is_not_one_is_damaged(folder: RunFolder, text: str) -> None:
    (folder.path / "status.json").write_text(text)
    with pytest.raises(RunConflictError, match=r"status\.json: is damaged"):
        folder.read_status()


@pytest.mark.parametrize(
    "row", [measured(1, loss=None), measured(1) | {"epoch": "1"}, measured(1) | {"accuracy": True}, {"epoch": 1}]
)
def test_rows_of_other_types_are_damaged(folder: RunFolder, row: dict[str, Any]) -> None:
    folder.append_metrics(row)
    with pytest.raises(RunConflictError, match=r"metrics\.jsonl: is damaged: ValueError got \w+ .*; expected"):
        folder.read_metrics()


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [
        (np.zeros((3, 2)), np.zeros(2, np.int64)),
        (np.zeros((3, 2)), np.zeros(3)),
        (np.zeros(3), np.zeros(3, np.int64)),
        (np.full((3, 2), np.nan), np.zeros(3, np.int64)),
        (np.zeros((0, 2)), np.zeros(0, np.int64)),
    ],
)
def test_predictions_of_other_shapes_are_damaged(folder: RunFolder, probabilities: Any, labels: Any) -> None:
    folder.write_predictions(probabilities, labels)
    with pytest.raises(RunConflictError, match=r"predictions\.npz: is damaged"):
        folder.read_predictions()


def test_arrays_of_python_objects_are_never_unpickled(folder: RunFolder) -> None:
    np.savez(folder.path / "steps.npz", loss=np.array([{}], dtype=object))
    with pytest.raises(RunConflictError, match="Object arrays cannot be loaded"):
        folder.read_steps()


def test_a_replaced_file_is_the_new_one_or_the_old_one(folder: RunFolder) -> None:
    model = folder.model_path("keras")
    with replace_file(model) as temporary:
        temporary.write_text("first")
        assert (temporary.parent, temporary.suffix) == (folder.path, ".keras")
        assert not model.exists()
    with pytest.raises(KeyboardInterrupt), replace_file(model) as temporary:
        temporary.write_text("half of the sec")
        raise KeyboardInterrupt
    with open(model) as reader:
        with replace_file(model) as temporary:
            temporary.write_text("second")
        assert reader.read() == "first"
    assert model.read_text() == "second"
    assert sorted(os.listdir(folder.path)) == ["model.keras", "status.json"]


def test_row_104_an_evaluation_is_not_written_through_a_link(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder.path / "evaluation-test").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunConflictError, match="evaluation-test: got a symbolic link"):
        folder.write_evaluation("test", {})
    assert os.listdir(tmp_path / "elsewhere") == []


def test_seed_folders_are_listed_by_seed_and_made_once(folder: RunFolder) -> None:
    for seed in (10, 9, 2**31):
        folder.seed_folder(seed).write_status("running")
    (folder.path / "seed-x").mkdir()
    assert [one.path.name for one in folder.seed_folders()] == ["seed-9", "seed-10", "seed-2147483648"]
    assert folder.seed_folder(9).read_status()["state"] == "running"
    (folder.path / "seed-9" / "status.json").unlink()
    assert folder.seed_folder(9).read_status()["state"] == "created", "whoever made it was killed a moment later"


def test_what_a_folder_holds_is_said_once_and_stays(tmp_path: Path) -> None:
    for kind in get_args(Kind):
        folder = create_run(tmp_path, name=kind, stem="", kind=kind)
        folder.write_status("running", seeds=2)
        assert (folder.kind(), folder.read_status()["kind"]) == (kind, kind)
    assert [one.path.name for one in list_runs(tmp_path)] == ["run", "seeds"]
    assert [one.path.name for one in list_runs(tmp_path, ("transfer",))] == ["transfer"]


@pytest.mark.parametrize(
    ("kind", "files", "status"),
    [
        ("run", ["model.keras"], {}),
        ("seeds", [], {"seeds": 3}),
        ("seeds", ["seed-42"], {}),
        ("transfer", ["transfer.json", "model.keras"], {}),
        ("lr-find", ["lr_find.json"], {}),
        ("mc-predict", ["mc_predict.json"], {}),
    ],
)
def test_of_folders_that_do_not_say_it_the_files_tell(
    kind: str, files: list[str], status: dict[str, int], folder: RunFolder
) -> None:
    said = {key: value for key, value in folder.read_status().items() if key != "kind"}
    (folder.path / "status.json").write_text(json.dumps(said | status))
    for name in files:
        (folder.path / name).touch()
    assert folder.kind() == kind


def test_row_75_the_latest_run_is_the_last_one_created_whatever_its_name(tmp_path: Path) -> None:
    runs = make_runs(tmp_path, "b", "c", "a")
    runs[0].write_status("completed")
    assert find_run(tmp_path, None) == runs[2]
    assert list_runs(tmp_path) == runs
    for run in runs:
        status = run.read_status() | {"created": "2030-01-01T00:00:00.000000+00:00"}
        (run.path / "status.json").write_text(json.dumps(status))
    assert [run.path.name for run in list_runs(tmp_path)] == ["a", "b", "c"]


def at(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the clock."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls.fromisoformat(moment).astimezone(tz)

    monkeypatch.setattr("dtrain.runs.status.datetime", Clock)


def test_row_75_a_clock_that_was_set_back_makes_no_run_older_than_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("2100-01-01T00:00:00+00:00", monkeypatch)
    runs = make_runs(tmp_path, "z")
    at("2026-01-01T00:00:00+00:00", monkeypatch)
    runs += make_runs(tmp_path, "y", "x")
    assert list_runs(tmp_path) == runs
    assert runs[2].created() == "2100-01-01T00:00:00.000002+00:00"
    for run in runs:
        run.write_status("completed")
    runs += make_runs(tmp_path, "w")
    assert list_runs(tmp_path) == runs
    assert find_run(tmp_path, None) == runs[3]


def test_a_moment_that_is_none_is_passed_over(tmp_path: Path) -> None:
    (first,) = make_runs(tmp_path, "z")
    damaged = json.dumps(first.read_status() | {"created": "yesterday"})
    (first.path / "status.json").write_text(damaged)
    os.utime(first.path / "status.json", (2**32, 2**32))
    assert make_runs(tmp_path, "w")[0].created() < "2100"
    first.write_status("completed")
    assert first.created() == "yesterday"


def test_making_one_run_more_among_a_thousand_reads_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = make_runs(tmp_path, "run-0")
    for number in range(1, 1000):
        shutil.copytree(first.path, tmp_path / f"run-{number}")
    read: list[Path] = []

    def counted(folder: RunFolder) -> dict[str, Any]:
        read.append(folder.path)
        return read_status(folder)

    read_status = RunFolder.read_status
    monkeypatch.setattr(RunFolder, "read_status", counted)
    made = create_run(tmp_path, name=None, stem="run")
    assert made.path.name == "run-1000"
    assert set(read) == {made.path}
    assert find_run(tmp_path, None) == made


def test_durations_of_damaged_lines_are_not_known(folder: RunFolder) -> None:
    for one in ({"epoch": 1, "seconds": 0.5}, {"epoch": 2, "sekonds": 0.5}, {"seconds": 0.5}):
        folder.append_timing(one)
    assert folder.read_durations() == {1: 0.5}

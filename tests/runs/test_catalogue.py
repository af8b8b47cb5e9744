"""The folder of all runs: no two have one name, and the run that is meant is found."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from dtrain.ground.errors import EnvironmentProblem, RunConflictError, UsageError
from dtrain.runs.catalogue import check_run, create_run, find_run
from dtrain.runs.folder import RunFolder, list_runs

EPOCH = {"epoch": 1, "step": 4, "loss": 0.1 + 0.2, "momentum": None}


def make_runs(runs_dir: Path, *names: str) -> list[RunFolder]:
    return [create_run(runs_dir, name=name, stem="") for name in names]


def test_automatic_names_take_the_first_free_number(tmp_path: Path) -> None:
    make_runs(tmp_path, "elu-2")
    assert [create_run(tmp_path, name=None, stem="elu").path.name for _ in range(3)] == ["elu-1", "elu-3", "elu-4"]


def test_row_62_a_runs_folder_that_cannot_be_made_names_path_and_errno(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match=r"file: got a file; expected a folder"):
        create_run(tmp_path / "file", name=None, stem="x")
    with pytest.raises(EnvironmentProblem, match=r"runs: cannot be written: Not a directory \(errno \d+\)"):
        create_run(tmp_path / "file" / "runs", name=None, stem="x")


def test_row_62_it_is_tried_before_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="file: got a file; expected a folder of runs"):
        check_run(tmp_path / "file" / "runs", name=None)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(EnvironmentProblem, match=rf"{tmp_path}: cannot be written: Read-only file system"):
        check_run(tmp_path / "not" / "yet", name=None)


def test_row_104_a_symbolic_link_is_not_a_run_folder(tmp_path: Path) -> None:
    make_runs(tmp_path / "elsewhere", "real")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x").symlink_to(tmp_path / "elsewhere" / "real")
    with pytest.raises(RunConflictError, match="symbolic link"):
        find_run(tmp_path / "runs", "x")
    with pytest.raises(RunConflictError, match="taken"):
        create_run(tmp_path / "runs", name="x", stem="")
    assert list_runs(tmp_path / "runs") == []


def test_row_80_a_number_taken_just_now_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_runs(tmp_path, "race-1", "race-2")
    monkeypatch.setattr(os, "listdir", lambda _: [])
    assert create_run(tmp_path, name=None, stem="race").path.name == "race-3"


@pytest.mark.parametrize("run", ["reused", "reused/"])
def test_a_transfer_experiment_in_the_place_of_a_run_names_its_arms(tmp_path: Path, run: str) -> None:
    folder = create_run(tmp_path, name="reused", stem="", kind="transfer")
    arms = [folder.arm_folder(arm) for arm in ("transfer", "scratch")]
    with pytest.raises(UsageError, match="a transfer experiment, which has several arms; expected a run") as caught:
        find_run(tmp_path, run)
    assert caught.value.problems[0].hint == "name one of its arms: reused/transfer, reused/scratch"
    assert find_run(tmp_path, "reused/scratch") == arms[1]


def test_a_run_is_found_by_name_path_or_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (run,) = make_runs(Path("runs"), "elu-1")
    assert find_run(Path("runs"), "elu-1") == find_run(Path("other"), "runs/elu-1") == run
    assert run.seed_folder(3) == find_run(Path("runs"), "elu-1/seed-3")


@pytest.mark.parametrize("run", ["elu-11", "x" * 300, "", "."])
def test_an_unknown_run_is_answered_with_the_newest(tmp_path: Path, run: str) -> None:
    make_runs(tmp_path, *[f"elu-{number}" for number in range(1, 8)])
    with pytest.raises(UsageError, match="elu-7, elu-6, elu-5, elu-4, elu-3") as caught:
        find_run(tmp_path, run)
    assert str(caught.value).startswith(
        f"run: got {run!r}; expected the name or path of a run in {tmp_path}/, the latest"
    )
    assert ("did you mean 'elu-1'" in str(caught.value)) == (run == "elu-11")


@pytest.mark.parametrize("run", [None, "x"])
def test_without_runs_the_way_to_make_one_is_told(tmp_path: Path, run: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        find_run(tmp_path / "runs", run)
    assert "dtrain run" in caught.value.problems[0].hint

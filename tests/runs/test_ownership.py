"""A run folder's owner: its signs of life, and the state that it leaves."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from dtrain.ground.errors import DivergedError, EnvironmentProblem
from dtrain.runs.catalogue import create_run
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import current_status, owned


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setattr("dtrain.runs.ownership.HEARTBEAT_SECONDS", 0.001)
    return create_run(tmp_path, name="a", stem="")


def wait_for_a_beat(folder: RunFolder) -> None:
    before = folder.read_status()["heartbeat"]
    while folder.read_status()["heartbeat"] == before:
        time.sleep(0.001)


def test_the_heart_beats_while_nothing_else_is_written(folder: RunFolder) -> None:
    with owned(folder, seeds=3):
        wait_for_a_beat(folder)
        wait_for_a_beat(folder)
        assert folder.read_status()["seeds"] == 3
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}
    assert current_status(folder).state == "completed"


@pytest.mark.parametrize(
    ("error", "state"),
    [(KeyboardInterrupt(), "interrupted"), (DivergedError("nan"), "diverged"), (KeyError(), "failed")],
)
def test_no_late_beat_hides_how_it_ended(folder: RunFolder, error: BaseException, state: str) -> None:
    with pytest.raises(type(error)), owned(folder):
        wait_for_a_beat(folder)
        raise error
    assert current_status(folder).state == state


def test_a_beat_that_cannot_be_written_ends_nothing(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def full(*_: object, **__: object) -> None:
        tried.set()
        raise EnvironmentProblem("the disk is full")

    with owned(folder):
        with monkeypatch.context() as patch:
            patch.setattr("dtrain.runs.folder.RunFolder.write_status", full)
            assert tried.wait(timeout=60)
        wait_for_a_beat(folder)
    assert current_status(folder).state == "completed"


def test_row_83_an_owner_that_ends_while_one_looks_did_not_die(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_status("running")
    folder.lock_path.touch()

    def end_well(_: RunFolder) -> bool:
        folder.write_status("completed")
        return False

    monkeypatch.setattr("dtrain.runs.ownership._is_locked", end_well)
    assert current_status(folder).state == "completed"

"""Checkpoints on disk: equal when read again, and never half there, whatever the disk refuses."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtrain.engine.state import TrainingState
from dtrain.experiment.techniques.schedules import Plateau
from dtrain.ground.errors import EnvironmentProblem, ResumeError
from dtrain.runs.checkpoints import Checkpoint, Circumstances, last_step, load_latest, save

EPOCH = {"epoch": 1, "step": 2, "loss": 0.1 + 0.2, "val_loss": 1 / 3, "momentum": None}


def checkpoint(steps: int) -> Checkpoint:
    generator = np.random.default_rng(steps)
    state = TrainingState(
        variables=[generator.normal(size=(3, 2)).astype(np.float32), np.asarray(steps, np.int64)],
        best_weights=[np.ones((3, 2), np.float32)],
        best=float("inf"),
        best_epoch=0,
        plateau=Plateau(0.5, 0.25, 2),
        epochs=(EPOCH,),
        steps={"loss": generator.normal(size=steps), "examples": np.full(steps, 32)},
    )
    return Checkpoint(
        state, ("kernel (3, 2) float32", "optimizer/count () int64"), Circumstances("seed: 1\n", {"keras": "3"})
    )


def test_where_a_checkpoint_does_not_say_when_its_stages_began_there_is_one(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(5))
    state, manifest = tmp_path / "000001" / "state.json", tmp_path / "000001" / "manifest.json"
    old = {key: value for key, value in json.loads(state.read_text()).items() if key != "began"}
    state.write_text(json.dumps(old))
    digest = hashlib.sha256(state.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"state.json": digest}))
    found = load_latest(tmp_path).checkpoint
    assert found and found.state.began == (0,)


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = checkpoint(5)
    save(tmp_path / "checkpoints", written)
    found = load_latest(tmp_path / "checkpoints")
    assert found.lost == () and found.checkpoint
    assert (found.checkpoint.variables, found.checkpoint.circumstances) == (written.variables, written.circumstances)
    read = found.checkpoint.state
    for name in ("best", "best_epoch", "plateau", "epochs", "began"):
        assert getattr(read, name) == getattr(written.state, name)
    np.testing.assert_equal(read.variables, written.state.variables)
    np.testing.assert_equal(read.best_weights, written.state.best_weights)
    for name, values in written.state.steps.items():
        np.testing.assert_array_equal(read.steps[name], values)


def refuse(number: int) -> Any:
    def call(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("owner", "name"), [(os, "fsync"), (Path, "rename"), (Path, "replace"), (Path, "write_bytes"), (Path, "mkdir")]
)
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_row_60_what_the_disk_refuses_leaves_the_checkpoint_before_and_nothing_else(
    owner: Any, name: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"
    save(folder, checkpoint(5))
    with monkeypatch.context() as patch, pytest.raises(EnvironmentProblem, match="cannot be written") as caught:
        patch.setattr(owner, name, refuse(number))
        save(folder, checkpoint(9))
    if name != "mkdir":
        assert "the state of training, 200 bytes" in str(caught.value)
    if number == errno.ENOSPC:
        assert "bytes are free there" in caught.value.problems[0].hint
    assert os.listdir(folder) == ["000001"]
    assert last_step(folder) == 5
    found = load_latest(folder)
    assert found.checkpoint and found.checkpoint.state.step == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"variables": [np.zeros((2, 3), np.float32), np.asarray(5, np.int64)]},
        {"variables": [np.full((3, 2), np.nan, np.float32), np.asarray(5, np.int64)]},
        {"variables": []},
        {"best_weights": [np.ones(3, np.float32)]},
        {"best_epoch": 2},
        {"epochs": (EPOCH | {"epoch": 2},)},
        {"epochs": (EPOCH | {"loss": "low"},)},
        {"epochs": (EPOCH | {"accuracy": "high"},)},
        {"epochs": ({"epoch": 1, "step": 2, "loss": 0.3},)},
        {"plateau": Plateau("much", 0.25, 2)},  # type: ignore[arg-type]
        {"steps": {"loss": np.zeros(5), "examples": np.zeros(4)}},
    ],
)
def test_row_90_content_that_no_training_wrote_is_set_aside_whatever_its_digest(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    sound = checkpoint(5)
    save(tmp_path, sound)
    save(tmp_path, replace(sound, state=replace(sound.state, **wrong)))
    found = load_latest(tmp_path)
    assert found.checkpoint and found.checkpoint.state.step == 5
    assert (found.lost, sorted(os.listdir(tmp_path))) == ((5,), ["000001", "000002.corrupt"])


def test_row_94_other_variables_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        ResumeError, match=r"variable 1 of the checkpoint is optimizer/count \(\) int64; expected nothing"
    ):
        checkpoint(5).check_fits(("kernel (3, 2) float32",))


def test_there_is_no_step_where_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert last_step(tmp_path / "missing") is None
    assert load_latest(tmp_path / "missing").checkpoint is None

"""Real processes, really killed: whatever ends a training, going on gives what it would have given."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dtrain.cli import main
from dtrain.experiment.spec import Experiment
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import current_status
from dtrain.studies.transfer_report import ARMS
from dtrain.studies.transfer_source import Request
from dtrain.trials.request import RunOptions
from dtrain.workflows.resume import ResumeRequest, resume
from dtrain.workflows.run import run, run_seeds
from dtrain.workflows.show import RunReport, show
from dtrain.workflows.transfer import transfer
from tests.workflows.test_resume import EQUAL, assert_equal_models, assert_equal_runs
from tests.workflows.test_run import Listener

pytestmark = pytest.mark.faults

EPOCHS = 12
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "sgd and 1cycle": {"optimizer": "sgd", "schedule": "one_cycle"},
    "nadam and performance": {
        "optimizer": "nadam",
        "schedule": {"kind": "performance", "patience": 1, "min_delta": 0.05},
    },
    "dropout and batch norm": {"normalization": "batch_norm", "regularizer": "dropout", "schedule": "constant"},
    "early stopping": {
        "schedule": "constant",
        "optimizer": {"kind": "adam", "learning_rate": 0.02},
        "training": {"early_stopping": {"patience": 4, "min_delta": 0.002}},
    },
}
TRANSFER = "transfer"
"""Reuses layers of a run: its trainings have stages."""
CHILD = """
import os, pathlib, shutil, signal, sys, time
import dtrain.engine.epoch, dtrain.engine.training, dtrain.ground.files, dtrain.runs.checkpoints, dtrain.runs.folder
import dtrain.trials.compiled, dtrain.trials.outcome, dtrain.trials.recording, dtrain.workflows.transfer

dtrain.trials.recording.CHECKPOINT_SECONDS = 0.0
dtrain.engine.training.CHUNK_STEPS = 20


def dies(owner, name, call):
    original, calls = getattr(owner, name), []

    def wrapped(*arguments, **options):
        calls.append(name)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)

    setattr(owner, name, wrapped)


{preparation}
from dtrain.cli import main

sys.exit(main(sys.argv[1:]))
"""
POINTS = {
    "before the first step": "dies(dtrain.engine.epoch.Engine, 'train', 1)",
    "in the middle of an epoch": "dies(dtrain.engine.epoch.Engine, 'train', 6)",
    "between an epoch and its line of metrics": "dies(dtrain.trials.recording.Recorder, 'on_epoch', 3)",
    "between a line of metrics and its checkpoint": "dies(dtrain.trials.recording, 'save', 8)",
    "while a checkpoint is being written": "dies(dtrain.runs.checkpoints, 'to_json', 9)",
    "before a checkpoint gets its name": "dies(pathlib.Path, 'rename', 5)",
    "before an old checkpoint goes": "dies(dtrain.runs.checkpoints.shutil, 'rmtree', 4)",
    "between a checkpoint and its line of durations": "dies(dtrain.runs.folder.RunFolder, 'append_timing', 4)",
    "before the last evaluation": "dies(dtrain.trials.compiled.Compiled, 'evaluate', 1)",
    "while the model is being saved": "dies(dtrain.trials.outcome, 'replace_file', 1)",
    "before the summary": "dies(dtrain.runs.folder.RunFolder, 'write_summary', 1)",
}
POINTS_OF_TRANSFER = POINTS | {
    "before an arm has a folder": "dies(dtrain.runs.folder.RunFolder, 'arm_folder', 2)",
    "before a training has a folder": "dies(dtrain.runs.folder.RunFolder, 'seed_folder', 3)",
    "in the last training": "dies(dtrain.engine.epoch.Engine, 'train', 70)",
    "before the summary of an arm": "dies(dtrain.runs.folder.RunFolder, 'write_summary', 8)",
    "before the report": "dies(dtrain.workflows.transfer, 'to_json', 1)",
}


def experiment(name: str) -> Experiment:
    written = {"dataset": {"train_limit": 960}, "network": [16], "regularizer": []} | EXPERIMENTS[name]
    training = {"epochs": EPOCHS, "engine": "graph", "batch_size": 16} | written.get("training", {})
    return Experiment.model_validate(written | {"training": training})


def reused() -> Experiment:
    """The task of a transfer experiment: two stages of thirty steps an epoch."""
    return Experiment.model_validate(
        {
            "dataset": {"classes": [5, 6], "train_limit": 480},
            "optimizer": {"kind": "sgd", "learning_rate": 0.03, "momentum": 0.9},
            "schedule": "constant",
            "training": {"batch_size": 16, "engine": "graph", "early_stopping": None},
            "transfer": {"frozen_epochs": 2, "unfrozen_epochs": 4},
        }
    )


@dataclass(frozen=True)
class Reference:
    """What nothing interrupted, and what begins the same again.

    Args:
        folder: Its folder.
        begin: The command, but for names and folders.
        first: Where in the folder the first training is.
    """

    folder: Path
    begin: tuple[str, ...]
    first: str = "."

    def assert_equal(self, folder: Path) -> None:
        if self.first == ".":
            assert_equal_runs(folder, self.folder)
            return
        assert_equal_models(folder, self.folder)
        for part in (f"{arm}/seed-{seed}/{name}" for arm in ARMS for seed in (42, 43) for name in EQUAL):
            assert (folder / part).read_bytes() == (self.folder / part).read_bytes(), part


References = Callable[[str], Reference]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> References:
    """Every experiment by its name; each is trained once."""
    runs_dir, found = tmp_path_factory.mktemp("runs"), dict[str, Reference]()

    def reference(name: str) -> Reference:
        if name not in found and name == TRANSFER:
            base = reference("sgd and 1cycle").folder
            folder = transfer(reused(), Request(base, seeds=2), RunOptions(runs_dir, name), Listener()).folder
            begin = ("transfer", str(folder / "config.yaml"), "--base", str(base), "--seeds", "2")
            found[name] = Reference(folder, begin, "transfer/seed-42")
        if name not in found:
            folder = run(experiment(name), RunOptions(runs_dir, name.replace(" ", "-")), Listener()).folder
            found[name] = Reference(folder, ("run", str(folder / "config.yaml")))
        return found[name]

    return reference


@contextmanager
def child(
    reference: Reference, runs_dir: Path, preparation: str = "", more: tuple[str, ...] = (), **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """A process that trains what the reference was trained on, into the folder ``cut``, or goes on with it."""
    command = [sys.executable, "-c", CHILD.replace("{preparation}", preparation)]
    command += ["resume", "cut"] if (runs_dir / "cut").exists() else [*reference.begin, "--name", "cut"]
    command += ["--runs-dir", str(runs_dir), "--quiet", *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        yield process
        process.kill()


def go_on_like(reference: Reference, runs_dir: Path) -> Listener:
    listener = Listener()
    resume(ResumeRequest("cut"), RunOptions(runs_dir), listener)
    reference.assert_equal(runs_dir / "cut")
    return listener


def state_of(folder: Path) -> str:
    return current_status(RunFolder(folder)).state


def saved_step(runs_dir: Path, reference: Reference) -> int | None:
    report = show(runs_dir, str(runs_dir / "cut" / reference.first))
    assert isinstance(report, RunReport)
    return report.saved_step


def checkpoints_made(folder: Path) -> int:
    """Counts those of all trainings, also the ones that later ones have replaced."""
    numbers = ([int(one.name) for one in path.iterdir() if one.name.isdigit()] for path in folder.rglob("checkpoints"))
    return sum(max(one, default=0) for one in numbers)


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not happened() and process.poll() is None:
        time.sleep(0.001)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


CASES = [(TRANSFER, point) for point in POINTS_OF_TRANSFER] + [("sgd and 1cycle", point) for point in POINTS]


@pytest.mark.parametrize(("name", "point"), CASES)
def test_row_66_killed_at_a_named_point(name: str, point: str, references: References, tmp_path: Path) -> None:
    reference = references(name)
    with child(reference, tmp_path, POINTS_OF_TRANSFER[point]) as process:
        said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    assert state_of(tmp_path / "cut") == "died"
    if point in POINTS:
        assert (saved_step(tmp_path, reference) is None) == (point == "before the first step")
    go_on_like(reference, tmp_path)


@pytest.mark.parametrize("name", [*EXPERIMENTS, TRANSFER])
@pytest.mark.parametrize("chance", range(2))
def test_row_66_killed_at_any_moment(name: str, chance: int, references: References, tmp_path: Path) -> None:
    reference, generator = references(name), random.Random(f"{name} {chance}")
    first, cut = reference.first, tmp_path / "cut"
    if name == TRANSFER:
        first = f"{generator.choice(list(ARMS))}/seed-{generator.choice((42, 43))}"
    epochs = generator.randrange(lines(reference.folder / first / "metrics.jsonl") - 1)
    delay = generator.uniform(0, 0.05)
    with child(reference, tmp_path) as process:
        wait_until(lambda: lines(cut / first / "metrics.jsonl") > epochs, process)
        time.sleep(delay)
        process.kill()
        process.wait()
    assert (cut / first / "metrics.jsonl").exists()
    go_on_like(reference, tmp_path)


@pytest.mark.parametrize("name", ["dropout and batch norm", TRANSFER])
@pytest.mark.parametrize("point", ["in the middle of an epoch", "before a checkpoint gets its name"])
def test_row_66_killed_again_and_again_while_going_on(
    point: str, name: str, references: References, tmp_path: Path
) -> None:
    reference, reached = references(name), [0]
    for _ in range(2):
        with child(reference, tmp_path, POINTS[point]) as process:
            said = process.communicate()
        assert process.returncode == -signal.SIGKILL, said
        reached.append(checkpoints_made(tmp_path / "cut"))
    assert reached == sorted(set(reached)), "each time it came further"
    go_on_like(reference, tmp_path)


def test_row_66_killed_in_the_second_of_three_seeds(references: References, tmp_path: Path) -> None:
    reference, cut = references("nadam and performance"), tmp_path / "cut"
    with child(reference, tmp_path, more=("--seeds", "3")) as process:
        wait_until(lambda: lines(cut / "seed-43" / "metrics.jsonl") > 2, process)
        process.kill()
    assert state_of(cut) == "died"
    resume(ResumeRequest("cut"), RunOptions(tmp_path), Listener())
    whole = run_seeds(experiment("nadam and performance"), 3, RunOptions(tmp_path, "whole"), Listener()).folder
    for seed in (42, 43, 44):
        assert_equal_runs(cut / f"seed-{seed}", whole / f"seed-{seed}")


@pytest.mark.parametrize("name", ["dropout and batch norm", TRANSFER])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
def test_rows_63_65_a_signal_leaves_a_checkpoint_of_its_border(
    number: int, code: int, name: str, references: References, tmp_path: Path
) -> None:
    reference = references(name)
    with child(reference, tmp_path, "dtrain.trials.recording.CHECKPOINT_SECONDS = 1e9") as process:
        wait_until(lambda: lines(tmp_path / "cut" / reference.first / "metrics.jsonl") > 2, process)
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == code
    assert f"dtrain resume {tmp_path / 'cut'}" in said
    assert RunFolder(tmp_path / "cut").read_status()["state"] == "interrupted"
    listener = go_on_like(reference, tmp_path)
    assert listener.warnings == []


BUSY = """
def wait(self, *arguments):
    while True:
        time.sleep(0.01)

dtrain.engine.training.Trainer._validate = wait
"""
"""An epoch that never comes to a border."""


@pytest.mark.parametrize("name", ["sgd and 1cycle", TRANSFER])
def test_row_64_a_second_signal_stops_at_once_with_the_checkpoint_before(
    name: str, references: References, tmp_path: Path
) -> None:
    reference = references(name)
    saved = tmp_path / "cut" / reference.first / "checkpoints" / "000001"
    with child(reference, tmp_path, BUSY) as process:
        wait_until(saved.exists, process)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
    assert process.returncode == -signal.SIGINT
    go_on_like(reference, tmp_path)


@pytest.mark.parametrize("name", ["sgd and 1cycle", TRANSFER])
def test_rows_60_61_a_disk_that_fills_up_leaves_the_last_good_state(
    name: str, references: References, tmp_path: Path
) -> None:
    reference = references(name)
    sizes = sorted(path.stat().st_size for path in (reference.folder / reference.first).rglob("arrays.npz"))
    limit = sizes[-1] - 20 * 7 * 8 * 3

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    with child(reference, tmp_path, preexec_fn=fill) as process:
        _, said = process.communicate()
    assert process.returncode == 7, said
    (error,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert "the state of training" in error and "bytes are free there" in said, said[-1500:]
    assert state_of(tmp_path / "cut") == "failed"
    assert saved_step(tmp_path, reference)
    go_on_like(reference, tmp_path)


@pytest.mark.parametrize("name", ["early stopping", TRANSFER])
@pytest.mark.parametrize("moved", [False, True], ids=["deleted", "moved"])
def test_row_86_a_folder_that_is_deleted_or_moved_under_way_is_not_made_again(
    moved: bool, name: str, references: References, tmp_path: Path
) -> None:
    reference = references(name)
    with child(reference, tmp_path) as process:
        wait_until(lambda: lines(tmp_path / "cut" / reference.first / "metrics.jsonl") > 1, process)
        # in one step: what is written while files go one by one would keep the folder
        os.rename(tmp_path / "cut", tmp_path / "elsewhere")
        if not moved:
            shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
        _, said = process.communicate()
    assert process.returncode == 7, said
    assert "deleted or moved" in said
    assert not (tmp_path / "cut").exists()


@pytest.mark.parametrize("name", ["nadam and performance", TRANSFER])
def test_rows_81_82_a_live_run_is_left_alone_and_a_dead_one_taken_over(
    name: str, references: References, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = references(name)
    with child(reference, tmp_path) as process:
        wait_until(lambda: lines(tmp_path / "cut" / reference.first / "metrics.jsonl") > 1, process)
        process.send_signal(signal.SIGSTOP)
        assert main(["resume", "cut", "--runs-dir", str(tmp_path)]) == 8
        assert f"in use by process {process.pid}" in capsys.readouterr().err
    listener = go_on_like(reference, tmp_path)
    assert f"process {process.pid} on" in listener.warnings[0]

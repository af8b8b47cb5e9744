"""Going on with a transfer experiment: what has ended is kept, the rest comes to the same bytes, or it is refused."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from dtrain.experiment.transfer import Arm
from dtrain.ground.errors import DtrainError, ModelFileError, ResumeError, UsageError
from dtrain.ground.signals import Stopped
from dtrain.runs.folder import RunFolder
from dtrain.studies.transfer_report import ARMS, TransferReport
from dtrain.studies.transfer_source import Request, read_request
from dtrain.trials.recording import Recorder
from dtrain.trials.request import RunOptions
from dtrain.workflows.resume import ResumeRequest, resume
from dtrain.workflows.show import RunReport, show
from dtrain.workflows.transfer import transfer
from tests.reuse.conftest import reader_in_this_process as reader_in_this_process
from tests.workflows.test_resume import EQUAL, assert_equal_models, contents
from tests.workflows.test_run import Listener
from tests.workflows.test_transfer import TASK
from tests.workflows.test_transfer import base as base

pytestmark = pytest.mark.usefixtures("compiled_once")
SEEDS = (42, 43)
CELLS = [(arm, seed) for seed in SEEDS for arm in ARMS]
"""In the order in which they are trained."""


@pytest.fixture(scope="module", autouse=True)
def frequent() -> Iterator[None]:
    """Two steps an epoch, each a chunk, and a checkpoint after each; no picture of each training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dtrain.engine.training.CHUNK_STEPS", 1)
        patch.setattr("dtrain.trials.recording.CHECKPOINT_SECONDS", 0.0)
        patch.setattr("dtrain.plots.curves.curves_figure", lambda *_: Figure())
        yield


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TransferReport:
    """The experiment that nothing interrupts."""
    return transfer(TASK, Request(base, seeds=2), RunOptions(tmp_path_factory.mktemp("runs"), "whole"), Listener())


def interrupted(base: Path, runs_dir: Path, arm: str, seed: int, step: int) -> Path:
    """The folder of the same experiment, stopped by a signal after so many steps of a training."""
    shown = Recorder.on_progress

    def signalled(self: Recorder, taken: int) -> None:
        trial = self._trial
        if trial.reuse and (trial.reuse.arm, trial.experiment.seed, taken) == (arm, seed, step):
            signal.raise_signal(signal.SIGINT)
        shown(self, taken)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped) as caught:
        patch.setattr(Recorder, "on_progress", signalled)
        transfer(TASK, Request(base, seeds=2), RunOptions(runs_dir, "cut"), Listener())
    assert f"`dtrain resume {runs_dir / 'cut'}`" in caught.value.__notes__[0]
    return runs_dir / "cut"


@pytest.fixture(scope="module")
def template(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the experiment, stopped in the first seed's training from scratch."""
    return interrupted(base, tmp_path_factory.mktemp("runs"), "scratch", 42, 3)


@pytest.fixture
def cut(template: Path, tmp_path: Path) -> Path:
    """A copy of it, which is also one that was moved."""
    return Path(shutil.copytree(template, tmp_path / "cut"))


def go_on(folder: Path, listener: Listener | None = None, **request: Any) -> TransferReport:
    result = resume(ResumeRequest(folder.name, **request), RunOptions(folder.parent), listener or Listener())
    assert isinstance(result, TransferReport)
    return result


def assert_equal_experiments(one: TransferReport, other: TransferReport) -> None:
    for arm, seed in CELLS:
        for name in EQUAL:
            files = (report.folder / arm / f"seed-{seed}" / name for report in (one, other))
            assert next(files).read_bytes() == next(files).read_bytes(), (arm, seed, name)
    assert_equal_models(one.folder, other.folder)
    assert replace(one, folder=other.folder, seconds=other.seconds) == other


@pytest.mark.parametrize(
    ("arm", "seed", "step"),
    [
        pytest.param("transfer", 42, 1, id="in the frozen stage"),
        pytest.param("transfer", 43, 2, id="at the end of the frozen stage"),
        pytest.param("random", 42, 5, id="in the unfrozen stage"),
        pytest.param("random", 43, 6, id="at the end of all"),
    ],
)
def test_row_88_from_any_border_it_goes_on_to_the_same_bytes(
    arm: Arm, seed: int, step: int, base: Path, whole: TransferReport, tmp_path: Path
) -> None:
    folder = interrupted(base, tmp_path, arm, seed, step)
    assert RunFolder(folder).read_status()["state"] == "interrupted"
    cell = show(tmp_path, str(folder / arm / f"seed-{seed}"))
    assert isinstance(cell, RunReport)
    assert (cell.status.state, cell.saved_step) == ("interrupted", step)
    ended = [folder / one / f"seed-{number}" for one, number in CELLS[: CELLS.index((arm, seed))]]
    before = [contents(one) for one in ended]
    report = go_on(folder)
    assert [contents(one) for one in ended] == before
    assert_equal_experiments(report, whole)
    assert RunFolder(folder).read_status()["state"] == "completed"


def test_row_96_an_experiment_that_was_moved_goes_on(cut: Path, whole: TransferReport) -> None:
    assert_equal_experiments(go_on(cut), whole)


def test_what_was_killed_before_it_wrote_anything_begins(cut: Path, whole: TransferReport) -> None:
    (cut / "random" / "status.json").unlink()
    (cut / "scratch" / "seed-42" / "config.yaml").unlink()
    (cut / "transfer" / "seed-43").mkdir()
    assert_equal_experiments(go_on(cut), whole)


def test_row_93_what_is_completed_has_nothing_to_do(whole: TransferReport) -> None:
    before, listener = contents(whole.folder), Listener()
    assert go_on(whole.folder, listener) == whole
    assert contents(whole.folder) == before
    assert listener.warnings == [f"{whole.folder} is completed: there is nothing to do"]


def refused(error: type[DtrainError], folder: Path, **request: Any) -> str:
    before = contents(folder)
    with pytest.raises(error) as caught:
        resume(ResumeRequest(str(folder), **request), RunOptions(folder.parent), Listener())
    assert contents(folder) == before
    problem = caught.value.problems[0]
    return f"{problem} | {problem.hint}"


def with_base(folder: Path, base: Path) -> None:
    """Makes the experiment one that began with a base there."""
    text = (folder / "study.yaml").read_text()
    line = next(one for one in text.splitlines() if one.startswith("base: "))
    (folder / "study.yaml").write_text(text.replace(line, f"base: {base}"))


def test_a_base_that_is_gone_or_another_is_refused(cut: Path, base: Path, whole: TransferReport) -> None:
    moved = cut.parent / "moved.h5"
    with_base(cut, moved)
    said = refused(ModelFileError, cut)
    assert f"{moved}: does not exist" in said and ModelFileError.exit_code == 5
    shutil.copy(base, moved)
    with moved.open("ab") as file:
        file.write(b"x")
    said = refused(ResumeError, cut)
    assert f"{moved}: was changed since the experiment began: got digest" in said and ResumeError.exit_code == 9
    shutil.copy(base, moved)
    assert_equal_experiments(go_on(cut), replace(whole, base="moved.h5"))


def test_a_base_that_was_given_by_a_relative_path_is_found_from_elsewhere(
    cut: Path, base: Path, whole: TransferReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(cut)
    request = replace(read_request(folder), base=Path(base.name))
    monkeypatch.chdir(base.parent)
    folder.write_study(request.text(request.digest))
    monkeypatch.chdir(cut)
    assert_equal_experiments(go_on(cut), whole)


def test_row_89_an_edited_task_is_refused_with_what_changed(cut: Path) -> None:
    text = (cut / "config.yaml").read_text()
    (cut / "config.yaml").write_text(text.replace("frozen_epochs: 1", "frozen_epochs: 9", 1))
    assert "transfer.frozen_epochs is 9, was 1" in refused(ResumeError, cut)


@pytest.mark.parametrize("begun", [True, False])
def test_row_92_other_versions_are_refused_also_where_all_that_began_has_ended(
    begun: bool, cut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not begun:
        shutil.rmtree(cut / "scratch" / "seed-42")
    monkeypatch.setattr("dtrain.engine.backend.__version__", "0.0")
    with pytest.raises(ResumeError, match=r"cannot be gone on with exactly: dtrain is 0\.0") as caught:
        go_on(cut)
    assert "transfer/seed-42" in caught.value.problems[0].where
    assert len(go_on(cut, allow_drift=True).seeds) == 2


@pytest.mark.parametrize("part", ["scratch", "scratch/seed-42"])
def test_a_part_of_it_is_not_gone_on_with_alone(part: str, cut: Path) -> None:
    said = refused(ResumeError, cut / part)
    assert f"a part of a transfer experiment | go on with all of it: `dtrain resume {cut}`" in said


def test_it_is_not_made_longer(cut: Path) -> None:
    assert "a transfer experiment, which is not made longer" in refused(UsageError, cut, epochs=99)


def test_row_95_reused_layers_that_diverged_would_again(cut: Path) -> None:
    status = json.loads((cut / "status.json").read_text()) | {"state": "diverged", "reason": "all 2 seeds"}
    (cut / "status.json").write_text(json.dumps(status))
    assert "`dtrain transfer --base" in refused(ResumeError, cut)

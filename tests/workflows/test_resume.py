"""Going on with a run: to the same bytes, after a damage, for longer, or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import keras
import numpy as np
import pytest

from dtrain.experiment.config.loading import load_advised, load_experiment
from dtrain.ground.errors import DivergedError, DtrainError, ResumeError, RunConflictError, UsageError
from dtrain.ground.signals import Stopped
from dtrain.runs.checkpoints import KEPT
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import locked
from dtrain.runs.results import RunResult, SeedsResult
from dtrain.trials.request import RunOptions
from dtrain.workflows.resume import ResumeRequest, resume
from dtrain.workflows.run import run, run_seeds
from dtrain.workflows.show import RunReport, show
from tests.workflows.test_run import WILD, Listener, small

pytestmark = pytest.mark.usefixtures("compiled_once")
EQUAL = ("config.yaml", "metrics.jsonl", "steps.npz", "predictions.npz")


class Interrupter(Listener):
    """Sends this process a signal when training has taken so many steps."""

    def __init__(self, step: int, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.step, self.number = step, number

    def on_progress(self, step: int, total_steps: int) -> None:
        """Sends the signal."""
        if step == self.step:
            signal.raise_signal(self.number)


class LateInterrupter(Interrupter):
    """Sends it when the border of an epoch has been passed but for its last line."""

    def on_progress(self, step: int, total_steps: int) -> None:
        """Waits for the epoch."""

    def on_epoch(self, metrics: Any, seconds: float | None) -> None:
        """Sends the signal."""
        signal.raise_signal(self.number)


@pytest.fixture(autouse=True)
def frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten steps an epoch in three chunks, and a checkpoint after each."""
    monkeypatch.setattr("dtrain.engine.training.CHUNK_STEPS", 4)
    monkeypatch.setattr("dtrain.engine.training.CHUNK_SECONDS", np.inf)
    monkeypatch.setattr("dtrain.engine.training.FIRST_CHUNK_STEPS", 4)
    monkeypatch.setattr("dtrain.trials.recording.CHECKPOINT_SECONDS", 0.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The run that nothing interrupts."""
    return run(small(), RunOptions(tmp_path_factory.mktemp("runs"), "whole"), Listener())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same run, stopped after 14 of its 20 steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dtrain.engine.training.CHUNK_STEPS", 4)
        patch.setattr("dtrain.engine.training.CHUNK_SECONDS", np.inf)
        patch.setattr("dtrain.engine.training.FIRST_CHUNK_STEPS", 4)
        patch.setattr("dtrain.trials.recording.CHECKPOINT_SECONDS", 0.0)
        runs_dir = tmp_path_factory.mktemp("runs")
        with pytest.raises(Stopped):
            run(small(), RunOptions(runs_dir, "cut"), Interrupter(14))
    return runs_dir / "cut"


@pytest.fixture
def cut(template: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the interrupted run, which is also one that was moved."""
    yield Path(shutil.copytree(template, tmp_path / "cut"))


def go_on(folder: Path, listener: Listener | None = None, **request: Any) -> RunResult:
    result = resume(ResumeRequest(folder.name, **request), RunOptions(folder.parent), listener or Listener())
    assert isinstance(result, RunResult)
    return result


def assert_equal_runs(one: Path, other: Path) -> None:
    for name in EQUAL:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert_equal_models(one, other)


def assert_equal_models(one: Path, other: Path) -> None:
    first, second = (
        keras.models.load_model(path / "model.keras", compile=False).get_weights() for path in (one, other)
    )
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)


def test_what_is_measured_of_layers_goes_on_too(tmp_path: Path) -> None:
    experiment = small(training={"epochs": 2, "engine": "graph", "save": [], "measures": "layers"})
    through = run(experiment, RunOptions(tmp_path, "through"), Listener()).folder
    with pytest.raises(Stopped):
        run(experiment, RunOptions(tmp_path, "cut"), Interrupter(14))
    resumed = go_on(tmp_path / "cut").folder
    assert (resumed / "layers.npz").read_bytes() == (through / "layers.npz").read_bytes()
    found = RunFolder(resumed).read_layers()
    assert found["step"].tolist() == [*range(1, 11), 20] and found["layers"].tolist() == ["dense_1", "output"]


class Stopwatch(Listener):
    """Keeps how long each epoch is said to have taken."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[int, float | None] = {}

    def on_epoch(self, metrics: Any, seconds: float | None) -> None:
        """Keeps the duration."""
        self.seconds[metrics["epoch"]] = seconds


@pytest.mark.parametrize("known", [True, False])
def test_an_epoch_that_was_trained_before_is_shown_with_its_own_duration(cut: Path, known: bool) -> None:
    written = (cut / "timing.jsonl").read_bytes() if known else b""
    (cut / "timing.jsonl").write_bytes(written)
    go_on(cut, stopwatch := Stopwatch())
    assert stopwatch.seconds[1] == (json.loads(written)["seconds"] if known else None)
    assert stopwatch.seconds[2]


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refused(error: type[DtrainError], folder: Path, **request: Any) -> str:
    before = contents(folder)
    with pytest.raises(error) as caught:
        go_on(folder, **request)
    assert contents(folder) == before
    problem = caught.value.problems[0]
    return f"{problem} | {problem.hint}"


@pytest.mark.parametrize(
    ("step", "number", "code"), [(4, signal.SIGINT, 130), (10, signal.SIGTERM, 143), (20, signal.SIGHUP, 129)]
)
def test_rows_63_65_88_a_signal_stops_at_a_border_and_going_on_gives_the_same_bytes(
    step: int, number: int, code: int, whole: RunResult, tmp_path: Path
) -> None:
    with pytest.raises(Stopped) as caught:
        run(small(), RunOptions(tmp_path, "cut"), Interrupter(step, number))
    assert caught.value.exit_code == code
    assert f"dtrain resume {tmp_path / 'cut'}" in caught.value.__notes__[0]
    report = show(tmp_path, "cut")
    assert isinstance(report, RunReport)
    assert (report.status.state, report.saved_step, len(report.metrics)) == ("interrupted", step, step // 10)
    result = go_on(tmp_path / "cut")
    assert_equal_runs(result.folder, whole.folder)
    assert RunFolder(result.folder).read_status()["state"] == "completed"
    assert list(RunFolder(result.folder).read_durations()) == [1, 2]
    assert (result.test, result.departures) == (whole.test, ())


def test_rows_63_65_a_signal_after_a_border_waits_for_the_next_and_its_checkpoint(
    whole: RunResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("dtrain.trials.recording.CHECKPOINT_SECONDS", np.inf)
    with pytest.raises(Stopped):
        run(small(), RunOptions(tmp_path, "cut"), LateInterrupter(10))
    report = show(tmp_path, "cut")
    assert isinstance(report, RunReport)
    assert report.saved_step == 14, "one chunk behind the first epoch"
    assert_equal_runs(go_on(tmp_path / "cut").folder, whole.folder)


def test_row_96_a_run_that_was_moved_goes_on(cut: Path, whole: RunResult) -> None:
    listener = Listener()
    result = go_on(cut, listener)
    assert_equal_runs(result.folder, whole.folder)
    assert listener.epochs == [1, 2]
    advised = [one.rule for one in load_advised(small())[1]]
    assert advised and [one.rule for one in result.advice] == advised


def test_row_93_a_completed_run_has_nothing_to_do(cut: Path) -> None:
    go_on(cut)
    before, listener = contents(cut), Listener()
    go_on(cut, listener)
    assert contents(cut) == before
    assert "there is nothing to do" in listener.warnings[0]


def test_row_66_what_a_crash_left_of_an_epoch_that_no_checkpoint_has_is_trained_again(
    cut: Path, whole: RunResult
) -> None:
    status = json.loads((cut / "status.json").read_text()) | {"state": "running", "pid": 2**22 + 1}
    (cut / "status.json").write_text(json.dumps(status))
    with (cut / "metrics.jsonl").open("ab") as metrics:
        metrics.write((whole.folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)[1] + b'{"torn')
    listener = Listener()
    assert_equal_runs(go_on(cut, listener).folder, whole.folder)
    assert "died; it was last heard of" in listener.warnings[0]


def latest(folder: Path) -> Path:
    return max(path for path in (folder / "checkpoints").iterdir() if path.suffix != ".corrupt")


@pytest.mark.parametrize("name", ["state.json", "arrays.npz", "manifest.json"])
def test_row_90_a_damaged_checkpoint_is_set_aside_for_the_one_before(name: str, cut: Path, whole: RunResult) -> None:
    file = latest(cut) / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    listener = Listener()
    assert_equal_runs(go_on(cut, listener).folder, whole.folder)
    assert any("steps are lost; going on from step 10" in text for text in listener.warnings)
    assert (cut / "checkpoints" / f"{file.parent.name}.corrupt").is_dir()


def test_row_90_a_checkpoint_with_a_missing_file_is_damaged_too(cut: Path, whole: RunResult) -> None:
    (latest(cut) / "arrays.npz").unlink()
    assert_equal_runs(go_on(cut).folder, whole.folder)


def test_row_91_where_all_checkpoints_are_damaged_a_new_run_is_suggested(cut: Path) -> None:
    for path in (cut / "checkpoints").iterdir():
        (path / "manifest.json").write_text("{}")
    with pytest.raises(ResumeError, match="every checkpoint is damaged") as caught:
        go_on(cut)
    assert caught.value.problems[0].hint.endswith("config.yaml`")


def test_row_91_without_any_checkpoint_it_begins_again(cut: Path, whole: RunResult) -> None:
    shutil.rmtree(cut / "checkpoints")
    listener = Listener()
    assert_equal_runs(go_on(cut, listener).folder, whole.folder)
    assert "going on from the first step" in listener.warnings[0]


def test_only_the_last_two_checkpoints_are_kept(cut: Path) -> None:
    go_on(cut)
    assert [path.name for path in sorted((cut / "checkpoints").iterdir())] == ["000005", "000006"]
    assert KEPT == 2


def test_row_89_an_edited_experiment_is_refused_with_what_changed(cut: Path) -> None:
    text = (cut / "config.yaml").read_text()
    (cut / "config.yaml").write_text(text.replace("seed: 42", "seed: 43").replace("epochs: 2", "epochs: 9"))
    said = refused(ResumeError, cut)
    assert "training.epochs is 9, was 2; seed is 43, was 42" in said
    assert "--epochs" in said


def test_row_89_a_comment_is_no_change(cut: Path, whole: RunResult) -> None:
    text = (cut / "config.yaml").read_text()
    (cut / "config.yaml").write_text("# mine\n" + text)
    assert_equal_runs(go_on(cut).folder, whole.folder)


def edit_state(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes a checkpoint as somebody would who knows the format, so that its checksums are right."""
    for path in (folder / "checkpoints").iterdir():
        state, manifest = (json.loads((path / name).read_text()) for name in ("state.json", "manifest.json"))
        change(state)
        (path / "state.json").write_text(json.dumps(state))
        manifest["state.json"] = hashlib.sha256((path / "state.json").read_bytes()).hexdigest()
        (path / "manifest.json").write_text(json.dumps(manifest))


def test_row_92_other_versions_are_refused_unless_allowed_and_then_recorded(cut: Path, whole: RunResult) -> None:
    edit_state(cut, lambda state: state["circumstances"]["surroundings"].update(keras="3.0.0", device="gpu:0"))
    said = refused(ResumeError, cut)
    assert f"device is cpu, was gpu:0; keras is {keras.__version__}, was 3.0.0" in said
    assert "--allow-drift" in said
    result = go_on(cut, allow_drift=True)
    assert any(f"from step 14 on, keras is {keras.__version__}, was 3.0.0" in one for one in result.departures)
    assert RunFolder(cut).read_summary()["departures"] == list(result.departures)
    assert result.test == whole.test


def test_row_94_a_missing_optimizer_slot_is_no_fresh_one(cut: Path) -> None:
    edit_state(cut, lambda state: state["variables"].pop())
    with pytest.raises(ResumeError, match="every checkpoint is damaged"):
        go_on(cut)


def test_row_95_a_diverged_run_would_diverge_again(tmp_path: Path) -> None:
    with pytest.raises(DivergedError):
        run(small(**WILD), RunOptions(tmp_path, "wild"), Listener())
    assert "optimizer.learning_rate=..." in refused(ResumeError, tmp_path / "wild")


def test_row_81_a_run_that_somebody_trains_is_left_alone(cut: Path) -> None:
    with locked(RunFolder(cut)), pytest.raises(RunConflictError, match=r"is in use by process \d+ on"):
        go_on(cut)


def test_row_82_a_distant_owner_counts_while_its_heart_beats(cut: Path, whole: RunResult) -> None:
    def heard_of(ago: timedelta) -> None:
        heartbeat = (datetime.now(UTC) - ago).isoformat()
        status = json.loads((cut / "status.json").read_text())
        distant = status | {"state": "running", "host": "far", "heartbeat": heartbeat}
        (cut / "status.json").write_text(json.dumps(distant))

    heard_of(timedelta(0))
    assert "on far, last heard of 0 s ago" in refused(RunConflictError, cut)
    heard_of(timedelta(minutes=15))
    assert_equal_runs(go_on(cut).folder, whole.folder)


def test_a_run_is_made_longer_and_equals_one_that_was_so_long(tmp_path: Path) -> None:
    short = run(small(schedule="power"), RunOptions(tmp_path, "short"), Listener())
    result = go_on(short.folder, epochs=3)
    training = {"epochs": 3, "engine": "graph", "save": ["keras", "h5"]}
    long = run(small(schedule="power", training=training), RunOptions(tmp_path, "long"), Listener())
    assert_equal_runs(result.folder, long.folder)


def test_a_schedule_over_the_whole_training_is_held_or_planned_anew(cut: Path) -> None:
    assert "one_cycle was planned over 2 epochs" in refused(UsageError, cut, epochs=4)
    copy = Path(shutil.copytree(cut, cut.parent / "held"))
    replanned, held = go_on(cut, epochs=4, schedule="replan"), go_on(copy, epochs=4, schedule="hold")
    rates = [RunFolder(one.folder).read_steps()["learning_rate"] for one in (replanned, held)]
    assert len(rates[0]) == len(rates[1]) == 40
    np.testing.assert_array_equal(rates[0][:14], rates[1][:14])
    assert rates[0][14] > 1.5 * rates[1][14]
    assert set(rates[1][20:]) == {rates[1][19]}
    assert "one_cycle is planned over 4 epochs, was over 2" in replanned.departures[0]
    for one in (replanned, held):
        stopping = load_experiment(one.folder / "config.yaml").training.early_stopping
        assert stopping and stopping.patience == 4, "as long as the training, as it was filled in"
    assert held.departures == ()
    again = run(load_experiment(held.folder / "config.yaml"), RunOptions(cut.parent, "again"), Listener())
    assert_equal_runs(again.folder, held.folder)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"epochs": 1, "schedule": "hold"}, "got 1; expected more than the 2 epochs of the run"),
        ({"schedule": "hold"}, "got no --epochs"),
    ],
)
def test_what_makes_a_run_no_longer_is_refused(request_: dict[str, Any], said: str, cut: Path) -> None:
    assert said in refused(UsageError, cut, **request_)


def test_a_crash_between_lengthening_and_training_is_no_edited_experiment(cut: Path) -> None:
    config = (cut / "config.yaml").read_text()
    with pytest.raises(Stopped):
        go_on(cut, Interrupter(14), epochs=3, schedule="hold")
    (cut / "config.yaml").write_text(config)
    shutil.rmtree(latest(cut))
    assert len(RunFolder(go_on(cut).folder).read_metrics()) == 3


def test_a_run_that_stopped_early_is_not_made_longer(tmp_path: Path) -> None:
    stopping = {"epochs": 5, "engine": "graph", "early_stopping": {"patience": 1, "min_delta": 100.0}}
    folder = run(small(schedule="constant", training=stopping), RunOptions(tmp_path, "early"), Listener()).folder
    assert "stopped early after epoch 2" in refused(ResumeError, folder, epochs=9)


@pytest.mark.slow
def test_seeds_go_on_where_they_were(tmp_path: Path) -> None:
    class Second(Interrupter):
        def on_progress(self, step: int, total_steps: int) -> None:
            self.seeds = getattr(self, "seeds", 0) + (step == 4)
            if self.seeds == 2:
                super().on_progress(step, total_steps)

    options = RunOptions(tmp_path, "seeds")
    with pytest.raises(Stopped) as caught:
        run_seeds(small(), 3, options, Second(14))
    assert len(caught.value.__notes__) == 1
    listener = Listener()
    resumed = resume(ResumeRequest("seeds"), RunOptions(tmp_path), listener)
    whole = run_seeds(small(), 3, RunOptions(tmp_path, "whole"), Listener())
    assert isinstance(resumed, SeedsResult)
    assert (resumed.test_accuracy, resumed.test_interval) == (whole.test_accuracy, whole.test_interval)
    for seed in (42, 43, 44):
        assert_equal_runs(tmp_path / "seeds" / f"seed-{seed}", tmp_path / "whole" / f"seed-{seed}")
    assert RunFolder(tmp_path / "seeds").read_status()["state"] == "completed"


@pytest.fixture
def young(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run of two seeds that was stopped before any was trained."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("dtrain.workflows.run.owned", Mock(side_effect=KeyboardInterrupt))
        run_seeds(small(), 2, RunOptions(tmp_path, "young"), Listener())
    return tmp_path / "young"


def test_seeds_that_had_only_just_begun_are_not_taken_for_one_run(young: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtrain.workflows.resume.train_seeds", Mock(return_value="trained"))
    assert cast(Any, resume(ResumeRequest("young"), RunOptions(young.parent), Listener())) == "trained"
    assert RunFolder(young).read_status()["seeds"] == 2


def test_seeds_whose_number_is_unknown_are_refused(young: Path) -> None:
    RunFolder(young).write_status("interrupted")
    assert f"begin again: `dtrain run {young / 'config.yaml'} --seeds" in refused(ResumeError, young)


def test_where_all_seeds_had_diverged_already_the_fix_is_said_again(tmp_path: Path) -> None:
    with pytest.raises(DivergedError):
        run_seeds(small(**WILD), 1, RunOptions(tmp_path, "wild"), Listener())
    RunFolder(tmp_path / "wild").write_status("interrupted", seeds=1)
    with pytest.raises(DivergedError) as caught:
        resume(ResumeRequest("wild"), RunOptions(tmp_path), Listener())
    assert "lower optimizer.learning_rate tenfold" in caught.value.problems[0].hint


@pytest.fixture(scope="module")
def completed_seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two seeds."""
    experiment = small(training={"epochs": 1, "engine": "graph"})
    return run_seeds(experiment, 2, RunOptions(tmp_path_factory.mktemp("runs"), "two"), Listener()).folder


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("learning_rate: 0.02", "learning_rate: 0.5", "optimizer.learning_rate is 0.5, was 0.02"),
        ("seed: 42", "seed: 50", "holds seed-42; expected seed-50, seed-51"),
    ],
)
def test_row_89_seeds_of_another_experiment_than_their_folder_are_left_alone(
    old: str, new: str, said: str, completed_seeds: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(completed_seeds, tmp_path / "two"))
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text().replace(old, new))
    assert said in refused(ResumeError, folder)


def test_row_93_completed_seeds_have_nothing_to_do(completed_seeds: Path) -> None:
    before, listener = contents(completed_seeds), Listener()
    result = resume(ResumeRequest("two"), RunOptions(completed_seeds.parent), listener)
    assert isinstance(result, SeedsResult) and len(result.runs) == 2
    assert contents(completed_seeds) == before
    assert "there is nothing to do" in listener.warnings[0]
    assert "several seeds" in refused(UsageError, completed_seeds, epochs=9)


def test_row_90_a_run_made_longer_survives_damage_to_its_latest_checkpoint(cut: Path) -> None:
    with pytest.raises(Stopped):
        go_on(cut, Interrupter(14), epochs=3, schedule="hold")
    for path in sorted((cut / "checkpoints").iterdir())[-1:]:
        (path / "manifest.json").write_text("{}")
    assert len(RunFolder(go_on(cut, epochs=3).folder).read_metrics()) == 3


def test_row_66_the_number_of_a_dead_process_may_be_that_of_another(cut: Path) -> None:
    status = json.loads((cut / "status.json").read_text()) | {"state": "running", "pid": 1}
    (cut / "status.json").write_text(json.dumps(status))
    (cut / "timing.jsonl").write_text('{"x": 1}\n')
    (cut / "checkpoints" / ".000009-17-00c0ffee").mkdir()
    listener = Listener()
    go_on(cut, listener)
    assert "process 1 on" in listener.warnings[0]
    assert not (cut / "checkpoints" / ".000009-17-00c0ffee").exists()

"""`run` from end to end on real images: what a run folder holds, and that equal seeds give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dtrain.data.prepare import Data, prepare
from dtrain.experiment.config.loading import load_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError, DivergedError, RunConflictError, UsageError
from dtrain.runs.catalogue import create_run
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import RunResult, SeedsResult
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.trials.training import train
from dtrain.trials.trial import Trial, own_trial
from dtrain.trials.workshop import Workshop
from dtrain.workflows.run import can_be_resumed, run, run_seeds


class Listener(RunObserver):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.phases: list[str] = []
        self.epochs: list[int] = []

    def on_phase(self, text: str) -> None:
        """Keeps what began."""
        self.phases.append(text)

    def on_download(self, label: str, done: int, total: int | None) -> None:
        """Nothing is downloaded in tests."""
        raise AssertionError("the bundled sample needs no download")

    def on_warning(self, text: str) -> None:
        """Keeps the warning."""
        self.warnings.append(text)

    def on_epoch(self, metrics: Any, seconds: float | None) -> None:
        """Keeps the number of the epoch."""
        self.epochs.append(metrics["epoch"])


def small(**written: Any) -> Experiment:
    plain = {
        "dataset": {"train_limit": 320},
        "network": [16],
        "regularizer": "dropout",
        "training": {"epochs": 2, "engine": "graph", "save": ["keras", "h5"]},
    }
    return Experiment.model_validate(plain | written)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """One finished run."""
    return run(small(), RunOptions(tmp_path_factory.mktemp("runs"), stem="small"), Listener())


@pytest.fixture(scope="module")
def finished_seeds(tmp_path_factory: pytest.TempPathFactory) -> SeedsResult:
    """The same experiment with three seeds, the first of them the one of `finished`."""
    return run_seeds(small(), 3, RunOptions(tmp_path_factory.mktemp("runs"), stem="small"), Listener())


def test_the_folder_holds_everything_that_was_promised(finished: RunResult) -> None:
    assert finished.folder.name == "small-1"
    assert sorted(path.name for path in finished.folder.iterdir()) == [
        ".lock",
        "checkpoints",
        "config.yaml",
        "curves.png",
        "metrics.jsonl",
        "model.h5",
        "model.keras",
        "predictions.npz",
        "status.json",
        "steps.npz",
        "summary.json",
        "timing.jsonl",
    ]


def test_the_summary_agrees_with_the_result(finished: RunResult) -> None:
    summary = json.loads((finished.folder / "summary.json").read_text())
    assert summary["test"]["accuracy"] == finished.test.accuracy
    assert summary["test"]["accuracy_interval"]["low"] < finished.test.accuracy
    assert summary["engine"] == "graph"
    assert summary["seed"] == 42
    assert {"tensorflow", "keras", "numpy", "python", "dtrain"} == set(summary["versions"])
    assert {"data", "start", "train", "evaluate"} <= set(summary["seconds"])
    assert len(summary["dataset_digest"]) == 64
    assert str(finished.folder.parent) not in (finished.folder / "summary.json").read_text()


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize(
    ("stopping", "monitor"), [({"monitor": "val_accuracy"}, "val_accuracy"), ({}, "val_loss"), (None, "val_loss")]
)
def test_a_result_says_by_what_its_best_epoch_was_chosen(stopping: Any, monitor: str, tmp_path: Path) -> None:
    training = {"epochs": 2, "engine": "graph", "early_stopping": stopping}
    result = run(small(training=training), RunOptions(tmp_path), Listener())
    values = [one[monitor] for one in RunFolder(result.folder).read_metrics()]
    best = max(values) if monitor == "val_accuracy" else min(values)
    assert result.monitor == monitor
    assert result.best_epoch == 1 + values.index(best)


def test_the_status_is_completed(finished: RunResult) -> None:
    assert RunFolder(finished.folder).read_status()["state"] == "completed"


def test_running_the_resolved_config_repeats_the_run(finished: RunResult, tmp_path: Path) -> None:
    again = run(load_experiment(finished.folder / "config.yaml"), RunOptions(tmp_path), Listener())
    assert (again.folder / "metrics.jsonl").read_bytes() == (finished.folder / "metrics.jsonl").read_bytes()
    first, second = (keras.models.load_model(one.folder / "model.keras") for one in (finished, again))
    for left, right in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_seed_on_the_reused_epoch_equals_a_run_of_its_own(finished_seeds: SeedsResult, tmp_path: Path) -> None:
    alone = run(small(seed=44), RunOptions(tmp_path), Listener())
    third = finished_seeds.runs[2]
    assert third.folder.name == "seed-44"
    assert (third.folder / "metrics.jsonl").read_bytes() == (alone.folder / "metrics.jsonl").read_bytes()
    assert (third.folder / "predictions.npz").read_bytes() == (alone.folder / "predictions.npz").read_bytes()


def test_what_the_seeds_share_is_counted_once(finished: RunResult, finished_seeds: SeedsResult) -> None:
    own = {"build", "train", "evaluate", "save"}
    assert set(finished.seconds) == own | {"data", "start"}
    for one in finished_seeds.runs:
        assert set(one.seconds) == own == set(RunFolder(one.folder).read_summary()["seconds"])
    summary = RunFolder(finished_seeds.folder).read_summary()
    assert set(finished_seeds.seconds) == {"data", "start"} == set(summary["seconds"])


def test_seeds_are_summed_up_with_mean_and_interval(finished_seeds: SeedsResult) -> None:
    accuracies = [one.test.accuracy for one in finished_seeds.runs]
    assert [one.seed for one in finished_seeds.runs] == [42, 43, 44]
    assert finished_seeds.test_accuracy == pytest.approx(np.mean(accuracies))
    half_width = 4.302652729749464 * np.std(accuracies, ddof=1) / np.sqrt(3)
    assert finished_seeds.test_interval is not None
    assert finished_seeds.test_interval.high - finished_seeds.test_accuracy == pytest.approx(half_width)
    assert json.loads((finished_seeds.folder / "summary.json").read_text())["test_accuracy"] == pytest.approx(
        np.mean(accuracies)
    )


def test_the_saved_models_predict_what_was_recorded(finished: RunResult, data: Data, image_set: Any) -> None:
    prepared = prepare(small().dataset, image_set)
    images = prepared.scaling.apply(prepared.test.images)
    recorded = np.load(finished.folder / "predictions.npz")
    for suffix in ("keras", "h5"):
        model = keras.models.load_model(finished.folder / f"model.{suffix}", compile=False)
        np.testing.assert_allclose(model.predict(images, verbose=0), recorded["probabilities"], atol=1e-5)
    assert (recorded["labels"] == prepared.test.labels).all()


WILD = {
    "optimizer": {"kind": "sgd", "learning_rate": 1e15},
    "activation": "relu",
    "regularizer": [],
    "schedule": "constant",
}


@pytest.mark.usefixtures("compiled_once")
def test_a_diverged_run_keeps_what_it_measured_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(DivergedError):
        run(small(**WILD), RunOptions(tmp_path, name="wild"), Listener())
    status = RunFolder(tmp_path / "wild").read_status()
    assert status["state"] == "diverged"
    assert "gradient norm" in status["reason"]
    assert (tmp_path / "wild" / "steps.npz").exists()


@pytest.mark.usefixtures("compiled_once")
def test_where_every_seed_diverges_the_folder_of_them_all_is_named(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="all 2 seeds diverged; seed 42: step") as caught:
        run_seeds(small(**WILD), 2, RunOptions(tmp_path, name="wild"), Listener())
    assert caught.value.problems[0].where == str(tmp_path / "wild")
    assert RunFolder(tmp_path / "wild").read_status()["state"] == "diverged"


@pytest.mark.usefixtures("compiled_once")
def test_a_seed_that_diverges_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge_once(trial: Trial, workshop: Workshop, folder: RunFolder) -> RunResult:
        wild = small(**WILD, seed=43, training={"epochs": 2, "engine": "graph"})
        return train(own_trial(wild, trial.whole) if trial.experiment.seed == 43 else trial, workshop, folder)

    experiment = small(**WILD | {"optimizer": {"kind": "sgd", "learning_rate": 0.01}})
    monkeypatch.setattr("dtrain.trials.resuming.train", diverge_once)
    listener = Listener()
    result = run_seeds(experiment, 3, RunOptions(tmp_path, name="mixed"), listener)
    assert (result.diverged, [one.seed for one in result.runs]) == (1, [42, 44])
    assert any("seed 43 diverged" in text for text in listener.warnings)
    assert RunFolder(tmp_path / "mixed" / "seed-43").read_status()["state"] == "diverged"
    monkeypatch.undo()
    alone = run(experiment.model_copy(update={"seed": 44}), RunOptions(tmp_path), Listener())
    assert alone.test.loss == result.runs[1].test.loss


@pytest.mark.parametrize(("seeds", "expected"), [(2, "none above 4294967295"), (0, "at least 1"), (-1, "at least 1")])
def test_numbers_of_seeds_that_leave_no_folder(seeds: int, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"expected {expected}"):
        run_seeds(small(seed=2**32 - 1), seeds, RunOptions(tmp_path), Listener())
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    create_run(tmp_path, name="taken", stem="")
    listener = Listener()
    with pytest.raises(RunConflictError, match="taken"):
        run(small(), RunOptions(tmp_path, name="taken"), listener)
    assert listener.phases == []


def test_deep_nets_say_that_they_compile(tmp_path: Path) -> None:
    class Impatient(Listener):
        def on_training(self, folder: Path, seed: int, epochs: int, total_steps: int) -> None:
            raise KeyboardInterrupt

    listener = Impatient()
    with pytest.raises(KeyboardInterrupt):
        run(small(network={"depth": 10, "width": 4}), RunOptions(tmp_path), listener)
    assert any("compiling 10 hidden layers" in text for text in listener.phases)


def test_colour_images_of_ones_own_and_a_run_that_can_be_repeated_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    labels = np.tile(np.arange(3), 40)
    images = generator.integers(0, 256, (120, 8, 10, 3), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images[:30], y_test=labels[:30])
    monkeypatch.chdir(tmp_path)
    settings = {"dataset": "own.npz", "network": {"filters": [3], "hidden": [4]}}
    first = run(small(**settings), RunOptions(Path("runs")), Listener())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = run(load_experiment(tmp_path / first.folder / "config.yaml"), RunOptions(Path("runs")), Listener())
    assert again.test == first.test


def test_a_batch_larger_than_the_data_leaves_no_folder(tmp_path: Path) -> None:
    experiment = small(dataset={"classes": [5, 6]}, training={"batch_size": 5000})
    with pytest.raises(ConfigError, match=r"training\.batch_size"):
        run(experiment, RunOptions(tmp_path / "runs"), Listener())
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("compiled_once")
def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    class Impatient(Listener):
        def on_epoch(self, metrics: Any, seconds: float | None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(small(), RunOptions(tmp_path, name="cut"), Impatient())
    folder = RunFolder(tmp_path / "cut")
    assert folder.read_status()["state"] == "interrupted"
    assert [line["epoch"] for line in folder.read_metrics()] == [1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (RunOptions(), "`dtrain resume '{}'`"),
        (RunOptions(device="cpu"), "`dtrain resume '{}' --device cpu`"),
        (RunOptions(data_dir=Path("my data")), "`dtrain resume '{}' --data-dir 'my data'`"),
    ],
)
def test_the_command_to_go_on_has_what_the_run_was_given(given: RunOptions, said: str, tmp_path: Path) -> None:
    folder = create_run(tmp_path / "my runs", name="cut", stem="")
    with pytest.raises(KeyboardInterrupt) as caught, can_be_resumed(folder, given):
        raise KeyboardInterrupt
    assert caught.value.__notes__ == [f"to go on from where it stopped: {said.format(folder.path)}"]


def test_notices_are_shown_once_for_all_seeds(tmp_path: Path) -> None:
    listener = Listener()
    run_seeds(small(optimizer="adam", training={"epochs": 1, "engine": "graph"}), 2, RunOptions(tmp_path), listener)
    assert [text for text in listener.warnings if "no momentum" in text] == listener.warnings
    assert len(listener.warnings) == 1

"""`mc-predict` from end to end: what it writes, what it leaves alone, and what it refuses before it writes anything."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from dtrain.cli import main
from dtrain.data.sources import load_images
from dtrain.experiment.config.loading import load_experiment
from dtrain.ground.errors import ConfigError, DataError, EnvironmentProblem, UsageError
from dtrain.monte_carlo.source import Request
from dtrain.reuse.files import HDF5_MAGIC
from dtrain.runs.catalogue import find_run
from dtrain.runs.folder import RunFolder, list_runs
from dtrain.trials.request import RunOptions
from dtrain.workflows.mc_predict import McReport, mc_predict
from dtrain.workflows.run import run, run_seeds
from tests.workflows.test_run import Listener

SMALL = ["dataset.train_limit=640", "network=[16]", "training.epochs=1", "training.engine=graph"]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs: one with dropout, and a later one without."""
    folder = tmp_path_factory.mktemp("runs")
    for name, regularizer in (("dropping", "dropout"), ("plain", "l2")):
        run(load_experiment(None, [*SMALL, f"regularizer={regularizer}"]), RunOptions(folder, name=name), Listener())
    return folder


@pytest.fixture(scope="module")
def before(runs: Path) -> dict[str, str]:
    return digests(runs / "dropping")


@pytest.fixture(scope="module")
def report(runs: Path, before: dict[str, str]) -> McReport:
    asked = Request("dropping", samples=8, split="validation", index=3, save_model=True, save_passes=True)
    return mc_predict(asked, RunOptions(runs), Listener())


def test_results_have_a_folder_of_their_own_and_the_run_stays_as_it_is(
    runs: Path, report: McReport, before: dict[str, str]
) -> None:
    assert report.folder == runs / "dropping-mc-predict-1"
    assert sorted(path.name for path in report.folder.iterdir()) == [
        "calibration.png",
        "certainty.png",
        "mc_model.keras",
        "mc_predict.json",
        "passes.npy",
        "predictions.npz",
        "settling.png",
        "status.json",
    ]
    assert digests(runs / "dropping") == before
    assert {one.path.name for one in list_runs(runs)} == {"dropping", "plain"}
    with pytest.raises(UsageError, match="which holds no model; expected a run"):
        find_run(runs, "dropping-mc-predict-1")


def test_predictions_are_the_moments_of_the_saved_passes(report: McReport) -> None:
    passes, found = np.load(report.folder / "passes.npy"), np.load(report.folder / "predictions.npz")
    assert passes.shape == (8, 1000, 10)
    np.testing.assert_allclose(found["mean"], passes.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found["deviation"], passes.std(axis=0, ddof=1), atol=1e-6)
    assert report.comparison is not None
    assert report.comparison.mc.accuracy.value == (passes.mean(axis=0).argmax(axis=1) == found["labels"]).mean()
    assert report.shown is not None
    np.testing.assert_allclose(report.shown.passes, passes[:3, 3], atol=1e-6)
    np.testing.assert_allclose(report.shown.plain, found["plain"][3], atol=1e-6)


def test_the_plain_prediction_is_the_run_s_own(runs: Path, report: McReport) -> None:
    validation = RunFolder(runs / "dropping").read_summary()["validation"]
    assert report.comparison is not None
    assert report.comparison.plain.accuracy.value == validation["accuracy"]
    assert report.comparison.plain.log_loss.value == pytest.approx(validation["loss"], rel=1e-5)


def test_the_report_names_the_most_and_least_certain_images_without_paths(report: McReport) -> None:
    text = (report.folder / "mc_predict.json").read_text()
    assert json.loads(text)["verdict"] == report.verdict
    assert str(report.folder.parent) not in text
    found = np.load(report.folder / "predictions.npz")["predictive_entropy"]
    assert report.certain[0].image == found.argmin()
    assert report.uncertain[0].image == found.argmax()


def test_passes_that_the_disk_has_no_room_for_are_refused_and_nothing_is_written(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = sorted(runs.iterdir())
    monkeypatch.setattr("dtrain.monte_carlo.passes.shutil.disk_usage", lambda path: SimpleNamespace(free=799_999))
    with pytest.raises(EnvironmentProblem, match="2,000 images x 10 classes, 800,000 bytes; 799,999 are free"):
        mc_predict(Request("dropping", samples=10, save_passes=True), RunOptions(runs), Listener())
    assert sorted(runs.iterdir()) == there


def test_one_of_several_seeds_is_named_with_its_group(tmp_path: Path) -> None:
    run_seeds(load_experiment(None, [*SMALL, "regularizer=dropout"]), 2, RunOptions(tmp_path, name="both"), Listener())
    listener = Listener()
    report = mc_predict(Request("both", samples=2, split="validation"), RunOptions(tmp_path), listener)
    assert (report.model, report.folder.name) == ("both/seed-42", "both-seed-42-mc-predict-1")
    assert any("holds 2 seeds; this is seed-42" in one for one in listener.warnings)
    assert not any("chance" in one for one in listener.warnings)


def test_images_of_one_s_own_without_labels(runs: Path, tmp_path: Path) -> None:
    images = load_images("fashion_mnist_sample").test_images[:5]
    np.savez(tmp_path / "some.npz", images=images)
    asked = Request("dropping", samples=3, images=tmp_path / "some.npz")
    found = mc_predict(asked, RunOptions(runs, name="own"), Listener())
    assert (found.images, found.comparison, found.mcnemar, found.kept) == (5, None, None, ())
    assert "labels" not in np.load(found.folder / "predictions.npz")
    assert not (found.folder / "calibration.png").exists()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.zeros((2, 9, 9), np.uint8)}, r"got images of shape \(9, 9\); expected \(28, 28\)"),
        ({"images": np.zeros((2, 28, 28), np.float32)}, "got float32 images; expected uint8"),
        ({"images": np.zeros((2, 28, 28), np.uint8), "labels": np.array([0, 10])}, "got label 10 at index 1"),
        ({"images": np.zeros((2, 28, 28), np.uint8), "labels": np.array([0])}, "got 1 labels for 2 images"),
        ({"pictures": np.zeros((2, 28, 28), np.uint8)}, "lacks images; found pictures"),
    ],
)
def test_images_that_do_not_fit(arrays: dict[str, Any], said: str, runs: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(DataError, match=said):
        mc_predict(Request("dropping", images=tmp_path / "some.npz"), RunOptions(runs), Listener())


def test_row_53_a_run_without_dropout_or_training_is_refused_and_nothing_is_written(runs: Path, tmp_path: Path) -> None:
    there = sorted(runs.iterdir())
    with pytest.raises(ConfigError, match=r"no dropout layer.*zero variance"):
        mc_predict(Request(), RunOptions(runs), Listener())
    untrained = RunFolder(tmp_path / "untrained")
    untrained.path.mkdir()
    untrained.write_status("created")
    untrained.write_config((runs / "dropping" / "config.yaml").read_text())
    untrained.model_path("keras").write_bytes((runs / "dropping" / "model.keras").read_bytes())
    with pytest.raises(ConfigError, match="took no training step"):
        mc_predict(Request(str(untrained.path)), RunOptions(runs), Listener())
    assert sorted(runs.iterdir()) == there


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--samples", "1"], "--samples: got 1; expected 2 to 1,000,000"),
        (["--samples", "1000001"], "--samples: got 1000001; expected 2 to 1,000,000"),
        (["--samples", "0"], "one pass has no variance"),
        (["--seed", "-1"], "--seed: got -1; expected 0 to 4294967295"),
        (["--images", "x.npz", "--split", "test"], "got --images and --split"),
        (["--dataset", "mnist"], "got --dataset with a run"),
        (["--split", "train"], "validation"),
    ],
)
def test_row_53_usage(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["mc-predict", "--quiet", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("more", [[], ["--images", "x.npz", "--scaling", "standardize"]])
@pytest.mark.parametrize(
    ("content", "said", "code"),
    [
        (b"no model", "model.h5: got a text file, which is not a supported base", 5),
        (HDF5_MAGIC, "got a model file without --dataset", 2),
    ],
)
def test_a_file_is_asked_about_only_where_it_is_a_model_file(
    content: bytes,
    said: str,
    code: int,
    more: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.h5").write_bytes(content)
    assert main(["mc-predict", "--quiet", "model.h5", *more]) == code
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


def test_the_command_prints_the_verdict_and_an_image_with_dropout_off_and_on(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mc-predict", "dropping", "--samples", "4", "--index", "0", "--runs-dir", str(runs), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "verdict: " in out
    assert "off  mean of 4  deviation  pass 1  pass 2  pass 3" in out
    assert main(["mc-predict", "dropping", "--index", "2000", "--runs-dir", str(runs), "--quiet"]) == 2
    assert "--index: got 2000; expected 0 to 1999" in capsys.readouterr().err


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model file of ten classes."""
    # some first weights are better than chance by chance
    first = keras.initializers.GlorotUniform(seed=1)
    flatten, drop = keras.layers.Flatten(), keras.layers.Dropout(0.5)
    last = keras.layers.Dense(10, "softmax", kernel_initializer=first)
    keras.Sequential([keras.Input((28, 28)), flatten, drop, last]).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_a_model_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "model.keras")
    assert main(["mc-predict", missing, "--dataset", "mnist", "--runs-dir", str(tmp_path / "runs")]) == 5
    told = capsys.readouterr().err
    assert f"{missing}: got no such file; expected a model file of Keras" in told
    assert "reading mnist" not in told
    assert not list(tmp_path.iterdir())


def test_a_model_file_at_chance_level_is_warned_of_and_so_are_missing_pictures(
    file: Path, tmp_path: Path, broken_pictures: str
) -> None:
    listener = Listener()
    asked = Request(str(file), samples=2, dataset="fashion_mnist_sample", split="validation")
    found = mc_predict(asked, RunOptions(tmp_path / "runs"), listener)
    assert found.folder.name == "model-mc-predict-1"
    assert any("no better than chance" in one and "--scaling" in one for one in listener.warnings)
    assert listener.warnings[-1] == broken_pictures
    written = {path.name for path in found.folder.iterdir()}
    assert written == {"mc_predict.json", "predictions.npz", "status.json"}


@pytest.mark.usefixtures("drawn_pictures")
def test_a_model_file_that_wants_the_values_in_a_row(tmp_path: Path) -> None:
    first = keras.initializers.GlorotUniform(seed=1)
    last = keras.layers.Dense(10, "softmax", kernel_initializer=first)
    keras.Sequential([keras.Input((784,)), keras.layers.Dropout(0.5), last]).save(tmp_path / "model.keras")
    asked = Request(
        str(tmp_path / "model.keras"), samples=2, dataset="fashion_mnist_sample", split="validation", index=3
    )
    found = mc_predict(asked, RunOptions(tmp_path / "runs"), Listener())
    pictures = [path.stat().st_size for path in found.folder.glob("*.png")]
    assert len(pictures) > 1
    assert min(pictures) > 1000


def test_a_model_file_on_classes_that_it_does_not_know(file: Path, tmp_path: Path) -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    np.savez(tmp_path / "some.npz", images=images, labels=np.array([0, 9, -1]))
    few = Request(str(file), dataset="{name: fashion_mnist_sample, classes: [5, 6]}")
    with pytest.raises(DataError, match="got 2 classes; expected 10, the model's"):
        mc_predict(few, RunOptions(tmp_path / "runs"), Listener())
    asked = Request(str(file), images=tmp_path / "some.npz")
    with pytest.raises(DataError, match="got label -1 at index 2; expected 0 to 9"):
        mc_predict(asked, RunOptions(tmp_path / "runs"), Listener())
    np.savez(tmp_path / "some.npz", images=images[:, :9, :9])
    with pytest.raises(DataError, match=r"expected \(28, 28\)"):
        mc_predict(asked, RunOptions(tmp_path / "runs"), Listener())
    assert not (tmp_path / "runs").exists()

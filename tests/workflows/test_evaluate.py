"""`evaluate`: what a model gets wrong, recomputed with NumPy, and model files that are not what they should be."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import matplotlib.image
import numpy as np
import pytest
from scipy.stats import binomtest

from dtrain.display.console import stderr
from dtrain.display.progress import QuietProgress
from dtrain.experiment.config.loading import load_experiment
from dtrain.ground.errors import DataError, ModelFileError, UsageError
from dtrain.reuse.recorded import WEIGHTS
from dtrain.runs.contents import State
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import locked
from dtrain.trials.request import RunOptions
from dtrain.workflows.evaluate import EvaluationReport, Mistake, evaluate
from dtrain.workflows.run import run, run_seeds
from tests.reuse.conftest import reader_in_this_process as reader_in_this_process
from tests.workflows.test_run import Listener

SMALL = [
    "dataset.train_limit=320",
    "network=[16]",
    "normalization=batch_norm",
    "regularizer=dropout",
    "training.epochs=1",
    "training.engine=graph",
]


def quiet() -> QuietProgress:
    return QuietProgress(stderr(), seeds=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one short run in it."""
    runs_dir = tmp_path_factory.mktemp("runs")
    run(load_experiment(None, SMALL), RunOptions(runs_dir, name="small"), quiet())
    return runs_dir


@pytest.fixture(scope="module")
def report(trained: Path) -> EvaluationReport:
    return evaluate("small", "test", RunOptions(trained), quiet())


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> RunFolder:
    """A copy of the run, to be damaged."""
    return RunFolder(
        Path(shutil.copytree(trained / "small", tmp_path / "small", ignore=shutil.ignore_patterns("evaluation-*")))
    )


def evaluate_copy(folder: RunFolder) -> EvaluationReport:
    return evaluate(None, "test", RunOptions(folder.path.parent), quiet())


def test_the_same_accuracy_and_loss_as_after_training(trained: Path, report: EvaluationReport) -> None:
    test = RunFolder(trained / "small").read_summary()["test"]
    assert report.overall.accuracy == test["accuracy"]
    assert report.overall.loss == pytest.approx(test["loss"], rel=1e-6)


def test_classes_and_confusion_are_those_of_the_predictions(trained: Path, report: EvaluationReport) -> None:
    probabilities, labels = RunFolder(trained / "small").read_predictions()
    predictions = probabilities.argmax(axis=1)
    for label, (one, row) in enumerate(zip(report.classes, report.confusion, strict=True)):
        assert list(row) == [int((predictions[labels == label] == other).sum()) for other in range(10)]
        assert (one.images, one.correct) == (int((labels == label).sum()), row[label])
        exact = binomtest(one.correct, one.images).proportion_ci(method="wilson")
        assert one.accuracy_interval is not None
        assert (one.accuracy_interval.low, one.accuracy_interval.high) == pytest.approx(exact, abs=1e-9)


def test_the_worst_mistakes_come_first(trained: Path, report: EvaluationReport) -> None:
    probabilities, labels = RunFolder(trained / "small").read_predictions()
    wrong = probabilities.argmax(axis=1) != labels
    surest = np.sort(probabilities[wrong].max(axis=1))[::-1][: len(report.mistakes)]
    np.testing.assert_allclose([one.probability for one in report.mistakes], surest, rtol=1e-5)
    names = [one.name for one in report.classes]
    assert [one.label for one in report.mistakes] == [names[labels[one.image]] for one in report.mistakes]
    assert all(one.label != one.prediction for one in report.mistakes)


def test_pictures_and_report_are_in_a_folder_of_their_own(trained: Path, report: EvaluationReport) -> None:
    assert report.folder == trained / "small" / "evaluation-test"
    assert sorted(path.name for path in report.folder.iterdir()) == [
        "confusion.png",
        "evaluation.json",
        "mistakes.png",
    ]
    assert matplotlib.image.imread(report.folder / "confusion.png").ndim == 3
    written = json.loads((report.folder / "evaluation.json").read_text())
    assert written["overall"]["accuracy"] == report.overall.accuracy
    assert str(trained) not in json.dumps(written)


def test_results_without_pictures(copied: RunFolder, broken_pictures: str) -> None:
    listener = Listener()
    found = evaluate(None, "test", RunOptions(copied.path.parent), listener)
    assert listener.warnings == [broken_pictures]
    assert [path.name for path in found.folder.iterdir()] == ["evaluation.json"]


def test_the_validation_images(trained: Path) -> None:
    report = evaluate("small", "validation", RunOptions(trained), quiet())
    assert report.images == 1000
    assert report.overall.accuracy == RunFolder(trained / "small").read_summary()["validation"]["accuracy"]
    assert report.folder.name == "evaluation-validation"


def weights_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("model.weights.h5")


def write_model_file(path: Path, weights: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda", "config": "not a model"}')
        archive.writestr("model.weights.h5", weights)


def test_only_the_arrays_of_a_model_file_are_read(copied: RunFolder, report: EvaluationReport) -> None:
    write_model_file(copied.model_path("keras"), weights_of(copied.model_path("keras")))
    assert evaluate_copy(copied).confusion == report.confusion


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def replace_by_text(path: Path) -> None:
    path.write_text("not a model")


def replace_by_another_network(path: Path) -> None:
    keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]).save(path)


def replace_by_a_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(2**25))


def replace_by_a_huge_file(path: Path) -> None:
    with open(path, "wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(2**31)


def replace_by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def declare_a_huge_array(path: Path) -> None:
    weights = io.BytesIO(weights_of(path))
    with h5py.File(weights, "r+") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars"].create_dataset("0", shape=(2**15, 2**15), dtype="f4", compression="gzip")
    write_model_file(path, weights.getvalue())


def break_a_weight(path: Path) -> None:
    weights = io.BytesIO(weights_of(path))
    with h5py.File(weights, "r+") as file:
        file["layers/dense/vars/0"][0, 0] = np.nan
    write_model_file(path, weights.getvalue())


def lose_every_layer(path: Path) -> None:
    weights = io.BytesIO(weights_of(path))
    with h5py.File(weights, "r+") as file:
        del file["layers"]
    write_model_file(path, weights.getvalue())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "missing; the run is completed"),
        (truncate, "damaged"),
        (replace_by_text, "got a text file"),
        (replace_by_another_network, "architecture and arrays differ"),
        (replace_by_a_bomb, "unpacks to more than"),
        (replace_by_a_huge_file, "got 2,147,483,648 bytes; expected at most"),
        (replace_by_a_pipe, "missing"),
        (declare_a_huge_array, "arrays of 4,29"),
        (break_a_weight, "not finite"),
        (lose_every_layer, "architecture and arrays differ"),
    ],
)
def test_row_40_a_model_file_that_is_not_what_it_should_be(
    copied: RunFolder, damage: Callable[[Path], None], said: str
) -> None:
    path = copied.model_path("keras")
    damage(path)
    with pytest.raises(ModelFileError, match=said) as caught:
        evaluate_copy(copied)
    assert caught.value.problems[0].where == str(path)
    assert not (copied.path / "evaluation-test").exists()


def change_a_weight(path: Path) -> None:
    weights = io.BytesIO(weights_of(path))
    with h5py.File(weights, "r+") as file:
        file["layers/dense/vars/0"][0, 0] += 0.5
    write_model_file(path, weights.getvalue())


def test_the_weights_of_another_model_are_noticed(copied: RunFolder) -> None:
    change_a_weight(copied.model_path("keras"))
    with pytest.raises(ModelFileError, match=r"got weights with digest .* those of the run's end"):
        evaluate_copy(copied)
    copied.write_summary({key: value for key, value in copied.read_summary().items() if key != WEIGHTS})
    assert evaluate_copy(copied).images


@pytest.mark.parametrize(("state", "said"), [("running", "is still going on"), ("diverged", "the run diverged")])
def test_a_run_without_a_model_yet(copied: RunFolder, state: State, said: str) -> None:
    copied.model_path("keras").unlink()
    copied.write_status(state)
    with locked(copied), pytest.raises(ModelFileError, match=said):
        evaluate_copy(copied)


@pytest.mark.parametrize(("probability", "said"), [(0.987, "99%"), (0.9949, "99%"), (0.9951, ">99%"), (1.0, ">99%")])
def test_no_mistake_is_called_certain(probability: float, said: str) -> None:
    assert Mistake(722, "5", "6", probability).sureness == said


def test_other_images_than_those_of_the_training(copied: RunFolder) -> None:
    copied.write_summary(copied.read_summary() | {"dataset_digest": "0" * 64})
    with pytest.raises(DataError, match="expected 000000000000, those of the training"):
        evaluate_copy(copied)


def test_of_several_seeds_the_first_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = run_seeds(load_experiment(None, SMALL), 2, RunOptions(tmp_path, name="several"), quiet())
    assert evaluate(None, "test", RunOptions(tmp_path), quiet()).run == several.runs[0].folder
    assert "holds 2 seeds; this is seed-42" in capsys.readouterr().err


def test_an_unknown_device_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected auto, cpu"):
        evaluate(None, "test", RunOptions(tmp_path, device="tpu"), quiet())

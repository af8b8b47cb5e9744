"""The task's images are scaled by the numbers of the base, or it is said and refused why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dtrain.cli import main
from dtrain.data.sources import load_images
from dtrain.experiment.config.loading import parse_experiment
from dtrain.ground.errors import ConfigError, DataError
from dtrain.runs.folder import RunFolder
from dtrain.studies.transfer_source import TASK_B, Request, Source, find_source
from dtrain.trials.request import RunOptions
from dtrain.trials.workshop import Workshop
from dtrain.workflows.run import run
from dtrain.workflows.transfer import transfer
from tests.reuse.conftest import reader_in_this_process as reader_in_this_process
from tests.reuse.grafts import save_base
from tests.workflows.test_run import Listener


def own_images(path: Path, highest: float, dtype: Any = np.float32, shift: int = 0) -> str:
    """Saves 80 images of two classes with values from 0 to `highest`."""
    random = np.random.default_rng(shift)
    images = (random.random((100, 6, 5)) * highest).astype(dtype)
    # the first ones are held out
    images[40:44], images[44:48] = 0, highest
    labels = np.arange(100) % 2
    np.savez(path, x_train=images[:80], y_train=labels[:80], x_test=images[80:], y_test=labels[80:])
    return str(path)


def trained(folder: Path, dataset: str, scaling: str) -> Path:
    """A base that says it was trained on a data set."""
    base = RunFolder(folder / "runs" / scaling)
    base.path.mkdir(parents=True)
    base.write_status("completed")
    base.write_config(f"dataset: {{name: '{dataset}', scaling: {scaling}}}\n")
    base.write_summary({"dataset_digest": load_images(dataset).digest})
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, "relu"), keras.layers.Dense(2, "softmax")]
    save_base(base.model_path("keras"), layers, load_images(dataset).train_images.shape[1:])
    return base.path


def task(folder: Path, base: Path, dataset: str, *more: str) -> Source:
    """Base and task as `transfer` finds them."""
    written = [f"dataset={{name: '{dataset}'}}", "training.batch_size=16", *more]
    workshop = Workshop(RunOptions(folder / "runs"), Listener())
    return find_source(parse_experiment(TASK_B, "task B", written), Request(base), workshop)


def test_unit_takes_the_range_of_the_bases_own_images(tmp_path: Path) -> None:
    base = trained(tmp_path, own_images(tmp_path / "a.npz", 1000.0), "unit")
    source = task(tmp_path, base, own_images(tmp_path / "b.npz", 250.0, shift=1))
    assert float(source.data.scaling.offset) == 0.0
    assert float(source.data.scaling.factor) == pytest.approx(1 / 1000)
    assert source.warnings == () and source.experiment.dataset.scaling == "unit"


def test_standardize_takes_mean_and_deviation_of_the_images_that_a_run_trained_on(tmp_path: Path) -> None:
    name = own_images(tmp_path / "a.npz", 1000.0)
    written = [f"dataset={{name: '{name}', scaling: standardize}}", "network=[4]", "training.epochs=1"]
    experiment = parse_experiment("seed: 1", "base", [*written, "training.engine=graph", "training.batch_size=16"])
    base = run(experiment, RunOptions(tmp_path / "runs"), Listener()).folder
    source = task(tmp_path, base, own_images(tmp_path / "b.npz", 250.0, shift=1))
    # a tenth is held out
    images = load_images(name).train_images[8:]
    np.testing.assert_allclose(source.data.scaling.offset, images.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(source.data.scaling.factor, 1 / images.std(axis=0), rtol=1e-5)
    assert source.warnings == () and source.experiment.dataset.scaling == "standardize"


def test_images_of_known_sets_are_bytes_and_need_not_be_read(tmp_path: Path) -> None:
    base = trained(tmp_path, own_images(tmp_path / "a.npz", 1.0), "unit")
    RunFolder(base).write_config("dataset: {name: mnist, scaling: unit}\n")
    source = task(tmp_path, base, own_images(tmp_path / "b.npz", 250, np.uint8))
    assert float(source.data.scaling.factor) == pytest.approx(1 / 255)
    assert source.warnings == ()


def test_bytes_and_floats_have_no_unit_in_common(tmp_path: Path) -> None:
    base = trained(tmp_path, own_images(tmp_path / "a.npz", 255, np.uint8), "unit")
    source = task(tmp_path, base, own_images(tmp_path / "b.npz", 1.0))
    assert float(source.data.scaling.factor) == 1.0
    assert source.warnings == ("the base saw uint8 images; these, float32, are scaled to [0, 1] by their own range",)
    assert source.scaling_origin == "by their own range"


@pytest.mark.parametrize("scaling", ["standardize", "none"])
def test_bytes_and_floats_are_refused_where_their_unit_is_not_made_equal(scaling: str, tmp_path: Path) -> None:
    base = trained(tmp_path, own_images(tmp_path / "a.npz", 255, np.uint8), scaling)
    with pytest.raises(DataError, match="got float32 images; expected uint8"):
        task(tmp_path, base, own_images(tmp_path / "b.npz", 1.0))


@pytest.mark.parametrize("scaling", ["unit", "standardize"])
def test_images_that_the_base_was_not_trained_on_tell_nothing(scaling: str, tmp_path: Path) -> None:
    base = trained(tmp_path, own_images(tmp_path / "a.npz", 1000.0), scaling)
    other = own_images(tmp_path / "b.npz", 250.0)
    own_images(tmp_path / "a.npz", 1000.0, shift=2)
    with pytest.raises(
        DataError, match=r"got images with digest .*; expected .*, those that model\.keras was"
    ) as caught:
        task(tmp_path, base, other)
    assert "put those images back, or copy model.keras out of its run" in caught.value.problems[0].hint
    (tmp_path / "a.npz").unlink()
    with pytest.raises(DataError, match=r"a\.npz"):
        task(tmp_path, base, other)


def test_a_scaling_that_is_asked_for_and_not_the_bases_is_refused_before_tensorflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = trained(tmp_path, "fashion_mnist_sample", "unit")
    monkeypatch.setattr("dtrain.engine.backend.start", lambda device: pytest.fail("TensorFlow was started"))
    few = ["dataset.name=fashion_mnist_sample", "--runs-dir", str(tmp_path / "other")]
    for asked in ("dataset.scaling=standardize", "dataset.scaling=none"):
        assert main(["transfer", "--base", str(base), *few, asked]) == 3
        said = " ".join(capsys.readouterr().err.split())
        assert f"dataset.scaling: got {asked.partition('=')[2]}; expected unit, as for the images of" in said
        assert "leave it out" in said
    assert not (tmp_path / "other").exists()


def test_the_bases_own_scaling_may_be_asked_for_and_any_of_a_file_alone(tmp_path: Path) -> None:
    images = own_images(tmp_path / "a.npz", 1000.0)
    base = trained(tmp_path, images, "unit")
    assert task(tmp_path, base, images, "dataset.scaling=unit").warnings == ()
    alone = tmp_path / "alone.keras"
    alone.write_bytes((base / "model.keras").read_bytes())
    source = task(tmp_path, alone, images, "dataset.scaling=none")
    assert source.experiment.dataset.scaling == "none"
    assert source.warnings[0].startswith("alone.keras does not say how its images were scaled; assumed none")


def test_what_selu_asks_for_gives_way_aloud(tmp_path: Path) -> None:
    images = own_images(tmp_path / "a.npz", 1000.0)
    base = trained(tmp_path, images, "unit")
    source = task(tmp_path, base, images, "activation=selu", "initializer=lecun_normal")
    assert source.experiment.dataset.scaling == "unit"
    assert "scaled as for the base, unit, and not with standardize, which goes with selu" in " ".join(source.warnings)
    with pytest.raises(ConfigError, match="got none; expected unit"):
        task(tmp_path, base, images, "activation=selu", "dataset.scaling=none")


def test_a_base_that_scales_bytes_itself_gets_bytes(tmp_path: Path) -> None:
    """Outcome: its own images come out of it as they did where it was made."""
    name = own_images(tmp_path / "a.npz", 255, np.uint8)
    path, images = tmp_path / "base.keras", load_images(name).test_images
    for scale, scaling in ((1 / 255, "none"), (2.0, "unit")):
        layers = [keras.layers.Rescaling(scale), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
        save_base(path, layers, images.shape[1:])
        source = task(tmp_path, path, name)
        assert source.experiment.dataset.scaling == scaling
        if scaling == "none":
            expected = keras.models.load_model(path).predict(images.astype(np.float32), verbose=0)
            found = source.base.model.predict(source.data.scaling.apply(images), verbose=0)
            np.testing.assert_allclose(found, expected, atol=1e-6)
            assert "scales bytes in a layer of its own" in source.warnings[0]
        asked = task(tmp_path, path, name, "dataset.scaling=unit")
        assert asked.experiment.dataset.scaling == "unit"


@pytest.mark.slow
def test_a_base_that_scales_bytes_itself_teaches_more_than_one_whose_images_are_scaled_twice(tmp_path: Path) -> None:
    """Outcome: both arms begin with the layer that scales, and learn from bytes only."""
    images, path = load_images("fashion_mnist_sample"), tmp_path / "base.keras"
    others = ~np.isin(images.train_labels, [5, 6])
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(30, "relu")]
    model = keras.Sequential([keras.Input((28, 28)), *layers, keras.layers.Dense(10, "softmax")])
    model.compile("adam", loss="sparse_categorical_crossentropy")
    model.fit(images.train_images[others], images.train_labels[others], epochs=2, verbose=0)
    model.save(path)

    def accuracies(*more: str) -> dict[str, float | None]:
        few = ["dataset.name=fashion_mnist_sample", "training.engine=graph", *more]
        task, options = parse_experiment(TASK_B, "task B", few), RunOptions(tmp_path / "runs")
        return {arm.name: arm.mean for arm in transfer(task, Request(path, seeds=1), options, Listener()).arms}

    once, twice = accuracies(), accuracies("dataset.scaling=unit")
    for arm in ("transfer", "scratch"):
        assert (once[arm] or 0) > (twice[arm] or 1) + 0.3

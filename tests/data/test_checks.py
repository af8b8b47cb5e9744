"""Parts that were not treated alike are told from fair ones, and fair ones are left in peace."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dtrain.data.checks import Part, check_parts
from dtrain.data.own import load_own
from dtrain.data.prepare import prepare
from dtrain.data.sources import load_images
from dtrain.experiment.spec import Experiment
from tests.data.helpers import tiny_arrays, write_npz

FOLDER = Path(os.environ["DTRAIN_DATA_DIR"]) if "DTRAIN_DATA_DIR" in os.environ else None
SAMPLES = ["mnist_sample", "fashion_mnist_sample"]
FULL = [pytest.param(name, marks=pytest.mark.slow) for name in ("mnist", "fashion_mnist")]


def parts(name: str, data_dir: Path | None = None) -> tuple[Part, Part]:
    images = load_images(name, data_dir)
    return (images.train_images, images.train_labels), (images.test_images, images.test_labels)


@pytest.mark.parametrize("name", [*SAMPLES, *FULL])
@pytest.mark.parametrize("scaling", ["unit", "standardize", "none"])
def test_real_images_raise_no_alarm(name: str, scaling: str) -> None:
    experiment = Experiment.model_validate({"dataset": {"name": name, "scaling": scaling}})
    assert prepare(experiment.dataset, load_images(name, FOLDER)).warnings == ()


@pytest.mark.parametrize("images", [200, 1000])
@pytest.mark.parametrize("name", SAMPLES)
def test_few_real_images_raise_no_alarm(name: str, images: int) -> None:
    (train, labels), (test, test_labels) = parts(name)
    for seed in range(20):
        chosen = np.random.default_rng(seed).choice(len(labels), images, replace=False)
        others = {"test": (test[chosen % len(test)], test_labels[chosen % len(test)])}
        assert check_parts((train[chosen], labels[chosen]), others) == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_parts_that_were_not_treated_alike(name: str) -> None:
    train, (test, labels) = parts(name)
    unit = train[0].astype(np.float32) / 255, train[1]
    for part, reference, said in (
        ((test // 255, labels), train, "the test images run from 0 to 1, the training images from 0 to 255"),
        ((test.astype(np.float32) / 127.5 - 1, labels), unit, "run from -1 to 1, the training images from 0 to 1"),
        ((test, (labels + 1) % 10), train, "10 of 10 classes look like another one"),
        ((train[0][:2000], train[1][:2000]), train, "2,000 of 2,000 test images are among the training images"),
    ):
        (warning,) = check_parts(reference, {"test": part})
        assert said in warning


@pytest.mark.parametrize("images", [200, 2000])
@pytest.mark.parametrize("name", SAMPLES)
def test_inverted_images(name: str, images: int) -> None:
    (train, labels), (test, test_labels) = parts(name)
    (warning,) = check_parts((train[:images], labels[:images]), {"test": (255 - test[:images], test_labels[:images])})
    assert "inverted?" in warning


def test_images_to_validate_with_are_used_and_other_keys_named(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    path = write_npz(tmp_path / "own.npz", arrays)
    with np.load(path) as archive:
        more = dict(archive) | {"x_val": archive["x_test"], "y_val": archive["y_test"], "x_extra": np.zeros(3)}
    np.savez(path, **more)
    images = load_own(path)
    data = prepare(Experiment.model_validate({"dataset": {"name": str(path)}}).dataset, images)
    np.testing.assert_array_equal(data.validation.images, more["x_val"])
    assert len(data.train.labels) == len(arrays["train_labels"])
    assert data.warnings[0] == "own.npz also holds x_extra, which nothing uses"
    asked = Experiment.model_validate({"dataset": {"name": str(path), "validation": 2}}).dataset
    assert len(prepare(asked, images).validation.labels) == 2

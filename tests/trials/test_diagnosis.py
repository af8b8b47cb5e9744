"""Each illness of a training is told by its own name, and healthy trainings are left in peace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtrain.data.images import ImageSet
from dtrain.engine.evaluation import Evaluation
from dtrain.experiment.spec import Experiment
from dtrain.trials.diagnosis import parts_apart
from dtrain.trials.request import RunOptions
from dtrain.workflows.run import run
from tests.workflows.test_run import Listener


def predicted(right: int, images: int) -> Evaluation:
    labels = np.arange(images, dtype=np.int32) % 10
    return Evaluation(np.eye(10, dtype=np.float32)[np.where(np.arange(images) < right, labels, labels - 1)], labels, 1)


def told(tmp_path: Path, arrays: dict[str, Any], **written: object) -> list[str]:
    """What a brief training on these arrays warns of."""
    np.savez(tmp_path / "own.npz", **arrays)
    dataset = {"name": str(tmp_path / "own.npz"), "validation": 300}
    plain = {"dataset": dataset, "network": [32], "training": {"epochs": 3, "engine": "graph", "save": []}}
    listener = Listener()
    run(Experiment.model_validate(plain | written), RunOptions(tmp_path / "runs", stem="ill"), listener)
    return listener.warnings


def some(images: ImageSet, number: int = 800) -> dict[str, Any]:
    train, test = (images.train_images, images.train_labels), (images.test_images, images.test_labels)
    parts = dict(zip(("x_train", "y_train", "x_test", "y_test"), (*train, *test), strict=True))
    return {name: values[:number] for name, values in parts.items()}


@pytest.mark.parametrize(
    ("validation", "test", "said"),
    [
        ((950, 1000), (242, 2000), "the test images may be scaled, labelled or chosen otherwise than the training"),
        ((950, 1000), (1732, 2000), "test accuracy 86.60% are farther apart than chance explains"),
        ((860, 1000), (1990, 2000), "the validation images may be scaled, labelled or chosen otherwise than"),
        ((722, 1000), (1348, 2000), ""),
        ((17, 20), (9950, 10_000), ""),
        ((4900, 5000), (9550, 10_000), ""),
    ],
)
def test_accuracies_that_chance_does_not_bring_so_far_apart(
    validation: tuple[int, int], test: tuple[int, int], said: str
) -> None:
    found = parts_apart(predicted(*validation), predicted(*test))
    assert said in found and bool(said) == bool(found)


def test_a_test_part_that_is_labelled_otherwise_is_said_to_be(tmp_path: Path, image_set: ImageSet) -> None:
    """In two pairs of classes, too few for what is looked at before training."""
    arrays = some(image_set)
    arrays["y_test"] = np.array([0, 3, 2, 1, 4, 5, 6, 7, 9, 8])[arrays["y_test"]]
    (warning,) = told(tmp_path, arrays)
    assert warning.startswith("validation accuracy ") and "the test images may be scaled, labelled or" in warning

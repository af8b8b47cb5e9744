"""Each illness of a training is told by its own name, and healthy trainings are left in peace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtrain.data.images import Array, ImageSet, Labels
from dtrain.data.prepare import Data, prepare
from dtrain.engine.evaluation import Evaluation
from dtrain.experiment.dataset import Dataset
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DivergedError
from dtrain.trials.illness import diagnosis, divergence_explained, parts_apart
from dtrain.trials.request import RunOptions
from dtrain.workflows.run import run, run_seeds
from tests.workflows.test_run import Listener


def predicted(right: int, images: int) -> Evaluation:
    labels = np.arange(images, dtype=np.int32) % 10
    return Evaluation(np.eye(10, dtype=np.float32)[np.where(np.arange(images) < right, labels, labels - 1)], labels, 1)


FLAT = np.full(200, 2.3)
"""The losses of steps that led nowhere."""
BY_LARGE_STEPS = np.repeat([2.3, 40.0, 2.3], [5, 10, 185])
TENFOLD = "lower optimizer.learning_rate tenfold, or clip with optimizer.global_clipnorm=1.0"
DEEP: Any = {"network": {"depth": 20, "width": 10}, "normalization": "none"}


def data_of(found: ImageSet, images: Array | None = None, labels: Labels | None = None) -> Data:
    """Other training images, or labels, in place of some of the sample's."""
    images = found.train_images[:1000] if images is None else images
    labels = found.train_labels[: len(images)] if labels is None else labels
    kept = np.flatnonzero(found.test_labels <= labels.max())[:300]
    test = found.test_images[kept].astype(images.dtype), found.test_labels[kept]
    own = ImageSet("own", images, labels, *test, found.class_names[: labels.max() + 1])
    return prepare(Dataset(name="./own.npz", validation=len(images) // 3), own)


def of_a_part(labels: Labels, classes: int, right: float, loss: float) -> Evaluation:
    """What a model says that is right with so many images, and takes the others for the first class."""
    known = np.arange(len(labels)) < right * len(labels)
    return Evaluation(np.eye(classes, dtype=np.float32)[np.where(known, labels, 0)], labels, loss)


def ill(
    data: Data, losses: Array = FLAT, train: float = 0.0, validation: float = 0.0, loss: float = 2.3, **written: Any
) -> str:
    """What is wrong with a training whose model is right with so many images, and else knows only the first class."""
    classes = len(data.class_names)
    parts = {"train": (data.train, train), "validation": (data.validation, validation)}
    found = {name: of_a_part(part.labels, classes, right, loss) for name, (part, right) in parts.items()}
    return diagnosis(Experiment.model_validate(written), data, losses, found)


def test_row_72_nothing_is_wrong_with_what_learnt_something(image_set: ImageSet) -> None:
    data = data_of(image_set)
    assert ill(data, train=0.3, validation=0.2) == ill(data, BY_LARGE_STEPS, validation=0.8, loss=5.0) == ""


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({}, "nothing shows whether its steps are too large or too small: ask `dtrain lr-find` for a learning rate"),
        ({"losses": BY_LARGE_STEPS}, f"the training loss rose from 2.3 to 21.2: {TENFOLD}"),
        ({"losses": FLAT[:20]}, "there were only 20 steps: set training.epochs higher, or training.batch_size lower"),
        (DEEP, "no gradient may reach the lower layers: set normalization=batch_norm and initializer=he_normal"),
        ({"train": 1.0}, "training accuracy is 100.00%, so what was learnt holds for these images alone: use more"),
    ],
)
def test_row_72_what_came_to_nothing_is_told_why(case: dict[str, Any], said: str, image_set: ImageSet) -> None:
    found = ill(data_of(image_set), **case)
    first = "validation accuracy 10.51% of 333 images is no better than chance: all are taken for T-shirt/top; "
    assert found.startswith(first + said)
    exploded = ill(data_of(image_set), loss=40.0, **case)
    assert exploded.startswith("validation loss 40 has exploded; ")


def test_row_72_what_is_wrong_with_the_data_is_blamed_before_the_steps(image_set: ImageSet) -> None:
    images, labels = image_set.train_images[:1000], image_set.train_labels[:1000]
    blank, shuffled = np.zeros_like(images) + images[:, :1, :1], np.random.default_rng(3).permutation(labels)
    rare = np.flatnonzero((labels == 0) | ((labels == 1) & (np.arange(1000) < 40)))
    for data, said in (
        (data_of(image_set, images=blank), "have one value everywhere"),
        (data_of(image_set, labels=shuffled), "do the labels belong to the images, or was one of both shuffled alone?"),
    ):
        found = ill(data, BY_LARGE_STEPS)
        assert said in found and "learning_rate" not in found
    data = data_of(image_set, images[rare], labels[rare])
    assert "of the training images are T-shirt/top: let all classes weigh alike by training.class_weight" in ill(data)
    assert "lr-find" in ill(data, training={"class_weight": "balanced"})


def test_a_model_is_no_worse_for_knowing_the_rare_class_too(image_set: ImageSet) -> None:
    """Of 97:3 classes it knows 93% each, so that to name the larger one always would be right more often."""
    labels = np.repeat([0, 1], [970, 30]).astype(np.int32)
    named = np.where(np.random.default_rng(4).random(1000) < 0.93, labels, 1 - labels)
    found = Evaluation(np.eye(2, dtype=np.float32)[named], labels, 0.2)
    parts = {"train": found, "validation": found}
    assert found.accuracy < 0.97 and not diagnosis(Experiment.model_validate({}), data_of(image_set), FLAT, parts)


def test_a_divergence_is_blamed_on_values_that_are_far_too_large(image_set: ImageSet) -> None:
    experiment, data = Experiment.model_validate({}), data_of(image_set)
    raw = prepare(Dataset(name="./own.npz", scaling="none"), replace(image_set, name="own"))
    for one, hint in ((data, "smaller steps"), (raw, "scaled images reach 255: set dataset.scaling=unit or standardi")):
        with pytest.raises(DivergedError, match="step 3") as caught, divergence_explained(experiment, one):
            raise DivergedError("step 3", hint="smaller steps")
        assert caught.value.problems[0].hint.startswith(hint)


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


def test_parts_of_other_proportions_say_nothing_of_a_model_that_knows_nothing() -> None:
    parts = [np.repeat([0, 1], counts).astype(np.int32) for counts in ((970, 30), (660, 340))]
    assert (
        parts_apart(*(Evaluation(np.eye(2, dtype=np.float32)[np.zeros(1000, int)], labels, 0.5) for labels in parts))
        == ""
    )


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


def of_two_classes(images: Array, labels: Labels, counts: tuple[int, int]) -> tuple[Array, Labels]:
    """So many pullovers, and so many coats, which are much alike."""
    chosen = np.concatenate([np.flatnonzero(labels == one)[:count] for one, count in zip((2, 4), counts, strict=True)])
    chosen = np.random.default_rng(1).permutation(chosen)
    return images[chosen], (labels[chosen] == 4).astype(np.int32)


@pytest.mark.slow
def test_classes_that_weigh_alike_are_told_apart_where_one_has_97_of_100_images(
    tmp_path: Path, image_set: ImageSet
) -> None:
    train = of_two_classes(image_set.train_images, image_set.train_labels, (970, 30))
    test = of_two_classes(image_set.test_images, image_set.test_labels, (194, 20))
    np.savez(tmp_path / "own.npz", x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    dataset, found, warnings = {"name": str(tmp_path / "own.npz"), "validation": 200}, [], []
    for weight in (None, "balanced"):
        listener = Listener()
        training = {"epochs": 5, "engine": "graph", "save": [], "class_weight": weight}
        written = {"dataset": dataset, "network": [32], "training": training}
        options = RunOptions(tmp_path / "runs", stem="rare")
        result = run_seeds(Experiment.model_validate(written), 3, options, listener)
        found.append([run.test.balanced_accuracy for run in result.runs])
        warnings.append(listener.warnings)
        assert f"class_weight: {weight or 'null'}" in (result.folder / "config.yaml").read_text()
    assert found[0] == [0.5] * 3 and all("training.class_weight=balanced" in one for one in warnings[0])
    assert min(one or 0 for one in found[1]) > 0.55 and not warnings[1]

"""The split depends on the data alone; classes and limits come after it; the impossible is refused."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.data.images import ImageSet
from dtrain.data.prepare import Data, Split, prepare, split_sizes
from dtrain.data.sources import load_images
from dtrain.experiment.dataset import Dataset
from dtrain.ground.errors import ConfigError
from tests.data.helpers import image_set, tiny_arrays


def own(**options: object) -> Dataset:
    return Dataset.model_validate({"name": "./own", **options})


def first_pixels(part: Split) -> list[int]:
    """The tiny images are numbered: 16 pixels each, modulo 256."""
    return [int(image.flat[0]) // 16 for image in part.images]


def with_labels(train: list[int], test: list[int] | None = None) -> ImageSet:
    arrays = tiny_arrays(len(train), len(test or [0, 1, 2]))
    arrays["train_labels"] = np.array(train, "u1")
    arrays["test_labels"] = np.array(test or [0, 1, 2], "u1")
    return image_set(arrays)


def refusal(dataset: Dataset, images: ImageSet) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        prepare(dataset, images)
    return caught.value.problems[0].where, caught.value.problems[0].message


@pytest.fixture(scope="module")
def sample() -> ImageSet:
    return load_images("fashion_mnist_sample")


def test_named_sets_validate_with_their_first_images(sample: ImageSet) -> None:
    data = prepare(Dataset(), sample)
    np.testing.assert_array_equal(data.validation.images, sample.train_images[:1_000])
    np.testing.assert_array_equal(data.train.images, sample.train_images[1_000:])
    np.testing.assert_array_equal(data.test.labels, sample.test_labels)
    assert data.train.images.base is not None, "a view: the images are not copied"
    assert (data.image_shape, data.digest, data.warnings) == ((28, 28), sample.digest, ())
    assert data.class_names[5] == "Sandal"


@pytest.mark.parametrize(
    ("dataset", "available", "expected"),
    [
        (Dataset(name="mnist"), 60_000, (55_000, 5_000)),
        (Dataset(name="mnist_sample"), 10_000, (9_000, 1_000)),
        (Dataset(name="mnist_sample", validation=10, train_limit=200), 10_000, (200, 10)),
        (own(), 60, (54, 6)),
        (own(validation=1), 2, (1, 1)),
    ],
)
def test_sizes_need_no_images(dataset: Dataset, available: int, expected: tuple[int, int]) -> None:
    assert split_sizes(dataset, available) == expected


def test_own_sets_are_split_in_proportion_to_their_classes() -> None:
    images = with_labels([0, 1, 0, 2, 0, 1, 0, 2, 0, 0, 0, 1])
    data = prepare(own(validation=5), images)
    # Of 7, 3 and 2 images, 2.9, 1.25 and 0.8 should be held out: 2, 1 and 0, and the two largest remainders.
    assert data.validation.labels.tolist() == [0, 1, 0, 2, 0]
    assert first_pixels(data.validation) == [0, 1, 2, 3, 4]
    assert first_pixels(data.train) == [5, 6, 7, 8, 9, 10, 11]


def test_own_sets_hold_out_a_tenth_of_each_class() -> None:
    data = prepare(own(), with_labels([0] * 100 + [1] * 50 + [2] * 50))
    assert np.bincount(data.validation.labels).tolist() == [10, 5, 5]
    assert np.bincount(data.train.labels).tolist() == [90, 45, 45]


def test_classes_are_relabelled_in_the_given_order() -> None:
    data = prepare(own(classes=(2, 0), validation=6), image_set())
    assert data.class_names == ("2", "0")
    assert data.train.labels.tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1][: len(data.train.labels)]
    assert first_pixels(data.validation) == [0, 2, 3, 5]
    assert data.validation.labels.tolist() == [1, 0, 1, 0]
    assert data.test.labels.tolist() == [1, 0, 1, 0, 1, 0, 1]


def test_the_split_comes_before_the_classes_and_the_limit_after_them(sample: ImageSet) -> None:
    data = prepare(Dataset(classes=(5, 6), train_limit=200), sample)
    labels = sample.train_labels
    assert len(data.validation.labels) == int(np.isin(labels[:1_000], (5, 6)).sum())
    expected = sample.train_images[1_000:][np.isin(labels[1_000:], (5, 6))][:200]
    np.testing.assert_array_equal(data.train.images, expected)
    assert data.class_names == ("Sandal", "Shirt")


def test_scaling_is_fitted_to_the_limited_training_part() -> None:
    data = prepare(own(scaling="standardize", train_limit=5), image_set())
    np.testing.assert_allclose(data.scaling.offset, data.train.images.mean(axis=0), rtol=1e-6)


def test_the_same_data_gives_the_same_split() -> None:
    def everything(data: Data) -> list[list[int]]:
        return [first_pixels(part) for part in (data.train, data.validation, data.test)]

    assert everything(prepare(own(), image_set())) == everything(prepare(own(), image_set()))


def test_row_34_missing_class_warns_with_counts() -> None:
    warning, *_ = prepare(own(validation=2), with_labels([0, 0, 0, 0, 1, 1, 1, 1, 2])).warnings
    assert warning.splitlines() == [
        "a class is missing from a part of the data",
        "class       train  validation        test",
        "0               3           1           1",
        "1               3           1           1",
        "2               1           0           1",
    ]


def test_row_34_only_missing_classes_are_shown_of_many() -> None:
    arrays = tiny_arrays(60, 60)
    arrays["train_labels"] = arrays["test_labels"] = np.repeat(np.arange(30), 2).astype("u1")
    arrays["test_labels"] = np.minimum(arrays["test_labels"], 28)
    (warning,) = prepare(own(validation=30), image_set(arrays, classes=30)).warnings
    assert warning.splitlines()[2:] == ["29              1           1           0"]


@pytest.mark.parametrize(
    ("options", "where", "message"),
    [
        ({"validation": 20}, "dataset.validation", "got 20 of 20 training images; expected at most 19"),
        ({"validation": 900}, "dataset.validation", "got 900 of 20 training images; expected at most 19"),
        ({"train_limit": 19}, "dataset.train_limit", "got 19; expected at most 18"),
        ({"classes": (0, 3)}, "dataset.classes", "got class 3; expected 0 to 2"),
        ({"classes": (0, 1, 0)}, "dataset.classes", "got class 0 twice; expected each at most once"),
        ({"classes": (0, 1), "train_limit": 18}, "dataset.train_limit", "got 18; expected at most 12"),
    ],
)
def test_row_35_impossible_sizes_are_refused(options: dict[str, object], where: str, message: str) -> None:
    refused_where, refused_message = refusal(own(**options), image_set())
    assert refused_where == where
    assert message in refused_message


def test_row_35_a_tenth_of_too_few_is_nothing() -> None:
    where, message = refusal(own(), with_labels([0, 1, 2, 0, 1]))
    assert where == "dataset.validation"
    assert "a tenth of 5 training images is 0; expected at least 1" in message


def test_row_35_classes_may_leave_the_validation_part_empty() -> None:
    where, message = refusal(own(classes=(1, 2), validation=1), with_labels([0, 0, 0, 0, 1, 2]))
    assert where == "dataset.validation"
    assert "classes [1, 2] leave train 2, validation 0, test 2 images" in message

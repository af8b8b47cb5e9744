"""Images that nothing can be learnt from are told by what is wrong with them, and real ones are left in peace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from dtrain.data.images import Array
from dtrain.data.scaling import fit_scaling
from dtrain.data.sources import load_images
from dtrain.data.values import ill_labels, ill_values

NAMES = ["mnist_sample", "fashion_mnist_sample"]


def hot(images: Array) -> Array:
    """Floats in [0, 1] beside a pixel that is always at 1,000."""
    found = (images / 255).astype(np.float32)
    found[:, 3, 3] = 1000
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [20, 500, 9000])
@pytest.mark.parametrize("scaling", ["unit", "standardize"])
def test_real_images_and_labels_raise_no_alarm(name: str, number: int, scaling: Literal["unit", "standardize"]) -> None:
    found = load_images(name, None)
    images, labels = found.train_images[:number], found.train_labels[:number]
    assert ill_values(images, fit_scaling(scaling, images)) == ""
    assert ill_labels((images, labels), (found.test_images, found.test_labels)) == ""


@pytest.mark.parametrize(
    ("change", "scaling", "said"),
    [
        (lambda images: images, "none", "scaled images reach 255: set dataset.scaling=unit or standardize"),
        (lambda images: np.zeros_like(images) + images[:, :1, :1], "unit", "have one value everywhere"),
        (lambda images: np.zeros_like(images) + images[:1], "unit", "all training images are equal"),
        (hot, "unit", "a few pixels reach 1000, 99% of them at most 0.996078, so that scaling leaves next to nothing"),
        (
            hot,
            "standardize",
            "a few pixels reach 1000, 99% of them at most 0.996078, so that scaling leaves next to nothing",
        ),
        (lambda images: (images / 25500).astype(np.float32), "unit", "set dataset.scaling=standardize"),
    ],
)
def test_what_is_wrong_with_values(
    change: Callable[[Array], Array], scaling: Literal["unit", "standardize", "none"], said: str
) -> None:
    images = change(load_images("fashion_mnist_sample", None).train_images[:2000])
    assert said in ill_values(images, fit_scaling(scaling, images))


@pytest.mark.parametrize("name", NAMES)
def test_labels_that_were_shuffled_alone_do_not_belong_to_their_images(name: str) -> None:
    found = load_images(name, None)
    random = np.random.default_rng(2)
    train, other = random.permutation(found.train_labels), random.permutation(found.test_labels)
    said = ill_labels((found.train_images, train), (found.test_images, other))
    assert said.endswith("do the labels belong to the images, or was one of both shuffled alone?")
    assert ill_labels((found.train_images, train), (found.test_images[:20], other[:20])) == ""

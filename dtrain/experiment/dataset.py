"""The `dataset` section: which images, known by name or the user's own, and how they are split and scaled."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from dtrain.experiment.techniques.technique import Section


@dataclass(frozen=True)
class NamedDataset:
    """The sizes of a data set that is known by name, so that a file can be checked without loading it."""

    train: int
    test: int
    validation: int
    classes: int = 10
    image_shape: tuple[int, ...] = (28, 28)


NAMED_DATASETS: dict[str, NamedDataset] = {
    "mnist": NamedDataset(train=60_000, test=10_000, validation=5_000),
    "fashion_mnist": NamedDataset(train=60_000, test=10_000, validation=5_000),
    "mnist_sample": NamedDataset(train=10_000, test=2_000, validation=1_000),
    "fashion_mnist_sample": NamedDataset(train=10_000, test=2_000, validation=1_000),
}


def is_path(name: str) -> bool:
    """Whether a data set's name means a folder or file of the user's own, be it there or not.

    Windows's separator counts everywhere: a file may have been written there.
    """
    if name in NAMED_DATASETS:
        return False
    looks_like_one = name.startswith((".", "~")) or name.endswith(".npz") or any(sign in name for sign in "/\\")
    return looks_like_one or os.path.exists(name)


class Dataset(Section):
    """Which images to train on, and how they are split and scaled."""

    name: str = Field(
        default="fashion_mnist_sample",
        min_length=1,
        description="a known data set, a folder of four IDX files, or a .npz file",
    )
    validation: int | None = Field(default=None, gt=0, description="images held out of the training set")
    train_limit: int | None = Field(default=None, gt=0, description="train on the first N images only")
    classes: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=2)] | None = Field(
        default=None, description="keep these classes, relabelled 0, 1, ... in this order"
    )
    scaling: Literal["unit", "standardize", "none"] = Field(
        default="unit", description="to [0, 1]; to mean 0 and deviation 1 of each pixel; or as they are"
    )

    @property
    def known(self) -> NamedDataset | None:
        """The sizes of the data set, where its name tells."""
        return NAMED_DATASETS.get(self.name)

    @property
    def left(self) -> int | None:
        """Training images that validation leaves, where the name tells."""
        return self.known.train - (self.validation or self.known.validation) if self.known else None

    @property
    def training_images(self) -> int | None:
        """Images to train on, where the name tells; an upper bound where only some classes are kept."""
        return None if self.left is None else min(self.left, self.train_limit or self.left)

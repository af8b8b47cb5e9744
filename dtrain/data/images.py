"""The raw images of a data set, as one value that every source returns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int32]

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Training and test images as they were stored, neither split nor scaled.

    Args:
        name: The data set's name as messages show it.
        train_images: uint8 or float32, shape [n, height, width] or [n, height, width, channels].
        train_labels: int32, shape [n], values 0 to k - 1.
        test_images: The same type and image shape as `train_images`.
        test_labels: int32, shape [m].
        class_names: One name a class, in the order of the labels.
        validation: Images and labels to validate with, of the same types; None where they are split off.
        notes: What the user should know of how the files were read.
    """

    name: str
    train_images: Array
    train_labels: Labels
    test_images: Array
    test_labels: Labels
    class_names: tuple[str, ...]
    validation: tuple[Array, Labels] | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over shapes, types and bytes: equal for equal content, however it was stored."""
        hasher = hashlib.sha256()
        parts = {part: getattr(self, part) for part in PARTS}
        if self.validation:
            parts |= dict(zip(("validation_images", "validation_labels"), self.validation, strict=True))
        for part, values in parts.items():
            array = np.ascontiguousarray(values)
            # The byte order is spelled out so that a digest means the same on every machine.
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            hasher.update(f"{part} {array.dtype.str} {array.shape}\n".encode())
            hasher.update(array.data.cast("B"))
        return hasher.hexdigest()


def brightest(images: Array) -> int:
    """Returns the value of bytes that stands for 1: 255, unless they use less than half of that, as 0 to 16."""
    found = int(images.max())
    return 255 if found > 127 or found == 0 else found


def visible(images: Array) -> npt.NDArray[np.float32]:
    """Brings images as they are stored to [0, 1], for pictures."""
    if images.dtype == np.uint8:
        return (images / brightest(images)).astype(np.float32)
    low, high = float(images.min()), float(images.max())
    return ((images - low) / (high - low or 1.0)).astype(np.float32)

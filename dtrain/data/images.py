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
    """

    name: str
    train_images: Array
    train_labels: Labels
    test_images: Array
    test_labels: Labels
    class_names: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over shapes, types and bytes: equal for equal content, however it was stored."""
        hasher = hashlib.sha256()
        for part in PARTS:
            array = np.ascontiguousarray(getattr(self, part))
            # The byte order is spelled out so that a digest means the same on every machine.
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            hasher.update(f"{part} {array.dtype.str} {array.shape}\n".encode())
            hasher.update(array.data.cast("B"))
        return hasher.hexdigest()


def visible(images: Array) -> npt.NDArray[np.float32]:
    """Brings images as they are stored to [0, 1], for pictures."""
    if images.dtype == np.uint8:
        return (images / 255).astype(np.float32)
    low, high = float(images.min()), float(images.max())
    return ((images - low) / (high - low or 1.0)).astype(np.float32)

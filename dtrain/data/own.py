"""The user's own images: a folder of four IDX files or an .npz, checked before anything trains on them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtrain.data.foreign import check_kind, next_step, what_is_in
from dtrain.data.idx import IDX_NAMES, find_idx_files, read_idx
from dtrain.data.images import Array, ImageSet, brightest
from dtrain.data.npz import NPZ_KEYS, read_npz, unused_keys
from dtrain.ground.errors import DataError
from dtrain.ground.printable import clipped

VALIDATION_KEYS = {"validation_images": "x_val", "validation_labels": "y_val"}
_CHUNK_IMAGES = 1024


@dataclass(frozen=True, eq=False)
class _Half:
    """Images and labels of one of the two sets, with the names that messages use."""

    images: Array
    labels: Array
    images_from: str
    labels_from: str


def load_own(path: Path) -> ImageSet:
    """Reads and checks a data set that is not known by name.

    Args:
        path: A folder of four IDX files (raw or .gz) or a Keras-style .npz.

    Returns:
        Images as uint8 or float32, labels as int32, and the labels themselves as class names.

    Raises:
        DataError: The files are missing, damaged, or do not make a data set.
    """
    unused: list[str] = []
    if os.path.isdir(path):
        arrays, names = _read_folder(path)
    else:
        check_kind(path)
        arrays = read_npz(path, optional=VALIDATION_KEYS)
        names = {part: f"{path} {key}" for part, key in (NPZ_KEYS | VALIDATION_KEYS).items()}
        if len(arrays) == len(NPZ_KEYS) + 1:
            lone = next(key for part, key in VALIDATION_KEYS.items() if part in arrays)
            raise DataError(f"holds {lone} alone; expected x_val and y_val, or neither", where=str(path))
        unused = unused_keys(path, (NPZ_KEYS | VALIDATION_KEYS).values())
    notes = (f"{path.name} also holds {clipped(', '.join(unused))}, which nothing uses",) if unused else ()
    halves = {
        half: _with_plain_types(
            _Half(
                arrays[f"{half}_images"],
                arrays[f"{half}_labels"],
                names[f"{half}_images"],
                names[f"{half}_labels"],
            )
        )
        for half in ("train", "test", "validation")
        if f"{half}_images" in arrays
    }
    return _checked(path.name, halves, notes)


def load_some(path: Path) -> tuple[Array, Array | None]:
    """Reads images that belong to no data set from an .npz file: `images`, and `labels` where there are any.

    Args:
        path: The .npz file.

    Returns:
        Images, uint8 or float32 [n, height, width] or [n, height, width, channels], and labels [n] or None.

    Raises:
        DataError: The file or what is in it is not right.
    """
    arrays = read_npz(path, {"images": "images"}, {"labels": "labels"})
    where = f"{path} images"
    images = _plain_images(where, arrays["images"])
    if "labels" not in arrays:
        _check_finite(_Half(images, np.zeros(len(images), np.int32), where, where))
        return images, None
    labels = f"{path} labels"
    half = _Half(images, _plain_labels(labels, arrays["labels"]), where, labels)
    _check_count(half)
    _check_finite(half)
    return images, half.labels


def _read_folder(folder: Path) -> tuple[dict[str, Array], dict[str, str]]:
    files = find_idx_files(folder)
    missing = [name for part, name in IDX_NAMES.items() if part not in files]
    if missing:
        raise DataError(
            f"lacks {', '.join(missing)}; expected four IDX files, raw or .gz; found {what_is_in(folder)}",
            where=str(folder),
            hint=next_step(folder, list(IDX_NAMES.values())),
        )
    arrays = {part: read_idx(path).array for part, path in files.items()}
    return arrays, {part: str(path) for part, path in files.items()}


def _checked(name: str, halves: Mapping[str, _Half], notes: tuple[str, ...]) -> ImageSet:
    train, *others = halves.values()
    _check_counts(train, halves["test"])
    for half in others:
        _check_alike(train, half)
    for half in halves.values():
        _check_count(half)
        _check_finite(half)
    classes = _check_labels(list(halves.values()))
    if train.images.dtype == np.uint8 and brightest(train.images) < 255:
        most = brightest(train.images)
        notes = (*notes, f"the images are bytes of 0 to {most}; {most}, and not 255, is taken for the brightest")
    labels = {half: one.labels.astype(np.int32) for half, one in halves.items()}
    return ImageSet(
        name=name,
        train_images=train.images,
        train_labels=labels["train"],
        test_images=halves["test"].images,
        test_labels=labels["test"],
        class_names=tuple(str(label) for label in range(classes)),
        validation=(halves["validation"].images, labels["validation"]) if "validation" in halves else None,
        notes=notes,
    )


def _check_alike(train: _Half, other: _Half) -> None:
    shape, expected = other.images.shape[1:], train.images.shape[1:]
    kind = other.images_from.rpartition(" x_")[2] if " x_" in other.images_from else "test"
    if shape != expected:
        message = f"got {kind} images of shape {shape}; expected {expected}, the shape of the training images"
        raise DataError(message, where=other.images_from)
    if other.images.dtype != train.images.dtype:
        raise DataError(
            f"got {other.images.dtype} {kind} images; expected {train.images.dtype}, as the training images are",
            where=other.images_from,
            hint="save both in one type and one range of values",
        )


def _with_plain_types(half: _Half) -> _Half:
    if half.images.ndim == 1 and half.labels.ndim >= 3:
        raise DataError(
            f"got images of shape {half.images.shape}, labels of {half.labels.shape}; expected the opposite",
            where=half.images_from,
            hint="images and labels are swapped",
        )
    images, labels = (
        _plain_images(half.images_from, half.images),
        _plain_labels(half.labels_from, half.labels),
    )
    return _Half(images, labels, half.images_from, half.labels_from)


def _plain_images(where: str, images: Array) -> Array:
    shape = images.shape
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] > 4):
        first = "channels come last; " if len(shape) == 4 and shape[1] <= 4 else ""
        expected = "[n, height, width] or [n, height, width, channels] with 1 to 4 channels"
        raise DataError(f"got images of shape {shape}; {first}expected {expected}", where=where)
    if images.dtype == np.uint8:
        return images
    if images.dtype == np.bool_:
        return images * np.uint8(255)
    if images.dtype.kind != "f":
        raise DataError(
            f"got images of type {images.dtype}; expected uint8 or floating point",
            where=where,
            hint="convert with array.astype('uint8') when the values are 0 to 255, else with 'float32'",
        )
    with np.errstate(over="ignore"):  # what overflows becomes infinite, and is reported as such
        return images.astype(np.float32, copy=False)


def _plain_labels(where: str, labels: Array) -> Array:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        hint = "one-hot labels become numbers with labels.argmax(axis=1)" if labels.ndim == 2 else ""
        raise DataError(f"got labels of shape {labels.shape}; expected [n]", where=where, hint=hint)
    if labels.dtype.kind not in "ui":
        raise DataError(f"got labels of type {labels.dtype}; expected whole numbers", where=where)
    return labels


def _check_counts(train: _Half, test: _Half) -> None:
    crossed = len(train.images) == len(test.labels) and len(test.images) == len(train.labels)
    for half in (train, test):
        _check_count(half, hint="the labels of the training and test sets are swapped" if crossed else "")


def _check_count(half: _Half, hint: str = "") -> None:
    images, labels = len(half.images), len(half.labels)
    if images == labels:
        return
    last = min(images, labels)
    lacking = "image without label" if images > labels else "label without image"
    message = f"got {labels:,} labels for {images:,} images; the first {lacking} is at index {last}"
    raise DataError(message, where=half.labels_from, hint=hint)


def _check_finite(half: _Half) -> None:
    if half.images.dtype.kind != "f":
        return
    count, first = 0, -1
    for start in range(0, len(half.images), _CHUNK_IMAGES):
        wrong = ~np.isfinite(half.images[start : start + _CHUNK_IMAGES])
        if wrong.any():
            first = start + int(np.argwhere(wrong)[0, 0]) if first < 0 else first
            count += int(wrong.sum())
    if count:
        raise DataError(
            f"got {count:,} values that are NaN or infinite, first in image {first}; expected finite numbers",
            where=half.images_from,
        )


def _check_labels(halves: Sequence[_Half]) -> int:
    """Returns the number of classes: as many as the training labels hold different values."""
    train = halves[0]
    classes = len(np.unique(train.labels))
    for half in halves:
        wrong = np.flatnonzero((half.labels < 0) | (half.labels >= classes))
        if len(wrong):
            first = int(wrong[0])
            raise DataError(
                f"got label {half.labels[first]} at index {first}; expected 0 to {classes - 1}, "
                f"because the training labels hold {classes} different values",
                where=half.labels_from,
                hint="number the classes 0, 1, ... without gaps, and give each class training images",
            )
    if classes < 2:
        raise DataError("got one class; expected at least two", where=train.labels_from)
    return classes

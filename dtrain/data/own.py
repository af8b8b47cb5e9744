"""The user's own images: a folder of four IDX files or an .npz, checked before anything trains on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtrain.data.idx import IDX_NAMES, find_idx_files, read_idx
from dtrain.data.images import Array, ImageSet
from dtrain.data.npz import NPZ_KEYS, read_npz
from dtrain.ground.errors import DataError

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
    if path.is_dir():
        arrays, names = _read_folder(path)
    else:
        arrays = read_npz(path)
        names = {part: f"{path} {key}" for part, key in NPZ_KEYS.items()}
    train, test = (
        _Half(
            arrays[f"{half}_images"],
            arrays[f"{half}_labels"],
            names[f"{half}_images"],
            names[f"{half}_labels"],
        )
        for half in ("train", "test")
    )
    return _checked(path.name, train, test)


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
            f"lacks {', '.join(missing)}; expected four IDX files, raw or .gz",
            where=str(folder),
            hint="name the files as MNIST's are, or save all four arrays as one .npz",
        )
    arrays = {part: read_idx(path).array for part, path in files.items()}
    return arrays, {part: str(path) for part, path in files.items()}


def _checked(name: str, train: _Half, test: _Half) -> ImageSet:
    train, test = _with_plain_types(train), _with_plain_types(test)
    _check_counts(train, test)
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"got test images of shape {test.images.shape[1:]}; expected {train.images.shape[1:]}, "
            "the shape of the training images",
            where=test.images_from,
        )
    if train.images.dtype != test.images.dtype:
        raise DataError(
            f"got {test.images.dtype} test images; expected {train.images.dtype}, as the training images are",
            where=test.images_from,
            hint="save both in one type and one range of values",
        )
    for half in (train, test):
        _check_finite(half)
    classes = _check_labels(train, test)
    return ImageSet(
        name=name,
        train_images=train.images,
        train_labels=train.labels.astype(np.int32),
        test_images=test.images,
        test_labels=test.labels.astype(np.int32),
        class_names=tuple(str(label) for label in range(classes)),
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


def _check_labels(train: _Half, test: _Half) -> int:
    """Returns the number of classes: as many as the training labels hold different values."""
    classes = len(np.unique(train.labels))
    for half in (train, test):
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

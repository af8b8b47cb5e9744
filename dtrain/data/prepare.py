"""Split, filter and limit the images as an experiment asks, and fit their scaling; the seed plays no part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dtrain.data.checks import check_parts
from dtrain.data.images import Array, ImageSet, Labels
from dtrain.data.scaling import Scaling as Scaling
from dtrain.data.scaling import fit_scaling
from dtrain.experiment.dataset import Dataset
from dtrain.ground.errors import ConfigError
from dtrain.ground.printable import Lines

_TABLE_ROWS = 20


@dataclass(frozen=True, eq=False)
class Split:
    """One part of the data.

    Args:
        images: As stored (uint8 or float32), not scaled: [n, height, width] or [n, height, width, channels].
        labels: int32, [n].
    """

    images: Array
    labels: Labels


@dataclass(frozen=True, eq=False)
class Data:
    """Everything that training needs to know about its data.

    Args:
        train: What the network learns from.
        validation: What schedules and early stopping look at.
        test: What the result is measured on.
        scaling: Fitted to `train`, to be applied to all three.
        class_names: In the order of the labels.
        image_shape: Height, width and, for colour, channels.
        digest: SHA-256 of the whole image set, before any split.
        warnings: What the user should see, such as a class that is missing from a part.
    """

    train: Split
    validation: Split
    test: Split
    scaling: Scaling
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    digest: str
    warnings: tuple[str, ...]


def prepare(dataset: Dataset, images: ImageSet) -> Data:
    """Splits off the validation part, keeps the wanted classes, limits the training part, fits the scaling.

    Args:
        dataset: What the experiment says about its data.
        images: The images, as `load_images(dataset.name)` returns them.

    Returns:
        The three parts, in the order of the original, and their scaling.

    Raises:
        ConfigError: The images do not allow what the experiment asks for.
        DataError: The training pixels all have one value.
    """
    train, validation, notes = _train_and_validation(dataset, images)
    test = Split(images.test_images, images.test_labels)
    class_names = images.class_names
    if dataset.classes is not None:
        _check_classes(dataset.classes, class_names)
        parts = (train, validation, test)
        train, validation, test = (_keep(dataset.classes, len(class_names), part) for part in parts)
        class_names = tuple(class_names[label] for label in dataset.classes)
    _check_sizes(dataset, train, validation, test)
    train = _limit(dataset, train)
    return Data(
        train=train,
        validation=validation,
        test=test,
        scaling=fit_scaling(dataset.scaling, train.images),
        class_names=class_names,
        image_shape=train.images.shape[1:],
        digest=images.digest,
        warnings=(*notes, *_warnings(class_names, train, validation, test)),
    )


def split_sizes(dataset: Dataset, available: int) -> tuple[int, int]:
    """Computes the sizes of the training and validation parts, without any image.

    Args:
        dataset: What the experiment says about its data.
        available: How many training images the data set holds.

    Returns:
        Images to train on (an upper bound when `dataset.classes` keeps only some), and to validate with.

    Raises:
        ConfigError: One of the parts would be empty, or `train_limit` is more than there is.
    """
    default = dataset.known.validation if dataset.known else available // 10
    validation = default if dataset.validation is None else dataset.validation
    train = available - validation
    if validation < 1:
        raise ConfigError(
            f"a tenth of {available:,} training images is {validation}; expected at least 1",
            where="dataset.validation",
            hint="say how many images to hold out, for example `validation: 1`",
        )
    if train < 1:
        raise ConfigError(
            f"got {validation:,} of {available:,} training images; expected at most {available - 1:,}, "
            f"because {max(train, 0)} are left to train on",
            where="dataset.validation",
        )
    if dataset.train_limit is not None and dataset.train_limit > train:
        raise _limit_error(dataset.train_limit, train, f"{available:,} less {validation:,} for validation")
    return (train if dataset.train_limit is None else dataset.train_limit), validation


def _train_and_validation(dataset: Dataset, images: ImageSet) -> tuple[Split, Split, tuple[str, ...]]:
    if images.validation and dataset.validation is None:
        return Split(images.train_images, images.train_labels), Split(*images.validation), images.notes
    _, size = split_sizes(dataset, len(images.train_labels))
    unused = "x_val and y_val are not used, because dataset.validation asks for training images"
    return *_split(dataset, images, size), (*images.notes, *([unused] if images.validation else []))


def _warnings(class_names: tuple[str, ...], train: Split, validation: Split, test: Split) -> tuple[str, ...]:
    parts = {"train": train, "validation": validation, "test": test}
    others = {name: (one.images, one.labels) for name, one in parts.items() if name != "train"}
    return (*_missing_classes(class_names, parts), *check_parts((train.images, train.labels), others))


def _split(dataset: Dataset, images: ImageSet, size: int) -> tuple[Split, Split]:
    pixels, labels = images.train_images, images.train_labels
    if dataset.known:
        return Split(pixels[size:], labels[size:]), Split(pixels[:size], labels[:size])
    held_out = _stratified(labels, size)
    return Split(pixels[~held_out], labels[~held_out]), Split(pixels[held_out], labels[held_out])


def _stratified(labels: Labels, size: int) -> npt.NDArray[np.bool_]:
    """Chooses the first images of each class, in proportion to its size; a rule of the data alone.

    Args:
        labels: int32, [n].
        size: How many to choose.

    Returns:
        Which are chosen: [n], exactly `size` of them true.
    """
    counts = np.bincount(labels)
    quotas = counts * size / len(labels)
    wanted = np.floor(quotas).astype(int)
    # The largest remainders take what rounding down has left over; the lowest class wins a tie.
    for label in np.argsort(wanted - quotas, kind="stable")[: size - int(wanted.sum())]:
        wanted[label] += 1
    chosen = np.zeros(len(labels), np.bool_)
    for label, count in enumerate(wanted):
        chosen[np.flatnonzero(labels == label)[:count]] = True
    return chosen


def _check_classes(classes: tuple[int, ...], class_names: tuple[str, ...]) -> None:
    where, last = "dataset.classes", len(class_names) - 1
    for position, label in enumerate(classes):
        if label > last:
            raise ConfigError(f"got class {label}; expected 0 to {last}", where=where)
        if label in classes[:position]:
            raise ConfigError(f"got class {label} twice; expected each at most once", where=where)


def _keep(classes: tuple[int, ...], count: int, part: Split) -> Split:
    """Returns the images of these classes only, relabelled 0, 1, ... in the order given."""
    relabelled = np.full(count, -1, np.int32)
    relabelled[list(classes)] = np.arange(len(classes), dtype=np.int32)
    labels = relabelled[part.labels]
    kept = labels >= 0
    return Split(part.images[kept], labels[kept])


def _check_sizes(dataset: Dataset, train: Split, validation: Split, test: Split) -> None:
    sizes = {"train": len(train.labels), "validation": len(validation.labels), "test": len(test.labels)}
    empty = [name for name, size in sizes.items() if size == 0]
    if empty:
        found = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        raise ConfigError(
            f"classes {list(dataset.classes or ())} leave {found} images; expected at least 1 in each",
            where="dataset.validation" if empty == ["validation"] else "dataset.classes",
            hint="hold out more images, or keep other classes",
        )


def _limit(dataset: Dataset, train: Split) -> Split:
    limit, there = dataset.train_limit, len(train.labels)
    if limit is None:
        return train
    if limit > there:
        raise _limit_error(limit, there, f"of classes {list(dataset.classes or ())}, after validation")
    return Split(train.images[:limit], train.labels[:limit])


def _limit_error(limit: int, there: int, because: str) -> ConfigError:
    return ConfigError(
        f"got {limit:,}; expected at most {there:,}, the training images that there are ({because})",
        where="dataset.train_limit",
    )


def _missing_classes(class_names: tuple[str, ...], parts: dict[str, Split]) -> tuple[str, ...]:
    """Returns one warning with a table of counts when a class is missing from a part."""
    counts = np.array([np.bincount(part.labels, minlength=len(class_names)) for part in parts.values()])
    if counts.all():
        return ()
    rows = range(len(class_names))
    shown = list(rows) if len(rows) <= _TABLE_ROWS else [row for row in rows if not counts[:, row].all()]
    width = max(len("class"), *(len(class_names[row]) for row in shown))
    lines = [f"{'class':<{width}}" + "".join(f"  {name:>10}" for name in parts)]
    for row in shown:
        lines.append(f"{class_names[row]:<{width}}" + "".join(f"  {count:>10,}" for count in counts[:, row]))
    return (Lines("a class is missing from a part of the data", *lines),)

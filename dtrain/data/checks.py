"""Training, validation and test images looked at beside each other: what no fair split of one data set shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dtrain.data.images import Array, Labels

Part = tuple[Array, Labels]

OTHER_WIDTH = 4.0
"""How many times as wide as the other a range may be; the largest of more values is larger."""
OTHER_BEGINNING = 0.4
"""Of the wider range: how far apart the lowest values may be."""
OTHER_BRIGHTNESS = 3.0
"""Deviations of an image's mean: how far apart the means of two parts may be."""
OPPOSITE = 0.8
"""How strongly against each other the mean images of two parts may go, as a correlation."""
FEWEST = 20
"""Images that tell what a part, or a class of it, is like."""
MUCH_NEARER = 0.5
MOST_SHARED = 0.01
"""The share of a part that may be among the training images; Fashion-MNIST has a few of its own."""
MOST_BYTES = 2**30
"""Images that are looked through for equal ones."""


def check_parts(train: Part, others: Mapping[str, Part]) -> tuple[str, ...]:
    """Returns a warning, with numbers, for everything that sets a part apart from the training images.

    Args:
        train: Images [n, height, width, ...] as stored, and labels [n].
        others: The other parts, by name.
    """
    return tuple(text for name, part in others.items() for text in _differences(train, name, part))


def _differences(train: Part, name: str, part: Part) -> Iterator[str]:
    if min(len(train[0]), len(part[0])) >= FEWEST:
        if text := _other_range(train[0], part[0]):
            yield f"the {name} images run {text}: scale both alike"
        elif brightness := _other_brightness(train[0], part[0]):
            means = f"{brightness[1]:.3g}, the training images {brightness[0]:.3g}"
            yield f"the {name} images are on average {means}: inverted?"
        elif renumbered := _renumbered(train, part):
            classes = f"{renumbered[0]} of {renumbered[1]} classes"
            yield f"{classes} look like another one in the {name} images: are the labels numbered alike?"
    if shared := _shared(train[0], part[0]):
        yield f"{shared:,} of {len(part[0]):,} {name} images are among the training images: their accuracy means less"


def _other_range(train: Array, other: Array) -> str:
    (low, high), (other_low, other_high) = ((float(one.min()), float(one.max())) for one in (train, other))
    narrow, wide = sorted((high - low, other_high - other_low))
    if wide <= OTHER_WIDTH * narrow and abs(low - other_low) <= OTHER_BEGINNING * wide:
        return ""
    return f"from {other_low:g} to {other_high:g}, the training images from {low:g} to {high:g}"


def _other_brightness(train: Array, other: Array) -> tuple[float, float] | None:
    axes = tuple(range(1, train.ndim))
    means = [images.mean(axis=axes, dtype=np.float64) for images in (train, other)]
    apart = abs(means[0].mean() - means[1].mean())
    other_light = apart > OTHER_BRIGHTNESS * max(one.std() for one in means)
    return (means[0].mean(), means[1].mean()) if other_light or _opposite(train, other) else None


def _opposite(train: Array, other: Array) -> bool:
    first, second = (images.mean(axis=0, dtype=np.float64).ravel() for images in (train, other))
    first, second = first - first.mean(), second - second.mean()
    return bool(first @ second < -OPPOSITE * np.linalg.norm(first) * np.linalg.norm(second))


def _renumbered(train: Part, other: Part) -> tuple[int, int] | None:
    """Returns how many classes are much nearer to the mean image of another class, and of how many."""
    means, others = _class_means(*train), _class_means(*other)
    common = sorted(means.keys() & others.keys())
    if len(common) < 2:
        return None
    known = np.stack([means[label] for label in common])
    strange = 0
    for place, label in enumerate(common):
        distances = np.square(known - others[label]).sum(axis=1)
        strange += bool(distances.min() < MUCH_NEARER**2 * distances[place])
    return (strange, len(common)) if 2 * strange >= len(common) else None


def _class_means(images: Array, labels: Labels) -> dict[int, Array]:
    found, counts = np.unique(labels, return_counts=True)
    enough = [int(label) for label, count in zip(found, counts, strict=True) if count >= FEWEST]
    return {label: images[labels == label].mean(axis=0, dtype=np.float64).ravel() for label in enough}


def _shared(train: Array, other: Array) -> int:
    if train.nbytes + other.nbytes > MOST_BYTES:
        return 0
    known = {hash(one.tobytes()) for one in train}
    shared = sum(hash(one.tobytes()) in known for one in other)
    return shared if shared > MOST_SHARED * len(other) else 0

"""What makes images impossible to learn from, whatever is trained on them: they show nothing, or too little or much."""

from __future__ import annotations

import numpy as np

from dtrain.data.images import Array, Labels
from dtrain.data.scaling import Scaling
from dtrain.statistics.balance import kappa_interval

LOOKED_AT = 1000
"""Images that tell what all are like."""
TOO_LITTLE = 0.05
"""Deviation of a pixel between scaled images, root mean square; that of MNIST is 0.26, Fashion-MNIST's is 0.29."""
TOO_MUCH = 10.0
OUTLYING = 10.0
"""The largest value has so many times what 99% of all have."""
SURE = 0.15
"""What chance may do to Cohen's kappa where it is to show that there is nothing to tell."""


def ill_values(images: Array, scaling: Scaling) -> str:
    """Returns what is wrong with the values of images, and the fix; empty where nothing is.

    Args:
        images: Training images as stored [images, height, width, ...].
        scaling: How they are scaled.
    """
    some = images[:: -(-len(images) // LOOKED_AT)]
    flat = some.reshape(len(some), -1)
    blank = int((flat == flat[:, :1]).all(axis=1).sum())
    if 2 * blank > len(flat):
        return f"{blank:,} of {len(flat):,} training images have one value everywhere: see how they were made"
    if (flat == flat[0]).all():
        return "all training images are equal: see how they were made"
    spread = float(np.sqrt(scaling.apply(some).var(axis=0, dtype=np.float64).mean()))
    largest, usual = float(flat.max()), float(np.quantile(flat, 0.99))
    if spread < TOO_LITTLE and largest > OUTLYING * max(usual, 0.0):
        few = f"a few pixels reach {largest:g}, 99% of them at most {usual:g}"
        return f"{few}, so that scaling leaves next to nothing of the rest: clip them, or leave them out"
    if spread < TOO_LITTLE:
        return f"scaled images differ by no more than {spread:.2g}: set dataset.scaling=standardize"
    if spread > TOO_MUCH:
        return f"scaled images reach {float(scaling.apply(some).max()):.3g}: set dataset.scaling=unit or standardize"
    return ""


def ill_labels(train: tuple[Array, Labels], other: tuple[Array, Labels]) -> str:
    """Returns that labels may not belong to their images, where not even the mean image of a class tells it.

    Where it does, somebody could learn them. Where the images are too few to say, it is empty.

    Args:
        train: Images as stored [images, height, width, ...], and labels [images].
        other: The same of others, which are told by the means of the first.
    """
    found = _nearest_means(train, other[0])
    kappa = kappa_interval(other[1], found)
    if kappa.low > 0 or kappa.high - kappa.low > SURE:
        return ""
    share = f"{float((found == other[1]).mean()):.2%}"
    told = f"the nearest mean image of a class tells {share} of them, no better than chance either"
    return f"{told}: do the labels belong to the images, or was one of both shuffled alone?"


def _nearest_means(train: tuple[Array, Labels], images: Array) -> Labels:
    classes = np.unique(train[1])
    means = np.stack([train[0][train[1] == one].mean(axis=0, dtype=np.float64).ravel() for one in classes])
    flat = images.reshape(len(images), -1).astype(np.float64)
    found: Labels = classes[(np.square(means).sum(axis=1) - 2 * flat @ means.T).argmin(axis=1)]
    return found

"""Classes that are not equally frequent: how they are told, counted alike, and weighed alike."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.statistics.intervals import UPPER, Interval

Labels = npt.NDArray[Any]

IMBALANCED = 1.5
"""The most frequent class has so many times its even share, or more."""
DEVIATIONS = 3.0
"""By which an accuracy must exceed that of knowing nothing."""


def majority_share(labels: Labels) -> float:
    """Returns the share of the most frequent class: the accuracy of always naming it.

    Args:
        labels: Whole numbers from 0 [images], at least one.
    """
    return float(np.bincount(labels).max() / len(labels))


def chance_accuracy(majority: float, images: int) -> float:
    """Returns the accuracy that always naming the most frequent class exceeds in one of about 700 sets of images.

    It is below 1: whatever gets all images right has learnt something.

    Args:
        majority: Share of that class among all images there are.
        images: How many are in a set.
    """
    return min(majority + DEVIATIONS * math.sqrt(majority * (1 - majority) / images), 1 - 1 / images)


def are_imbalanced(labels: Labels, classes: int) -> bool:
    """Returns whether one class is so frequent that accuracy says little of the others."""
    return majority_share(labels) * classes >= IMBALANCED


def balanced_accuracy(labels: Labels, predictions: Labels) -> float:
    """Returns the mean over the classes that occur of the share predicted right, as scikit-learn does.

    Args:
        labels: Of each image [images].
        predictions: The same of what was predicted.
    """
    counts, right = np.bincount(labels), np.bincount(labels[labels == predictions], minlength=int(labels.max()) + 1)
    return float((right[counts > 0] / counts[counts > 0]).mean())


def kappa_interval(labels: Labels, predictions: Labels) -> Interval:
    """Returns Cohen's kappa (1960) plus and minus what chance does to it: 0 is in it where nothing is known of images.

    Kappa is the accuracy beyond that of predictions which are as frequent as these and know nothing, of all that is
    beyond it. Its deviation under chance is that of Fleiss, Cohen and Everitt (1969).

    Args:
        labels: Of each image [images].
        predictions: The same of what was predicted.
    """
    size = 1 + max(int(labels.max()), int(predictions.max()))
    one, other = (np.bincount(each, minlength=size) / len(each) for each in (labels, predictions))
    by_chance = float(one @ other)
    if by_chance == 1:
        return Interval(0.0, 0.0)
    variance = (by_chance + by_chance**2 - float((one * other) @ (one + other))) / len(labels)
    half = NormalDist().inv_cdf(UPPER) * math.sqrt(max(0.0, variance))
    beyond = float((labels == predictions).mean()) - by_chance
    return Interval((beyond - half) / (1 - by_chance), (beyond + half) / (1 - by_chance))


def balanced_weights(labels: Labels) -> npt.NDArray[np.float64]:
    """Returns the weight of each image with which all classes that occur weigh alike; the mean is 1.

    It is ``images / (classes * images of its class)``, scikit-learn's ``balanced`` (King and Zeng 2001).
    """
    counts = np.bincount(labels)
    weights: npt.NDArray[np.float64] = len(labels) / (np.count_nonzero(counts) * counts[labels])
    return weights

"""The one table of what a step measures of each layer, in NumPy: a measure more is an entry more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dtrain.ground.reading import Array

FloatArray = npt.NDArray[np.float64]

FLAT = 0.05
"""Where the slope of an activation is below this share of its steepest, or of 1 if that is less, it is flat."""


@dataclass(frozen=True, eq=False)
class LayerStep:
    """What is known of one layer in one step; None where there is no such thing.

    Args:
        kernel: Its weights before the step, without biases.
        update: What the step added to them.
        gradient: Their gradient, before any clipping, penalties included; None where they are frozen.
        pre_activations: What goes into the activation behind the layer [batch, ..., units], normalized if that is so.
        activations: What comes out of it.
        slopes: Its slope at each pre-activation; None where the units act on each other, as those of softmax.
        flat_below: The slope below which it is flat.
        signal_gradients: Of the loss of each example by its pre-activations; None where these are within a layer.
    """

    kernel: Array
    update: Array
    gradient: Array | None
    pre_activations: Array
    activations: Array
    slopes: Array | None
    flat_below: float
    signal_gradients: Array | None


@dataclass(frozen=True, eq=False)
class NormalizationStep:
    """What is known of one batch normalization in one step, for each of its places.

    Args:
        moving_mean: Before the step.
        moving_variance: The same.
        batch_mean: Of the batch of the step.
        batch_variance: The same.
    """

    moving_mean: Array
    moving_variance: Array
    batch_mean: Array
    batch_variance: Array


def norm(values: Array | None) -> float:
    """Returns the Euclidean norm of all elements; not a number of None."""
    return float("nan") if values is None else float(np.sqrt(np.square(values, dtype=np.float64).sum()))


def deviation(values: Array) -> float:
    """Returns the standard deviation of all elements about their common mean."""
    return float(np.std(values, dtype=np.float64))


def _mean(values: Array) -> float:
    return float(np.mean(values, dtype=np.float64))


def _saturated(layer: LayerStep) -> float:
    return float("nan") if layer.slopes is None else _mean(np.abs(layer.slopes) < layer.flat_below)


def _update_ratio(layer: LayerStep) -> float:
    weights = norm(layer.kernel)
    return norm(layer.update) / weights if weights else float("nan")


def _mean_lag(one: NormalizationStep) -> float:
    spread = np.sqrt(np.maximum(one.batch_variance.astype(np.float64), np.finfo(np.float32).tiny))
    return float(np.sqrt(np.mean(((one.moving_mean - one.batch_mean) / spread) ** 2)))


LAYER_MEASURES: Mapping[str, Callable[[LayerStep], float]] = {
    "gradient_norm": lambda layer: norm(layer.gradient),
    "weight_norm": lambda layer: norm(layer.kernel),
    "update_ratio": _update_ratio,
    "pre_activation_mean": lambda layer: _mean(layer.pre_activations),
    "pre_activation_deviation": lambda layer: deviation(layer.pre_activations),
    "activation_mean": lambda layer: _mean(layer.activations),
    "activation_deviation": lambda layer: deviation(layer.activations),
    "saturated": _saturated,
}
"""What is measured of each layer with a kernel."""

NORMALIZATION_MEASURES: Mapping[str, Callable[[NormalizationStep], float]] = {
    "moving_mean": lambda one: _mean(one.moving_mean),
    "moving_variance": lambda one: _mean(one.moving_variance),
    "batch_mean": lambda one: _mean(one.batch_mean),
    "batch_variance": lambda one: _mean(one.batch_variance),
    "mean_lag": _mean_lag,
}
"""What is measured of each batch normalization: means over its places, and how far the moving mean is off, in
deviations of the batch."""


def measured(layers: list[LayerStep], normalizations: list[NormalizationStep]) -> dict[str, FloatArray]:
    """Returns every measure, by its name: of layers [layers], of batch normalizations [normalizations]."""
    with np.errstate(all="ignore"):
        of_layers = {name: np.array([of(one) for one in layers]) for name, of in LAYER_MEASURES.items()}
        of_rest = {name: np.array([of(one) for one in normalizations]) for name, of in NORMALIZATION_MEASURES.items()}
    return of_layers | (of_rest if normalizations else {})

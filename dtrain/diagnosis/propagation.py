"""Signals forwards and gradients backwards through the layers of a network at rest, and what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dtrain.engine.layer_measures import LayerStep, deviation
from dtrain.ground.reading import Array

Fate = Literal["keeps", "saturates", "vanishes", "explodes", "symmetric"]

VANISHES = 1e-3
"""First over last gradient below which the first layers stand still (AutoTrainer, Zhang et al. 2021)."""
EXPLODES = 1e3
"""The same above which no rate suits all layers (BTTackler, Pei et al. 2024)."""
SATURATES = 0.3
"""Share of the values of a layer that are flat beyond those that would be of standard normal pre-activations."""
CAN_SATURATE = 0.35
"""Share of standard normal pre-activations up to which an activation may be flat to saturate: ReLU's half is off."""
SYMMETRIC = 1e-4
"""Deviation between the units of a layer, as a share of their size, below which they all compute the same."""


@dataclass(frozen=True)
class LayerAtRest:
    """One hidden layer before the first step.

    Args:
        name: Its name.
        mean: Of its activations, over batch and units; None where it is not finite, as are the others.
        deviation: Of the activations of a unit over the batch, in the mean over units: what tells images apart.
        gradient: Deviation of the gradient of an example's loss by the layer's pre-activations.
        saturated: Share of the values at which the activation is flat.
    """

    name: str
    mean: float | None
    deviation: float | None
    gradient: float | None
    saturated: float | None


@dataclass(frozen=True)
class Verdict:
    """What becomes of signals on their way.

    Args:
        fate: What stands in the way of training, if anything; of several the one that causes the others.
        forward: By what factor the deviation of activations grows from layer to layer; None where nobody can say.
        backward: The same of gradients, from layer to layer towards the images.
        words: Both in a sentence.
    """

    fate: Fate
    forward: float | None
    backward: float | None
    words: str


def layer_at_rest(name: str, layer: LayerStep) -> LayerAtRest:
    """Returns what there is to tell of a layer."""
    with np.errstate(all="ignore"):
        units = layer.activations.reshape(-1, layer.activations.shape[-1]).astype(np.float64)
        mean, spread = float(units.mean()), float(units.std(axis=0).mean())
        gradient = None if layer.signal_gradients is None else deviation(layer.signal_gradients)
        flat = None if layer.slopes is None else float(np.mean(np.abs(layer.slopes) < layer.flat_below))
    return LayerAtRest(name, _finite(mean), _finite(spread), _finite(gradient), flat)


def is_symmetric(layer: LayerStep) -> bool:
    """Returns whether all units of a layer compute the same, and will go on so because they learn the same."""
    if layer.signal_gradients is None or not layer.signal_gradients.any():
        return False
    return all(_are_equal(one.reshape(-1, one.shape[-1])) for one in (layer.activations, layer.signal_gradients))


def _are_equal(units: Array) -> bool:
    with np.errstate(all="ignore"):
        apart = np.abs(units - units[:, :1].astype(np.float64)).max()
    return units.shape[-1] > 1 and bool(apart <= SYMMETRIC * np.abs(units).max())


def verdict_on(layers: Sequence[LayerAtRest], flat_at_best: float, *, symmetric: bool) -> Verdict:
    """Returns what hidden layers at rest promise.

    Args:
        layers: From the images on.
        flat_at_best: Share of standard normal values at which their activation is flat: a half of ReLU's.
        symmetric: Whether the units of some layer all compute the same.
    """
    forward = _factor([one.deviation for one in layers])
    backward = _factor([one.gradient for one in reversed(layers)])
    fate = _fate(layers, flat_at_best, symmetric=symmetric)
    return Verdict(fate, forward, backward, _words(fate, layers, backward))


def _fate(layers: Sequence[LayerAtRest], flat_at_best: float, *, symmetric: bool) -> Fate:
    if any(one.deviation is None or one.gradient is None for one in layers):
        return "explodes"
    if symmetric:
        return "symmetric"
    flat = max(one.saturated or 0.0 for one in layers)
    if flat_at_best <= CAN_SATURATE and flat > flat_at_best + SATURATES:
        return "saturates"
    first, last = (one.gradient or 0.0 for one in (layers[0], layers[-1]))
    if first <= VANISHES * last:
        return "vanishes"
    return "explodes" if first > EXPLODES * last else "keeps"


def _factor(deviations: Sequence[float | None]) -> float | None:
    """Returns the geometric mean of the steps from one to the next."""
    first, last = deviations[0], deviations[-1]
    if len(deviations) < 2 or not first or last is None:
        return None
    return _finite((last / first) ** (1 / (len(deviations) - 1)))


def _words(fate: Fate, layers: Sequence[LayerAtRest], backward: float | None) -> str:
    if fate == "symmetric":
        return "all units of a layer compute, and learn, the same"
    if fate == "saturates":
        share, name = max((one.saturated or 0.0, one.name) for one in layers)
        return f"{share:.0%} of the values of {name} are where the activation is flat"
    if not backward:
        return {
            "keeps": "there is one hidden layer: nothing to lose on the way",
            "explodes": "signals or gradients are beyond what numbers hold",
        }.get(fate, "no gradient reaches the first layer")
    total = backward ** (len(layers) - 1)
    return f"gradients go x{backward:.3g} a layer, x{total:.2g} from {layers[-1].name} to {layers[0].name}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None

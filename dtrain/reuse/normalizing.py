"""Keras's Normalization as the Rescaling that does the same: nothing trains its mean and variance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.ground.errors import ModelFileError
from dtrain.ground.printable import clipped
from dtrain.reuse.architecture import Architecture
from dtrain.reuse.contents import Contents, StoredLayer
from dtrain.reuse.matching import check_finite, place_of, stored_layers
from dtrain.reuse.plans import LayerPlan

SMALLEST_DEVIATION = 1e-7
"""Keras's own floor."""


def with_rescaling(architecture: Architecture, contents: Contents, path: Path) -> tuple[Architecture, Contents]:
    """Returns a model in which Rescaling stands for Normalization, and the arrays of its other layers.

    Args:
        architecture: The layers.
        contents: The arrays of each layer that has any.
        path: The file, for messages.

    Raises:
        ModelFileError: Mean or variance are missing, not finite or along other axes than the last.
    """
    if not any(plan.kind == "Normalization" for plan in architecture.layers):
        return architecture, contents
    stored = stored_layers(contents, [place_of(plan, contents) for plan in architecture.layers])
    layers = []
    for plan in architecture.layers:
        if plan.kind == "Normalization":
            found = stored.pop(place_of(plan, contents).group, None)
            options = _rescaling(plan, found, path)
            plan = replace(plan, kind="Rescaling", options=options)
        layers.append(plan)
    return replace(architecture, layers=tuple(layers)), replace(contents, layers=tuple(stored.values()))


def _rescaling(plan: LayerPlan, found: StoredLayer | None, path: Path) -> dict[str, Any]:
    where, name = str(path), clipped(plan.name)
    if plan.options.get("axis", -1) not in (-1, []):
        message = (
            f"layer {name!r} normalizes along axis {clipped(str(plan.options['axis']))}; expected the last, or none"
        )
        raise ModelFileError(message, where=where)
    written: list[npt.NDArray[np.float64]] = []
    for number, role in enumerate(("mean", "variance")):
        value = plan.options.get(role, found.arrays[number] if found and len(found.arrays) == 3 else None)
        if value is None:
            raise ModelFileError(f"layer {name!r} has no {role}: nobody adapted it to data", where=where)
        written.append(_row(f"{name}/{role}", value, path))
    mean, variance = written
    if mean.shape != variance.shape or (variance < 0).any():
        raise ModelFileError(f"layer {name!r} has a mean and a variance that do not fit each other", where=where)
    deviation = np.maximum(np.sqrt(variance), SMALLEST_DEVIATION)
    if plan.options.get("invert"):
        return {"scale": deviation.tolist(), "offset": mean.tolist()}
    return {"scale": (1 / deviation).tolist(), "offset": (-mean / deviation).tolist()}


def _row(name: str, value: object, path: Path) -> npt.NDArray[np.float64]:
    """Returns a number, or one for each place of the last axis, which Keras 2 wrote with the other axes in front."""
    array = np.asarray(value, np.float64)
    if array.ndim and array.size != array.shape[-1]:
        raise ModelFileError(f"{name} is of shape {array.shape}; expected a row", where=str(path))
    check_finite(name, array.astype(np.float32), path)
    return array.reshape(() if array.size == 1 else -1)

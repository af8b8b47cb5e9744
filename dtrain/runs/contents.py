"""What the files of a run folder can hold: types, shapes and ranges, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from dtrain.ground.printable import shown
from dtrain.ground.reading import Array, check_types

State = Literal["created", "running", "completed", "interrupted", "diverged", "failed"]

MOST_SEEDS = 100_000
"""That a run may have; each has a folder of its own."""
_STATUS_TYPES: dict[str, Any] = dict.fromkeys(("host", "created", "heartbeat", "reason", "kind"), str | None)
_METRICS_TYPES: dict[str, Any] = {"epoch": int, "step": int, "loss": float, "val_loss": float, "stage": str | None}
_STATUS_TYPES |= {"pid": int | None, "seeds": int | None}


def check_status(status: Mapping[str, Any]) -> None:
    """Raises a ValueError or KeyError where this is no status."""
    if status["state"] not in get_args(State):
        raise ValueError(f"got state {shown(status['state'])}; expected one of {', '.join(get_args(State))}")
    check_types(status, _STATUS_TYPES)
    seeds = status.get("seeds")
    if seeds is not None and not 0 < seeds <= MOST_SEEDS:
        raise ValueError(f"got {seeds:,} seeds; expected 1 to {MOST_SEEDS:,}")


def check_metrics(rows: Sequence[Mapping[str, Any]]) -> None:
    """Raises a ValueError unless each of these is what was measured in an epoch, whatever else that was."""
    for row in rows:
        check_types(row, dict.fromkeys(row.keys() - {"stage"}, float | None) | _METRICS_TYPES)


def check_predictions(probabilities: Array, labels: Array) -> None:
    """Raises a ValueError unless these are probabilities [images, classes] and labels [images]."""
    shapes = f"shapes {probabilities.shape} and {labels.shape}"
    if probabilities.ndim != 2 or probabilities.dtype.kind != "f" or not probabilities.size:
        raise ValueError(f"{shapes}; expected probabilities of images and classes")
    if labels.shape != probabilities.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"{shapes}, labels of type {labels.dtype}; expected a whole number for each image")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities that are not finite")

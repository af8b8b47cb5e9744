"""What a training knows between two steps: measurements, memories and variables, enough to go on elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.experiment.draft import EarlyStopping
from dtrain.experiment.techniques.schedules import Plateau
from dtrain.ground.reading import Array

EpochMetrics = dict[str, Any]
"""A line of metrics.jsonl: ``epoch``, from 1, ``step``, the steps taken so far, and every measure by its name.

Those of validation at the end of the epoch begin with ``val_``.
"""


@dataclass
class Patience:
    """The memory of early stopping: the best value of what is monitored, and the weights that reached it."""

    rule: EarlyStopping | None
    best: float = float("inf")
    best_epoch: int = 0
    best_weights: list[Array] = field(default_factory=list)

    def update(self, metrics: EpochMetrics, weights: list[Array]) -> None:
        """Takes note of an epoch, as Keras's EarlyStopping does."""
        rule = self.rule or EarlyStopping()
        value = metrics[rule.monitor] * (1 if rule.monitor == "val_loss" else -1)
        if value < self.best - rule.min_delta:
            self.best, self.best_epoch, self.best_weights = value, metrics["epoch"], weights

    def ends_after(self, epoch: int) -> bool:
        """Returns whether training should stop after this many epochs, the last of which has been taken note of."""
        return self.rule is not None and epoch - self.best_epoch >= self.rule.patience


@dataclass(frozen=True)
class History:
    """What a training measured.

    Args:
        epochs: A line for each epoch.
        steps: Arrays [steps] of each measure that is kept.
        best_epoch: Epoch with the best monitored value of the last stage, from 1.
        began: How many epochs had ended when each stage began.
        layers: What was measured of each layer, where that was asked for.
    """

    epochs: tuple[EpochMetrics, ...]
    steps: dict[str, npt.NDArray[np.float32]]
    best_epoch: int
    began: tuple[int, ...]
    layers: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Everything that the next step depends on, and all that was measured before it.

    Args:
        variables: Every variable of the model, then of the optimizer.
        best_weights: The model's weights at the best epoch of the stage; empty before its first has ended.
        best: The best monitored value of the stage.
        best_epoch: Its epoch, from 1; that before the stage before one of its own has ended.
        plateau: The memory of performance scheduling.
        epochs: A line for each epoch that has ended.
        steps: Arrays [steps] of what each step measured, in full precision.
        began: How many epochs had ended when each stage began, the present one last.
        layers: What was measured of each layer, where that was asked for: arrays [measured steps, ...].
    """

    variables: list[Array]
    best_weights: list[Array]
    best: float
    best_epoch: int
    plateau: Plateau
    epochs: tuple[EpochMetrics, ...]
    steps: dict[str, Array]
    began: tuple[int, ...] = (0,)
    layers: dict[str, Array] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """Steps taken so far."""
        return len(self.steps.get("loss", ()))


class StepLog:
    """What each step measured, chunk after chunk."""

    def __init__(self) -> None:
        self._chunks: list[tuple[int, Mapping[str, Array]]] = []
        self.step = 0

    def append(self, chunk: Mapping[str, Array]) -> None:
        """Adds arrays [steps] of measures, the loss among them; another stage may have others."""
        if len(chunk["loss"]):
            self._chunks.append((self.step, chunk))
            self.step += len(chunk["loss"])

    def since(self, step: int = 0) -> dict[str, Array]:
        """Returns arrays of each measure from a step on at which a chunk began, in full precision.

        Where steps do not have what others have, it is not a number.
        """
        chunks = [chunk for began, chunk in self._chunks if began >= step]
        names = dict.fromkeys(name for chunk in chunks for name in chunk)
        return {name: np.concatenate([_values(name, chunk) for chunk in chunks]) for name in names}

    def kept(self, left_out: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Returns what a run folder keeps: all measures but those left out."""
        return {name: values.astype(np.float32) for name, values in self.since().items() if name not in left_out}


def _values(name: str, chunk: Mapping[str, Array]) -> Array:
    return chunk[name] if name in chunk else np.full(len(chunk["loss"]), np.nan)

"""What a training knows between two steps: measurements, memories and variables, enough to go on elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dtrain.experiment.draft import EarlyStopping
from dtrain.experiment.techniques.schedules import Plateau
from dtrain.ground.reading import Array

RECORDED = ("loss", "accuracy", "learning_rate", "momentum", "gradient_norm")
"""What a run folder keeps of each step; momentum only where the optimizer has one that can change."""


@dataclass(frozen=True)
class EpochMetrics:
    """One line of metrics.jsonl.

    Args:
        epoch: Number of the epoch, from 1.
        step: Steps taken so far.
        loss: Mean training loss over the epoch's examples, without penalties, measured while the weights change.
        penalty: Mean penalty over the epoch's steps.
        accuracy: Share of the epoch's examples predicted right.
        val_loss: Validation loss at the end of the epoch.
        val_accuracy: Validation accuracy at the end of the epoch.
        learning_rate: Rate of the last step.
        momentum: Momentum of the last step, or None where the optimizer has none that can change.
        gradient_norm: Mean norm of the whole gradient, before clipping.
    """

    epoch: int
    step: int
    loss: float
    penalty: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    momentum: float | None
    gradient_norm: float


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
        value = metrics.val_loss if rule.monitor == "val_loss" else -metrics.val_accuracy
        if value < self.best - rule.min_delta:
            self.best, self.best_epoch, self.best_weights = value, metrics.epoch, weights

    def ends_after(self, epoch: int) -> bool:
        """Returns whether training should stop after this many epochs, the last of which has been taken note of."""
        return self.rule is not None and epoch - self.best_epoch >= self.rule.patience


@dataclass(frozen=True)
class History:
    """What a training measured.

    Args:
        epochs: A line for each epoch.
        steps: Arrays [steps] of what is `RECORDED`.
        best_epoch: Epoch with the best monitored value of the last stage, from 1.
        began: How many epochs had ended when each stage began.
    """

    epochs: tuple[EpochMetrics, ...]
    steps: dict[str, npt.NDArray[np.float32]]
    best_epoch: int
    began: tuple[int, ...]


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
    """

    variables: list[Array]
    best_weights: list[Array]
    best: float
    best_epoch: int
    plateau: Plateau
    epochs: tuple[EpochMetrics, ...]
    steps: dict[str, Array]
    began: tuple[int, ...] = (0,)

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
        """Adds arrays [steps] of the same measures as before."""
        if len(chunk["loss"]):
            self._chunks.append((self.step, chunk))
            self.step += len(chunk["loss"])

    def since(self, step: int = 0) -> dict[str, Array]:
        """Returns arrays of each measure from a step on at which a chunk began, in full precision."""
        chunks = [chunk for began, chunk in self._chunks if began >= step]
        return {name: np.concatenate([one[name] for one in chunks]) for name in (chunks[0] if chunks else ())}

    def recorded(self) -> dict[str, npt.NDArray[np.float32]]:
        """Returns what is `RECORDED` of each step."""
        measured = self.since()
        return {name: measured[name].astype(np.float32) for name in RECORDED if name in measured}

"""What a run is asked for, what it tells on its way, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from dtrain.config.advised import Advice
from dtrain.errors import UsageError
from dtrain.spec import LARGEST_SEED
from dtrain.statistics import Interval

if TYPE_CHECKING:
    from dtrain.training_state import EpochMetrics


@dataclass(frozen=True)
class RunOptions:
    """Where a run goes and what it trains on, apart from the experiment.

    Args:
        runs_dir: Folder of all run folders.
        name: Name of the run folder; None takes the stem and a number.
        stem: What an automatic name begins with.
        device: ``auto``, ``cpu`` or ``gpu:N``.
        data_dir: Folder to look for full data sets in first.
        advice: What the lesson advises against in the experiment; shown first, and part of the result.
    """

    runs_dir: Path = Path("runs")
    name: str | None = None
    stem: str = "default"
    device: str = "auto"
    data_dir: Path | None = None
    advice: tuple[Advice, ...] = ()


def check_seeds(first: int, seeds: int) -> None:
    """Refuses more seeds than there are from the first one on.

    Raises:
        UsageError: The last of them would be too large.
    """
    if first + seeds > LARGEST_SEED + 1:
        message = f"got {seeds} seeds from {first}; expected none above {LARGEST_SEED}"
        raise UsageError(message, where="--seeds", hint="begin with a smaller seed")


class RunObserver(Protocol):
    """Whoever shows how a run goes on."""

    def on_phase(self, text: str) -> None:
        """Called when something starts that takes a while, such as ``starting TensorFlow``."""

    def on_download(self, label: str, done: int, total: int | None) -> None:
        """Called while data is downloaded, with bytes."""

    def on_warning(self, text: str) -> None:
        """Called with what the user should know."""

    def on_training(self, folder: Path, seed: int, epochs: int, total_steps: int) -> None:
        """Called when a seed's training begins."""

    def on_progress(self, step: int, total_steps: int) -> None:
        """Called after each chunk of steps with the steps taken so far."""

    def on_epoch(self, metrics: EpochMetrics, seconds: float | None) -> None:
        """Called after each epoch, and for each that was trained before; None where nobody knows how long it took."""


ARM = "transfer arm"
"""Under which name people read the arm of a `Reuse`."""
SHOWN_DIGITS = 12
"""Of a digest, as people read it."""
REUSE = "reuse"
"""Under which key a summary has its `Reuse`."""


@dataclass(frozen=True)
class Reuse:
    """What a training with a base is, beside its experiment.

    Args:
        arm: ``transfer``, or a control: ``scratch`` or ``random``.
        base: SHA-256 of the bytes of the base.
    """

    arm: str
    base: str


@dataclass(frozen=True)
class SplitResult:
    """How good the final model is on one split.

    Args:
        loss: Mean cross-entropy.
        accuracy: Share predicted right.
        accuracy_interval: Wilson's 95% interval of it, which covers the chance of these images only, not of the seed.
        images: How many there are.
    """

    loss: float
    accuracy: float
    accuracy_interval: Interval
    images: int


@dataclass(frozen=True)
class RunResult:
    """One finished training.

    Args:
        folder: The run folder.
        seed: The seed.
        best_epoch: Epoch with the best monitored value.
        epochs: Epochs trained.
        parameters: Trainable and other parameters of the model.
        train: The final model on the training images.
        validation: The final model on the validation images.
        test: The final model on the test images.
        seconds: Duration of each phase.
        engine: ``graph`` or ``xla``.
        stopped_early: Whether early stopping ended the training.
        saved: Formats that the model is saved in.
        advice: What the lesson advises against in the experiment.
        monitor: What decides which epoch is the best; empty in the results of versions that did not write it.
        departures: Why running the experiment again may not give this result; empty where it does.
    """

    folder: Path
    seed: int
    best_epoch: int
    epochs: int
    parameters: int
    train: SplitResult
    validation: SplitResult
    test: SplitResult
    seconds: dict[str, float]
    engine: str
    stopped_early: bool
    saved: tuple[str, ...] = ("keras",)
    advice: tuple[Advice, ...] = ()
    monitor: Literal["val_loss", "val_accuracy", ""] = ""
    departures: tuple[str, ...] = ()

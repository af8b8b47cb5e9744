"""Where a run goes and what it trains on, apart from the experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dtrain.experiment.config.placing import Advice
from dtrain.experiment.draft import LARGEST_SEED
from dtrain.ground.errors import UsageError


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
    """Refuses no seeds, and more than there are from the first one on.

    Raises:
        UsageError: There are none, or the last of them would be too large.
    """
    if seeds < 1:
        raise UsageError(f"got {seeds}; expected at least 1", where="--seeds")
    if first + seeds > LARGEST_SEED + 1:
        message = f"got {seeds} seeds from {first}; expected none above {LARGEST_SEED}"
        raise UsageError(message, where="--seeds", hint="begin with a smaller seed")

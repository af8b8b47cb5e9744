"""A training on its way into a run folder: each epoch is written before anybody is told of it, and now and then all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace

from dtrain.engine.state import EpochMetrics, TrainingState
from dtrain.ground.signals import StopRequest
from dtrain.runs.checkpoints import Checkpoint, Circumstances, save
from dtrain.runs.folder import RunFolder
from dtrain.trials.observer import RunObserver

CHECKPOINT_SECONDS = 2.0
"""Between two checkpoints at least: what a crash costs, against what writing them costs."""


class Recorder:
    """Writes metrics, durations and checkpoints, and stops training at a border when asked to.

    Args:
        folder: The run folder.
        observer: Shown how the run goes on.
        variables: Path, shape and type of each variable.
        circumstances: What the training happens under.
        request: Whether a signal has asked to stop.
    """

    def __init__(
        self,
        folder: RunFolder,
        observer: RunObserver,
        variables: tuple[str, ...],
        circumstances: Circumstances,
        request: StopRequest,
    ) -> None:
        self._folder, self._observer, self._request = folder, observer, request
        self._variables, self._circumstances = variables, circumstances
        self._began = self._saved = time.monotonic()
        self._checkpoint_seconds = 0.0
        self._ended: tuple[EpochMetrics, float] | None = None

    def on_progress(self, step: int, total_steps: int) -> None:
        """Shows the steps taken so far."""
        self._observer.on_progress(step, total_steps)

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Writes the measurements; the durations follow when it is known how long the checkpoint took."""
        self._folder.append_metrics(asdict(metrics))
        self._ended = (metrics, seconds)

    def on_border(self, take_state: Callable[[], TrainingState], *, last: bool) -> None:
        """Writes a checkpoint where it is time for one, or where training ends or is to stop.

        Raises:
            Stopped: A signal has asked for it.
        """
        if last or self._request.number is not None or time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self._save(take_state)
        if self._ended:
            metrics, seconds = self._ended
            durations = {"seconds": round(seconds, 4), "checkpoint_seconds": round(self._checkpoint_seconds, 4)}
            self._folder.append_timing({"epoch": metrics.epoch} | durations)
            self._ended, self._checkpoint_seconds = None, 0.0
            self._observer.on_epoch(metrics, seconds)
        self._request.obey()

    def _save(self, take_state: Callable[[], TrainingState]) -> None:
        began = time.monotonic()
        save(self._folder.checkpoints_path, Checkpoint(take_state(), self._variables, self._circumstances_now()))
        self._saved = time.monotonic()
        self._checkpoint_seconds += self._saved - began

    def _circumstances_now(self) -> Circumstances:
        seconds = self._circumstances.seconds + time.monotonic() - self._began
        return replace(self._circumstances, seconds=round(seconds, 3))

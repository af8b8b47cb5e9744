"""A training on its way into a run folder: each epoch is written before anybody is told of it, and now and then all."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dtrain.engine.state import EpochMetrics, TrainingState
from dtrain.experiment.transfer import Stage
from dtrain.ground.errors import EnvironmentProblem
from dtrain.ground.signals import StopRequest
from dtrain.runs.checkpoints import Checkpoint, Circumstances, save
from dtrain.runs.folder import RunFolder
from dtrain.trials.observer import RunObserver, drawn_if_possible
from dtrain.trials.trial import Trial

if TYPE_CHECKING:
    from dtrain.engine.training import Trainer

CHECKPOINT_SECONDS = 2.0
"""Between two checkpoints at least: what a crash costs, against what writing them costs."""


def epoch_lines(state: TrainingState, stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """Returns the lines of metrics.jsonl of all epochs that have ended."""
    numbers = [bisect_right(state.began, epoch) - 1 for epoch in range(len(state.epochs))]
    return [epoch_line(one, stages[number].name) for one, number in zip(state.epochs, numbers, strict=True)]


def epoch_line(metrics: EpochMetrics, stage: str) -> dict[str, Any]:
    """Returns a line of metrics.jsonl, which names the stage where there are several."""
    return metrics | ({"stage": stage} if stage else {})


class Recorder:
    """Writes metrics, durations and checkpoints, and stops training at a border when asked to.

    Args:
        trial: What is trained.
        folder: Its folder.
        observer: Shown how the run goes on.
        circumstances: What the training happens under.
        request: Whether a signal has asked to stop.
    """

    def __init__(
        self,
        trial: Trial,
        folder: RunFolder,
        observer: RunObserver,
        circumstances: Circumstances,
        request: StopRequest,
    ) -> None:
        self._trial, self._folder, self._observer = trial, folder, observer
        self._circumstances, self._request = circumstances, request
        self._total_steps = trial.epochs * -(-len(trial.data.train.labels) // trial.experiment.training.batch_size)
        self._began = self._saved = time.monotonic()
        self._checkpoint_seconds = 0.0
        self._ended: tuple[EpochMetrics, float] | None = None
        self._stage = ""
        self._trainer: Trainer | None = None

    @contextmanager
    def shown_and_kept(self, state: TrainingState | None) -> Iterator[None]:
        """Shows that training begins, and keeps what was measured until it ends, however it does.

        Args:
            state: What is gone on from.
        """
        seed, epochs = self._trial.experiment.seed, self._trial.epochs
        self._observer.on_training(self._folder.path, seed, epochs, self._total_steps)
        if state:
            seconds = self._folder.read_durations()
            for metrics in state.epochs:
                self._observer.on_epoch(metrics, seconds.get(metrics["epoch"]))
            self.on_progress(state.step)
        try:
            yield
        except BaseException:
            # what ended the training is the reason, not what can no longer be written because of it
            with suppress(EnvironmentProblem):
                self._keep_history()
            raise
        self._keep_history()

    def on_stage(self, name: str, trainer: Trainer) -> None:
        """Takes note of the stage."""
        self._stage, self._trainer = name, trainer

    def on_progress(self, step: int) -> None:
        """Shows the steps taken so far."""
        self._observer.on_progress(step, self._total_steps)

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Writes the measurements; the durations follow when it is known how long the checkpoint took."""
        self._folder.append_metrics(epoch_line(metrics, self._stage))
        self._ended = (metrics, seconds)

    def on_border(self, take_state: Callable[[], TrainingState], *, last: bool) -> None:
        """Writes a checkpoint where it is time for one, or where training ends or is to stop.

        Raises:
            Stopped: A signal has asked for it.
        """
        # a signal that arrives from here on waits for the next border, which leaves a checkpoint of its own
        stops = self._request.number is not None
        if last or stops or time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self._save(take_state)
        if self._ended:
            metrics, seconds = self._ended
            durations = {"seconds": round(seconds, 4), "checkpoint_seconds": round(self._checkpoint_seconds, 4)}
            self._folder.append_timing({"epoch": metrics["epoch"]} | durations)
            self._ended, self._checkpoint_seconds = None, 0.0
            self._observer.on_epoch(metrics, seconds)
        if stops:
            self._request.obey()

    def _keep_history(self) -> None:
        if self._trainer is None:
            return
        history = self._trainer.history()
        self._folder.write_steps(history.steps)
        if history.layers:
            self._folder.write_layers(history.layers)
        if history.epochs:
            with drawn_if_possible(self._observer):
                self._draw(history.epochs, history.steps)

    def _draw(self, epochs: Sequence[EpochMetrics], steps: Mapping[str, Any]) -> None:
        from dtrain.plots.canvas import save
        from dtrain.plots.curves import curves_figure

        save(curves_figure(epochs, steps, self._folder.path.name), self._folder.curves_path)

    def _save(self, take_state: Callable[[], TrainingState]) -> None:
        assert self._trainer
        began = time.monotonic()
        checkpoint = Checkpoint(take_state(), self._trainer.variables, self._circumstances_now())
        save(self._folder.checkpoints_path, checkpoint)
        self._saved = time.monotonic()
        self._checkpoint_seconds += self._saved - began

    def _circumstances_now(self) -> Circumstances:
        seconds = self._circumstances.seconds + time.monotonic() - self._began
        return replace(self._circumstances, seconds=round(seconds, 3))

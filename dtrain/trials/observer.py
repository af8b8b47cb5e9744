"""Whoever is told how a run goes on, and how long its phases take."""

from __future__ import annotations

import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dtrain.ground.errors import DtrainError, DtrainWarning
from dtrain.ground.printable import printable

if TYPE_CHECKING:
    from dtrain.engine.state import EpochMetrics


class RunObserver:
    """Whoever is told how a run goes on: a subclass shows what it likes; this one only warns, as Python does."""

    def on_phase(self, text: str) -> None:
        """Called when something starts that takes a while, such as ``starting TensorFlow``."""

    def on_download(self, label: str, done: int, total: int | None) -> None:
        """Called while data is downloaded, with bytes."""

    def on_warning(self, text: str) -> None:
        """Called with what the user should know."""
        # blamed on whoever called dtrain, so that each cell of a notebook is told again
        modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_stack(sys._getframe())]
        ours = next((depth for depth, one in enumerate(modules) if one.partition(".")[0] != "dtrain"), 0)
        warnings.warn(printable(text), DtrainWarning, stacklevel=ours + 1)

    def on_training(self, folder: Path, seed: int, epochs: int, total_steps: int) -> None:
        """Called when a seed's training begins."""

    def on_progress(self, step: int, total_steps: int) -> None:
        """Called after each chunk of steps with the steps taken so far."""

    def on_epoch(self, metrics: EpochMetrics, seconds: float | None) -> None:
        """Called after each epoch, and for each that was trained before; None where nobody knows how long it took."""


@contextmanager
def drawn_if_possible(observer: RunObserver) -> Iterator[None]:
    """Warns of pictures that cannot be drawn inside: nothing that was trained is lost to them.

    Args:
        observer: Whoever is warned.

    Raises:
        DtrainError: They cannot be written.
    """
    try:
        yield
    except DtrainError:
        raise
    except Exception as error:
        observer.on_warning(f"a picture could not be drawn: {type(error).__name__}: {error}")


class StudyObserver(RunObserver):
    """Shows of each training of a study only what the user should know: one bar is for all of them.

    Args:
        observer: Whoever is told how the study goes on.
    """

    def __init__(self, observer: RunObserver) -> None:
        self._observer = observer

    def on_phase(self, text: str) -> None:
        """Passes it on."""
        self._observer.on_phase(text)

    def on_download(self, label: str, done: int, total: int | None) -> None:
        """Passes it on."""
        self._observer.on_download(label, done, total)

    def on_warning(self, text: str) -> None:
        """Passes it on."""
        self._observer.on_warning(text)


class Phases:
    """How long each phase takes; an observer is told of those that take a while."""

    def __init__(self, observer: RunObserver) -> None:
        self._observer = observer
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, name: str, text: str = "", before: float = 0.0) -> Iterator[None]:
        """Adds the seconds inside, and those before an interruption, to a phase that begins with a text."""
        if text:
            self._observer.on_phase(text)
        began = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + before + time.perf_counter() - began, 3)

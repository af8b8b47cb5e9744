"""How a command goes on while it works: a live table on a terminal, plain lines elsewhere, or nothing but warnings."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from dtrain.display.console import stderr, terminal, warning
from dtrain.display.tables import EpochTable, duration, in_words, number, percent
from dtrain.ground.printable import printable
from dtrain.trials.observer import RunObserver

if TYPE_CHECKING:
    from dtrain.engine.state import EpochMetrics

KEPT_EPOCHS = 15
LINES_AROUND_TABLE = 9
"""Headings, sparklines, progress and the prompt, which must fit on the terminal beside the epochs."""


_NUMBER = re.compile(r"\d[\d.,e%+-]*")


class QuietProgress(RunObserver):
    """Shows nothing but warnings, and knows where the run folder is.

    Args:
        console: Where to show it.
        seeds: How many seeds will be trained.
    """

    def __init__(self, console: Console, seeds: int) -> None:
        self.console, self.seeds = console, seeds
        self.folder: Path | None = None
        self.seed = self.seeds_begun = self.epochs = 0
        self._told = defaultdict[str, list[str]](list)

    def start(self) -> None:
        """Shows nothing."""

    def finish(self) -> None:
        """Says which warnings held for more than the one training that they were shown for."""
        for kind, texts in self._told.items():
            if len(texts) > 1:
                text = kind if len(set(texts)) > 1 else texts[0]
                self.console.print(warning(f"{len(texts)} trainings: {text}"), crop=False)

    def on_warning(self, text: str) -> None:
        """Shows the warning, unless one like it, but for its numbers, was shown before."""
        # which seed it was is not a number like others
        kind = text if "seed " in text else _NUMBER.sub("...", text)
        self._told[kind].append(text)
        if len(self._told[kind]) == 1:
            self.console.print(warning(text), crop=False)

    def on_training(self, folder: Path, seed: int, epochs: int, total_steps: int) -> None:
        """Takes note of the folder."""
        self.folder, self.seed, self.epochs = folder, seed, epochs
        self.seeds_begun += 1

    def _title(self) -> str:
        of_seeds = f" ({self.seeds_begun} of {self.seeds})" if self.seeds > 1 else ""
        return f"{printable(str(self.folder))}, seed {self.seed}{of_seeds}"


class PlainProgress(QuietProgress):
    """Shows one line an epoch, for files and pipes."""

    def on_phase(self, text: str) -> None:
        """Shows what begins."""
        self._say(text)

    def on_download(self, label: str, done: int, total: int | None) -> None:
        """Shows the end of each download: a line for every block would be too many."""
        if done == total:
            self._say(f"downloaded {label}, {done:,} bytes")

    def on_training(self, folder: Path, seed: int, epochs: int, total_steps: int) -> None:
        """Shows where the run folder is."""
        super().on_training(folder, seed, epochs, total_steps)
        self._say(f"training {self._title()}: up to {epochs} epochs, {total_steps:,} steps")

    def on_epoch(self, metrics: EpochMetrics, seconds: float | None) -> None:
        """Shows the epoch."""
        took = [] if seconds is None else [duration(seconds)]
        self._say("  ".join([f"epoch {metrics['epoch']}/{self.epochs}", *in_words(metrics), *took]))

    def _say(self, text: str) -> None:
        self.console.print(printable(text), soft_wrap=True)


class LiveProgress(QuietProgress):
    """Shows a table of epochs that grows in place, with sparklines, progress and time left."""

    def __init__(self, console: Console, seeds: int) -> None:
        super().__init__(console, seeds)
        self._phase, self._rows = "", list[dict[str, Any]]()
        self._step, self._total_steps, self._first = 0, 0, (0, 0.0)
        self._spinner = Spinner("dots")
        self._live = Live(self, console=console, refresh_per_second=8)

    def start(self) -> None:
        """Begins to draw."""
        self._live.start()

    def finish(self) -> None:
        """Leaves the table on the terminal, without spinner and bar."""
        self._phase, self._total_steps = "", 0
        self._live.stop()
        super().finish()
        self.console.file.close()

    def on_phase(self, text: str) -> None:
        """Shows what begins, with a spinner."""
        self._phase = printable(text)
        if self.folder is None:
            self._step = self._total_steps = 0
        self._live.refresh()

    def on_download(self, label: str, done: int, total: int | None) -> None:
        """Shows how much has arrived."""
        of_total = f" of {total / 1e6:.1f}" if total else ""
        self._phase = f"downloading {printable(label)}: {done / 1e6:.1f}{of_total} MB"

    def on_training(self, folder: Path, seed: int, epochs: int, total_steps: int) -> None:
        """Begins a table, in place of the one of the seed before."""
        self._leave_line_of_seed()
        super().on_training(folder, seed, epochs, total_steps)
        self._phase, self._rows, self._step, self._total_steps = "", [], 0, total_steps

    def on_progress(self, step: int, total_steps: int) -> None:
        """Moves the bar."""
        if self._step == 0:
            # before it there is the compilation, which says nothing about the steps to come
            self._first = (step, time.monotonic())
        self._step, self._total_steps = step, total_steps

    def on_epoch(self, metrics: EpochMetrics, seconds: float | None) -> None:
        """Adds a line to the table."""
        self._rows.append(metrics | {"seconds": seconds})
        self._live.refresh()

    def _leave_line_of_seed(self) -> None:
        if self._rows:
            best = min(self._rows, key=lambda one: one["val_loss"])
            accuracy = f" with val accuracy {percent(best['val_accuracy'])}" if "val_accuracy" in best else ""
            self.console.print(
                f"seed {self.seed}: {len(self._rows)} epochs, lowest val loss {number(best['val_loss'])} "
                f"in epoch {best['epoch']}{accuracy}"
            )

    def __rich__(self) -> RenderableType:
        """Returns what the terminal shows now."""
        if self.folder is None:
            return Group(self._spinning(), self._bar()) if self._total_steps else self._spinning()
        kept = max(1, min(KEPT_EPOCHS, self.console.height - LINES_AROUND_TABLE))
        parts: list[RenderableType] = [Text(self._title(), style="bold", no_wrap=True, overflow="ellipsis")]
        parts.append(EpochTable(self._rows, kept))
        if self._phase:
            parts.append(self._spinning())
        elif self._total_steps:
            parts.append(self._bar())
        return Group(*parts)

    def _spinning(self) -> RenderableType:
        if not self._phase:
            return Group()
        self._spinner.update(text=Text(self._phase, no_wrap=True, overflow="ellipsis"))
        return self._spinner

    def _bar(self) -> RenderableType:
        line = Table.grid(padding=(0, 1), expand=False)
        epoch = f"epoch {min(len(self._rows) + 1, self.epochs)} of {self.epochs}" if self.epochs else ""
        bar = ProgressBar(total=self._total_steps, completed=self._step, width=max(10, self.console.width // 3))
        line.add_row(epoch, bar, f"{self._step / self._total_steps:.0%}", self._time_left())
        return line

    def _time_left(self) -> str:
        first_step, began = self._first
        if self._step <= first_step:
            return ""
        left = (time.monotonic() - began) / (self._step - first_step) * (self._total_steps - self._step)
        return f"up to {duration(left)} left"


@contextmanager
def progress(*, quiet: bool, seeds: int = 1) -> Iterator[QuietProgress]:
    """Shows how a workflow goes on; what ends it early is told where the run folder is.

    Args:
        quiet: Whether to show nothing but warnings.
        seeds: How many seeds will be trained.

    Yields:
        The observer for the workflow.
    """
    observer = _choose(quiet, seeds)
    try:
        observer.start()
        yield observer
    except BaseException as error:
        if observer.folder:
            error.add_note(f"what was measured until then is in {observer.folder}")
        raise
    finally:
        # the terminal may be gone
        with suppress(OSError):
            observer.finish()


def _choose(quiet: bool, seeds: int) -> QuietProgress:
    console = stderr()
    if quiet:
        return QuietProgress(console, seeds)
    # FORCE_COLOR makes Rich take a pipe for a terminal
    if console.is_interactive and console.file.isatty() and "CI" not in os.environ:
        return LiveProgress(terminal(), seeds)
    return PlainProgress(console, seeds)

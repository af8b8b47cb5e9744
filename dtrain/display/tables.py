"""Numbers, sparklines and the table of epochs, which the live display and `dtrain show` share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from dtrain.statistics.intervals import Interval

BLOCKS = "▁▂▃▄▅▆▇█"
CURVE_LABELS = ("loss ", "  val accuracy ")
NARROWEST_CURVE = 8
MOST_LINES = 1000
"""Of a table: who wants more reads a file."""
Metrics = Mapping[str, Any]


def percent(share: float) -> str:
    """Returns a share as per cent, with the two decimals that 10,000 images support."""
    return f"{share:.2%}"


def percent_interval(interval: Interval) -> str:
    """Returns the two ends of an interval of shares, in per cent."""
    return f"{100 * interval.low:.2f} to {100 * interval.high:.2f}"


def points_interval(interval: Interval | None) -> str:
    """Returns the two ends of an interval of a difference of shares, in points; nothing where there is none."""
    return f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}" if interval else ""


def number(value: float, decimals: int = 4) -> str:
    """Returns a loss or norm, short also where it has exploded."""
    return f"{value:.{decimals}f}" if abs(value) < 1000 else f"{value:.2e}"


def duration(seconds: float) -> str:
    """Returns a duration as a person would say it."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def sparkline(values: Sequence[float], width: int) -> str:
    """Returns a curve of one character a value from lowest to highest; means of neighbours where space is short."""
    if len(values) > width:
        edges = [round(position * len(values) / width) for position in range(width + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, high = min(values, default=0.0), max(values, default=0.0)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[round((value - low) * scale)] for value in values)


def bare_table(gap: int = 2, heading: str = "bold") -> Table:
    """Returns a table without lines, to which columns are to be added.

    Args:
        gap: Characters between two columns.
        heading: The style of the headings.
    """
    return _CutTable(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style=heading)


class _CutTable(Table):
    """A table that nobody has to scroll through: of very many lines it has the first, and says so."""

    left_out = 0

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Adds a line, or counts it."""
        if self.row_count < MOST_LINES:
            super().add_row(*cells, **options)
        else:
            self.left_out += 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from super().__rich_console__(console, options)
        if self.left_out:
            yield Text(f"and {self.left_out:,} more; --json has them all")


def table_of_numbers(*headings: str) -> Table:
    """Returns a table without lines whose columns are numbers, but for the first, which says of what."""
    table = bare_table()
    for heading in headings:
        table.add_column(heading, justify="right" if table.columns else "left", no_wrap=bool(table.columns))
    return table


@dataclass(frozen=True)
class _Column:
    """One column of the epoch table.

    Args:
        heading: In two lines.
        key: Of the metrics of an epoch; the cell of one without it is empty.
        written: From what is there to text.
        width: Characters it takes.
    """

    heading: str
    key: str
    written: Callable[[Any], str]
    width: int = 8

    def cell(self, epoch: Metrics) -> str:
        """Returns what stands in the line of an epoch."""
        return "" if epoch.get(self.key) is None else self.written(epoch[self.key])


_COLUMNS = (
    _Column("\nepoch", "epoch", str, 5),
    _Column("\nloss", "loss", number, 6),
    _Column("val\nloss", "val_loss", number, 6),
    _Column("\naccuracy", "accuracy", percent),
    _Column("val\naccuracy", "val_accuracy", percent),
    _Column("learning\nrate", "learning_rate", "{:#.3g}".format),
    _Column("\nmomentum", "momentum", "{:.3f}".format),
    _Column("gradient\nnorm", "gradient_norm", lambda norm: number(norm, 2)),
    _Column("\nseconds", "seconds", "{:.2f}".format, 7),
)
"""Where the terminal is narrow, the last ones are left out."""
_GAP = 2


def in_words(epoch: Metrics) -> Iterator[str]:
    """Yields what a line without headings tells of an epoch: measures up to the learning rate, where there are such."""
    for one in _COLUMNS[1:6]:
        if cell := one.cell(epoch):
            yield f"{one.heading.replace(chr(10), ' ').strip()} {cell}"


@dataclass(frozen=True)
class EpochTable:
    """The last epochs as a table that fits the terminal, and all of them as sparklines.

    Args:
        epochs: The metrics of each epoch, and the seconds it took; None where nobody knows.
        shown: How many of the last ones get a line; None is all.
    """

    epochs: Sequence[Metrics]
    shown: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.epochs:
            return
        columns = [one for one in _COLUMNS if any(one.cell(epoch) for epoch in self.epochs)]
        while sum(one.width + _GAP for one in columns) - _GAP > options.max_width and len(columns) > 1:
            columns.pop()
        table = bare_table(_GAP)
        for column in columns:
            table.add_column(column.heading, justify="right", min_width=column.width, no_wrap=True)
        lowest = min(epoch["val_loss"] for epoch in self.epochs)
        for epoch in self.epochs[-(self.shown or len(self.epochs)) :]:
            style = "bold green" if epoch["val_loss"] == lowest else ""
            table.add_row(*(column.cell(epoch) for column in columns), style=style)
        yield table
        if len(self.epochs) > 1 and not options.ascii_only:
            yield self._curves(options.max_width)

    def _curves(self, width: int) -> Text:
        of_loss, of_accuracy = CURVE_LABELS
        room = max((width - len(of_loss) - len(of_accuracy)) // 2, NARROWEST_CURVE)
        losses = sparkline([one["loss"] for one in self.epochs], room)
        accuracies = [one["val_accuracy"] for one in self.epochs if one.get("val_accuracy") is not None]
        curve = (of_accuracy, (sparkline(accuracies, room), "green")) if accuracies else ()
        return Text.assemble(of_loss, (losses, "magenta"), *curve)

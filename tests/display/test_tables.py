"""Numbers, sparklines, and the table of epochs at the widths that terminals have."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dtrain.display.tables import (
    BLOCKS,
    MOST_LINES,
    EpochTable,
    Metrics,
    bare_table,
    duration,
    number,
    percent,
    percent_interval,
    sparkline,
)
from dtrain.statistics.intervals import Interval


def epoch(count: int, **changed: object) -> Metrics:
    return {
        "epoch": count,
        "loss": 1 / count,
        "val_loss": 2 / count,
        "accuracy": 0.5,
        "val_accuracy": 0.8125,
        "learning_rate": 0.05,
        "momentum": 0.9,
        "gradient_norm": 1.5,
        "seconds": 0.25,
    } | changed


def lines(table: EpochTable, width: int) -> list[str]:
    console = Console(width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


def test_a_rising_sequence_climbs_every_block() -> None:
    assert sparkline(range(8), 18) == BLOCKS
    assert sparkline(range(7, -1, -1), 18) == BLOCKS[::-1]


def test_a_level_sequence_is_a_low_line() -> None:
    assert sparkline([0.3, 0.3, 0.3], 18) == "▁▁▁"


def test_a_long_sequence_is_averaged() -> None:
    assert sparkline([0, 2, 8, 8, 0, 14], width=3) == "▁█▇"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.integers(1, 40))
def test_a_sparkline_is_never_wider_than_its_place(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) == min(width, len(values))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (5400, "1 h 30 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_numbers() -> None:
    assert percent(0.88123) == "88.12%"
    assert percent_interval(Interval(0.87471, 0.8873)) == "87.47 to 88.73"
    assert (number(0.51234), number(123456.0)) == ("0.5123", "1.23e+05")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(width: int) -> None:
    shown = lines(EpochTable([epoch(count) for count in range(1, 31)]), width)
    assert max(map(len, shown)) <= width
    assert shown[2].split()[:5] == ["1", "1.0000", "2.0000", "50.00%", "81.25%"]
    assert (shown[1].split()[-1], shown[2].split()[-1]) == (("seconds", "0.25") if width >= 80 else ("rate", "0.0500"))


def test_only_the_last_epochs_get_a_line_but_all_are_in_the_curve() -> None:
    shown = lines(EpochTable([epoch(count) for count in range(1, 19)], shown=2), 80)
    assert [line.split()[0] for line in shown[2:4]] == ["17", "18"]
    assert shown[4].startswith("loss █")
    assert shown[4].count("▁") > 0 and len(shown[4].split()[1]) == 18


def test_the_curves_have_a_cell_for_each_epoch_as_long_as_they_fit() -> None:
    for epochs, width, cells in ((20, 80, 20), (30, 80, 30), (31, 80, 30), (40, 120, 40), (40, 60, 20)):
        curves = lines(EpochTable([epoch(count) for count in range(1, epochs + 1)], shown=1), width)[-1].split()
        assert (len(curves[1]), len(curves[4])) == (cells, cells)


def test_an_optimizer_without_momentum_has_no_column_for_it() -> None:
    assert "momentum" not in "".join(lines(EpochTable([epoch(1, momentum=None)]), 120))


def test_the_lowest_validation_loss_stands_out() -> None:
    console = Console(width=80, force_terminal=True, color_system="standard", legacy_windows=False)
    with console.capture() as capture:
        console.print(EpochTable([epoch(1, val_loss=0.5), epoch(2, val_loss=0.4), epoch(3, val_loss=0.6)]))
    bold = [line for line in capture.get().splitlines() if "\x1b[1;32m" in line]
    assert len(bold) == 1 and "0.4000" in bold[0]


def test_an_epoch_whose_duration_nobody_knows_has_an_empty_cell() -> None:
    shown = lines(EpochTable([epoch(1), epoch(2, seconds=None)]), 80)
    assert [line.endswith("0.25") for line in shown[2:4]] == [True, False]


def test_a_table_that_nobody_would_read_to_its_end_is_cut_and_says_so() -> None:
    table = bare_table()
    table.add_column("class")
    for place in range(MOST_LINES + 3000):
        table.add_row(f"class {place}")
    console = Console(width=80, file=StringIO())
    console.print(table)
    lines = [line.strip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert len(lines) == MOST_LINES + 2
    assert lines[-2:] == [f"class {MOST_LINES - 1}", "and 3,000 more; --json has them all"]

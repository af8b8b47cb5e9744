"""What a search for a learning rate found, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dtrain.display.tables import percent, points_interval, table_of_numbers
from dtrain.rates.rules import RULE_NAMES

if TYPE_CHECKING:
    from dtrain.workflows.lr_find import RateReport


def describe_rates(report: RateReport) -> Iterator[RenderableType]:
    """Yields what each rule says, the trials, and the suggestion with the line to paste or why there is none."""
    if (picture := report.folder / "lr_find.png").exists():
        yield f"picture {picture}"
    if report.rates:
        yield _rule_table(report)
    seeds = f"{report.diverged} of {report.range.seeds} seeds diverged"
    edge = f"edge of divergence {report.edge:.2g}; " if report.edge is not None else "no edge of divergence; "
    yield Text(f"{edge}{seeds} between {report.range.minimum:g} and {report.range.highest:g}")
    if report.trials:
        yield _trial_table(report)
    if report.suggestion is None:
        yield Text(f"no safe suggestion: {report.reason}", "yellow")
        return
    between = f" (single seeds: {report.seeds.low:.2g} to {report.seeds.high:.2g})" if report.seeds else ""
    yield Text.assemble((f"suggestion {report.suggestion:.2g}", "bold"), between)
    yield report.line
    if report.verdict:
        yield Text(f"verified: {report.verdict}", "bold")
    if report.written:
        yield f"written {report.written}"


def _trial_table(report: RateReport) -> Table:
    seeds = len(report.trials[0].accuracies)
    headings = "rate", "validation accuracy", "beside 1x", "95% interval"
    table = table_of_numbers(f"{seeds} brief trainings", *headings)
    for one in report.trials:
        accuracy = percent(fmean(one.finite)) if one.finite else ""
        accuracy += f" ({one.diverged} diverged)" if one.diverged else ""
        points = [""] * 2
        if one.beside and one.beside.difference:
            points = [f"{100 * one.beside.difference.mean:+.2f}", points_interval(one.beside.interval)]
        table.add_row(one.name, f"{one.learning_rate:.2g}", accuracy, *points)
    return table


def _rule_table(report: RateReport) -> Table:
    table = table_of_numbers("rule", "mean", "lowest seed", "highest seed")
    for name, one in report.rates.items():
        table.add_row(RULE_NAMES[name], *(f"{rate:.2g}" for rate in (one.middle, one.low, one.high)))
    return table

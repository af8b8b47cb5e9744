"""What a comparison of experiments found, for people to read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dtrain.display.console import Sentence
from dtrain.display.results import ADVISED_SEEDS
from dtrain.display.tables import bare_table, percent, percent_interval
from dtrain.ground.printable import shown
from dtrain.runs.folder import CONFIG
from dtrain.runs.results import ARM, SHOWN_DIGITS

if TYPE_CHECKING:
    from dtrain.workflows.compare import CompareReport, Standing

SIDE_BY_SIDE = 3
"""Experiments in one table of what differs; more have further tables below."""
ABSENT = "-"
MOST_STEPS = 3
BASE = "MODEL"
"""What stands for the file or run of a base, as in the help of `dtrain transfer`."""
COLOURS = {"better": "bold green", "worse": "bold red"}


def describe_comparison(report: CompareReport) -> Iterator[RenderableType]:
    """Yields what differs between the experiments, the ranking, a verdict on each pair, and what to do next."""
    yield Text(
        f"{len(report.standings)} experiments on the same {report.images:,} test images "
        f"(data {report.digest[:SHOWN_DIGITS]})"
    )
    yield Text()
    yield from _differences(report)
    yield _ranking(report)
    yield from _explained(report)
    yield Text()
    for pair in report.pairs:
        yield Sentence(pair.words, "verdict", COLOURS.get(pair.verdict, "bold"))
    for path in (report.csv, report.plot):
        if path:
            yield f"written {path}"
    yield from _next_steps(report)


def _table(*headings: str) -> Table:
    table = bare_table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _differences(report: CompareReport) -> Iterator[RenderableType]:
    keys = list(dict.fromkeys(key for one in report.standings for key in one.settings))
    if not keys:
        yield Text("nothing differs between the experiments, but perhaps the seeds\n")
        return
    for start in range(0, len(report.standings), SIDE_BY_SIDE):
        part = report.standings[start : start + SIDE_BY_SIDE]
        table = _table("what differs", *(one.name for one in part))
        for key in keys:
            if any(key in one.settings for one in part):
                table.add_row(key, *(_setting(one, key) for one in part))
        yield table
        yield Text()


def _setting(standing: Standing, key: str) -> str:
    if key not in standing.settings:
        return ABSENT
    value = standing.settings[key]
    return value if isinstance(value, str) else shown(value)


def _ranking(report: CompareReport) -> Table:
    table = _table("", "\nexperiment")
    for heading in ("\nseeds", "validation\naccuracy", "\n95% interval", "test\naccuracy", "\n95% interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for rank, one in enumerate(report.standings, start=1):
        cells = [str(len(one.seeds))]
        for split in (one.validation, one.test):
            mark = "*" if split.chance_of == "images" else ""
            cells += [percent(split.mean), percent_interval(split.interval) + mark]
        table.add_row(str(rank), one.name, *cells)
    return table


def _explained(report: CompareReport) -> Iterator[RenderableType]:
    kinds = {one.test.chance_of for one in report.standings}
    if "seeds" in kinds:
        yield Text("The intervals are of the mean over seeds: they cover the chance of the seed, not of the images.")
    if "images" in kinds:
        yield Text("* One seed: the interval covers the chance of the images, not of the seed.")
    last = " (last where a seed diverged)" if any(one.diverged for one in report.standings) else ""
    yield Text(f"The ranking is by validation accuracy{last}, the verdicts are by test accuracy.")
    if len(report.standings) > 2:
        yield Text("The best was found among these runs, so each p is corrected for the comparisons of all (Holm).")


def _next_steps(report: CompareReport) -> Iterator[RenderableType]:
    # what departs from its file is not what the file gives again
    alone = [one for one in report.standings if len(one.seeds) == 1 and not one.departs]
    # one training with a base has all its arms, and the folder does not say where the base is
    first = {_training_of(one): one for one in reversed(alone)}
    for one in [one for one in alone if one is first[_training_of(one)]][:MOST_STEPS]:
        config = shlex.quote(str(one.folders[0] / CONFIG))
        command = f"transfer --base {BASE} {config}" if one.reuse else f"run {config}"
        comment = f"{BASE}: the base; then" if one.reuse else "then"
        seeds = max(report.advised_seeds or 0, ADVISED_SEEDS)
        yield Sentence(f"dtrain {command} --seeds {seeds}  # {comment} compare again, over seeds", "next")


def _training_of(standing: Standing) -> str:
    """What one command would train again: all arms of one experiment with one base."""
    if not standing.reuse:
        return standing.name
    settings = {key: value for key, value in standing.settings.items() if key != ARM}
    return f"{standing.reuse.base} {settings}"

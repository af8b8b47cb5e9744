"""What a transfer experiment says, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dtrain.display.console import Sentence
from dtrain.display.results import next_step, reference
from dtrain.display.tables import duration, percent, percent_interval, points_interval, table_of_numbers
from dtrain.experiment.transfer import Stage

if TYPE_CHECKING:
    from dtrain.studies.transfer_report import TransferReport


def describe_transfer(report: TransferReport) -> Iterator[RenderableType]:
    """Yields what was reused and how it was trained, each arm, the differences, the verdict, and what to do next."""
    dropped = f", dropped: {_names(report.dropped)}" if report.dropped else ""
    new = f", new: {', '.join(map(str, report.hidden))} units" if report.hidden else ""
    classes = " and ".join(report.class_names) if len(report.class_names) == 2 else ""
    task = classes or f"{len(report.class_names)} classes"
    yield Text(f"base {report.base}, reused: {_names(report.reused)}{dropped}{new}")
    yield Text(
        f"task {report.dataset}: {task}, {report.labelled:,} labelled images for "
        f"{'one seed' if len(report.seeds) == 1 else f'each of {len(report.seeds)} seeds'}, "
        f"{report.test_images:,} test images"
    )
    yield Text(f"images scaled: {report.scaling} ({report.scaling_origin})")
    for arm in report.arms:
        if arm.name != "random":
            yield Text(f"{arm.words}: {'; '.join(map(_stage, arm.stages))}")
    yield Text()
    yield _arms(report)
    if any(one.difference for one in report.contrasts):
        yield Text()
        yield _contrasts(report)
        yield Text("95% intervals over seeds, which vary labelled images, first weights and order.")
        yield Text("Those of all differences hold together, each p is that of one alone; r: correlation.")
        if report.diverged:
            yield Text("Accuracies and differences are over the seeds that did not diverge.")
    yield Text()
    yield from _ending(report)


def _ending(report: TransferReport) -> Iterator[RenderableType]:
    models = ", ".join(f"model.{one}" for one in report.saved)
    of_seed = f"; {models} of seed {report.saved_seed}" if models else ""
    yield f"metrics, picture and report {report.folder}{of_seed}"
    diverged = f", {report.diverged} diverged" if report.diverged else ""
    trainings = len(report.arms) * len(report.seeds)
    yield Text(f"{trainings} training{'' if trainings == 1 else 's'} in {duration(report.seconds)}{diverged}")
    yield Sentence(report.verdict, "verdict", "bold")
    yield next_step(f"dtrain show {reference(report.folder / report.arms[0].name)}", "each seed of the reused layers")


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _stage(stage: Stage) -> str:
    epochs = f"{stage.epochs} epoch{'s' if stage.epochs > 1 else ''}"
    return f"{epochs} {'' if stage.name == 'scratch' else stage.name + ' '}at {stage.learning_rate:g}"


def _arms(report: TransferReport) -> Table:
    table = table_of_numbers("", *_seeds_heading(report), "test accuracy", "95% interval", "lowest", "highest")
    for arm in report.arms:
        measured, seeds = arm.measured, _seeds(report, len(arm.measured))
        if arm.mean is None:
            table.add_row(arm.words, *seeds, "diverged")
            continue
        interval = percent_interval(arm.interval) if arm.interval else ""
        table.add_row(arm.words, *seeds, percent(arm.mean), interval, percent(min(measured)), percent(max(measured)))
    return table


def _contrasts(report: TransferReport) -> Table:
    words: dict[str, str] = {arm.name: arm.words for arm in report.arms}
    table = table_of_numbers("\nreused layers minus", "\npoints", "\n95% interval", "t test\np", "exact\np", "\nr")
    for one in report.contrasts:
        if one.difference:
            numbers = one.difference.t_probability, one.difference.exact_probability, one.correlation
            shown = ["" if number is None else f"{number:.2g}" for number in numbers]
            table.add_row(words[one.second], f"{100 * one.difference.mean:+.2f}", points_interval(one.interval), *shown)
    return table


def _seeds_heading(report: TransferReport) -> tuple[str, ...]:
    """Returns the heading of how many seeds a number is over, which is told where any training diverged."""
    return ("seeds",) if report.diverged else ()


def _seeds(report: TransferReport, count: int) -> tuple[str, ...]:
    return (f"{count} of {len(report.seeds)}",) if report.diverged else ()

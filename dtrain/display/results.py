"""What each workflow found, for people to read, part by part."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dtrain.display.console import Sentence
from dtrain.display.tables import MOST_LINES, EpochTable, bare_table, duration, number, percent, percent_interval
from dtrain.runs.folder import CONFIG
from dtrain.runs.ownership import RESUMABLE

if TYPE_CHECKING:
    from dtrain.runs.ownership import Status
    from dtrain.runs.results import RunResult, SeedsResult, SplitResult
    from dtrain.workflows.data import DataReport
    from dtrain.workflows.evaluate import EvaluationReport
    from dtrain.workflows.show import RunReport, SeedsReport
    from dtrain.workflows.validate import ValidationReport

Parts = Iterator[RenderableType]
"""Strings are printed as they are, however long; anything else is fitted to the terminal."""

DEFAULT_RUNS_DIR = Path("runs")
MOST_CLASSES_IN_TEXT = 20
ADVISED_SEEDS = 6
"""The fewest of which an exact test can find a difference."""
MISTAKES_IN_TEXT = 5


def describe_run(result: RunResult) -> Parts:
    """Yields how good the model is, and what to do next."""
    yield f"run folder {result.folder}"
    yield from _describe_result(result)
    if "keras" in result.saved:
        yield next_step(f"dtrain evaluate {reference(result.folder)}", "what it gets wrong")
    if not result.departures:
        yield next_step(
            f"dtrain run {_quoted(result.folder / CONFIG)} --seeds {ADVISED_SEEDS}", "how much of it is chance"
        )


def describe_seeds(result: SeedsResult) -> Parts:
    """Yields a line for each seed, the means with their intervals, and what to do next."""
    yield f"run folder {result.folder}"
    yield from _describe_seeds(result)
    yield next_step(f"dtrain show {reference(result.folder)}", "the same again, and where the pictures are")


def describe_validation(report: ValidationReport) -> Parts:
    """Yields the resolved experiment as the text of a file, with what else there is to say as comments."""
    epochs = report.experiment.training.epochs
    sizes = "parameters and steps depend on the images, which were not read"
    if report.parameters is not None and report.steps_per_epoch is not None:
        sizes = (
            f"{report.parameters:,} parameters; up to {report.steps_per_epoch:,} steps an epoch, "
            f"{report.steps_per_epoch * epochs:,} in all"
        )
    advised = f"; the lesson advises against {len(report.advice)} of its choices" if report.advice else ""
    yield f"# {report.source} is right{advised}"
    yield f"# {sizes}"
    for notice in report.notices:
        yield f"# notice: {notice}"
    yield report.resolved.rstrip("\n")


def describe_run_report(report: RunReport) -> Parts:
    """Yields how a run is doing, its epochs, its result where it has one, and where its pictures are."""
    done = f"epoch {len(report.metrics)} of {report.epochs}"
    yield from _describe_status(report.folder, report.status, f"{done}, seed {report.seed}")
    if len(report.metrics) > MOST_LINES:
        yield f"the last {MOST_LINES:,} epochs; all are in metrics.jsonl"
    epochs = [dict(one, seconds=took) for one, took in zip(report.metrics, report.seconds, strict=True)]
    yield EpochTable(epochs, MOST_LINES)
    if report.status.state in RESUMABLE:
        begins = f"from step {report.saved_step:,}" if report.saved_step else "from the first step"
        yield next_step(f"dtrain resume {reference(report.folder)}", f"goes on {begins}")
    if report.result:
        yield from _describe_result(report.result)
    for picture in report.pictures:
        yield f"picture {picture}"


def describe_seeds_report(report: SeedsReport) -> Parts:
    """Yields how a run of several seeds is doing, a line for each seed, the means, and where the pictures are."""
    begun = f"{len(report.runs)} of {_seeds(report.planned)}" if report.planned else _seeds(len(report.runs))
    yield from _describe_status(report.folder, report.status, f"{begun} begun")
    for run in report.runs:
        if run.result is None:
            last = run.metrics[-1] if run.metrics else {}
            accuracy = f", val accuracy {percent(last['val_accuracy'])}" if "val_accuracy" in last else ""
            yield f"seed {run.seed}: {run.status.state}, epoch {len(run.metrics)} of {run.epochs}{accuracy}"
    if report.status.state in RESUMABLE:
        yield next_step(f"dtrain resume {reference(report.folder)}", "goes on with the seeds that have not ended")
    if report.result:
        yield from _describe_seeds(report.result)
    for run in report.runs:
        for picture in run.pictures:
            yield f"picture {picture}"


def describe_evaluation(report: EvaluationReport) -> Parts:
    """Yields how good a model is, class by class, what it takes for what, and its worst mistakes."""
    yield f"model of {report.run}"
    yield from _accuracy(f"{report.split} accuracy", report.overall)
    yield Text(f"{report.split} loss {number(report.overall.loss)}")
    yield Text()
    yield _class_table(report)
    if len(report.classes) <= MOST_CLASSES_IN_TEXT:
        yield Text("\nimages of each class (line) taken for each class (column)")
        yield _confusion_table(report)
    if report.mistakes:
        yield Text("\nthe worst mistakes, by how sure the model was")
    for one in report.mistakes[:MISTAKES_IN_TEXT]:
        yield Text(f"{one.label} taken for {one.prediction}, {one.sureness} sure, image #{one.image}")
    yield f"\npictures and report {report.folder}"
    yield from _accuracy(f"{report.split} accuracy", report.overall)


def describe_data(report: DataReport) -> Parts:
    """Yields where each data set is, and how to get those that are not here."""
    table = bare_table()
    table.add_column("data set", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("where", no_wrap=True)
    for one in report.sets:
        state = Text("verified", "green") if one.verified else Text("missing" if one.path is None else "damaged", "red")
        table.add_row(one.name, state, f"{one.size / 1e6:.1f} MB" if one.path else "", one.origin)
    yield table
    for one in report.sets:
        yield f"{one.name}: {one.path if one.verified else _a_line_each(one.problem)}"
    for one in report.sets:
        if one.path is None:
            yield next_step(f"dtrain data fetch {one.name}", "download it")


def _a_line_each(problem: str) -> str:
    """Puts the places where a data set is not one below the other."""
    return problem.replace("not found: ", "not found; ").replace("; ", "\n  ")


def _describe_result(result: RunResult) -> Parts:
    yield from _accuracy("test accuracy", result.test)
    yield from _accuracy("validation accuracy", result.validation)
    early = ", stopped early" if result.stopped_early else ""
    by = f" by {result.monitor}" if result.monitor else ""
    yield Text(f"best epoch {result.best_epoch} of {result.epochs}{by}{early}")
    trained = f"{duration(result.seconds['train'])} of training ({result.engine})"
    yield Text(f"{trained}, {duration(sum(result.seconds.values()))} in all; {result.parameters:,} parameters")
    for departure in result.departures:
        yield Text(f"not what `dtrain run` on its config.yaml would give: {departure}", "yellow")
    if result.suggestion and not result.departures:
        yield _variation(result.folder, result.suggestion.hint, result.suggestion.message)


def _describe_seeds(result: SeedsResult) -> Parts:
    table = bare_table()
    monitor = result.runs[0].monitor
    best = f"best epoch\nby {monitor}" if monitor else "best\nepoch"
    for heading in ("\nseed", "validation\naccuracy", "test\naccuracy", best, "\nepochs", "training\nseconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in result.runs:
        accuracies = percent(run.validation.accuracy), percent(run.test.accuracy)
        table.add_row(str(run.seed), *accuracies, str(run.best_epoch), str(run.epochs), f"{run.seconds['train']:.1f}")
    yield table
    seeds = _seeds(len(result.runs))
    for name, mean, interval in (
        ("test", result.test_accuracy, result.test_interval),
        ("validation", result.validation_accuracy, result.validation_interval),
    ):
        ends = f"95% interval {percent_interval(interval)}, " if interval else ""
        yield Text.assemble((f"mean {name} accuracy {percent(mean)}", "bold"), f" ({ends}{seeds})")
    yield from _balanced("mean test accuracy", [run.test for run in result.runs])
    if result.diverged:
        them = "it" if result.diverged == 1 else "them"
        yield Text(f"{_seeds(result.diverged)} diverged; the means leave {them} out, so they flatter", "yellow")
    yield Text(
        "The intervals cover the chance of the seed: first weights, order of the images, noise. They do not cover "
        "the chance of which images were held out."
        if result.test_interval
        else "One seed says nothing about the spread over seeds."
    )
    suggested = {(one.suggestion.hint, one.suggestion.rule) if one.suggestion else None for one in result.runs}
    for hint, rule in filter(None, suggested if len(suggested) == 1 else ()):
        yield _variation(result.folder, hint, f"{rule} with every seed", "--seeds", str(len(result.runs)))


def _variation(folder: Path, change: str, reason: str, *options: str) -> Sentence:
    return next_step(shlex.join(["dtrain", "run", str(folder / CONFIG), change, *options]), reason)


def _seeds(number: int) -> str:
    return "1 seed" if number == 1 else f"{number} seeds"


def _describe_status(folder: Path, status: Status, done: str) -> Parts:
    colours = {"completed": "green", "created": "blue", "running": "blue"}
    yield Text.assemble((str(folder), "bold"), ": ", (status.state, colours.get(status.state, "red")), f", {done}")
    heard = f"last heartbeat {status.heartbeat[:19].replace('T', ' ')} UTC, {duration(status.heartbeat_age)} ago"
    if status.state in ("created", "running"):
        yield Text(f"process {status.pid} on {status.host}; {heard}")
    elif status.state == "died":
        yield Text(f"process {status.pid} is gone from {status.host}; {heard}")
    if status.reason:
        yield Text(status.reason)


def _accuracy(name: str, split: SplitResult) -> Parts:
    interval = f"95% interval {percent_interval(split.accuracy_interval)}, {split.images:,} images"
    yield Text.assemble((f"{name} {percent(split.accuracy)}", "bold"), f" ({interval})")
    yield from _balanced(name, [split])


def _balanced(name: str, splits: Sequence[SplitResult]) -> Parts:
    """Yields the mean over the classes too where one class is so frequent that accuracy says little of the others."""
    balanced = [one.balanced_accuracy for one in splits if one.balanced_accuracy is not None]
    if balanced and (majority := splits[0].majority) is not None:
        them = f"the mean over the classes; one class alone has {percent(majority)} of the images"
        yield Text.assemble((f"balanced {name} {percent(fmean(balanced))}", "bold"), f" ({them})")


def _class_table(report: EvaluationReport) -> Table:
    table = bare_table()
    table.add_column("class", overflow="fold")
    for heading in ("images", "accuracy", "95% interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in report.classes:
        accuracy = percent(one.accuracy) if one.accuracy is not None else ""
        interval = percent_interval(one.accuracy_interval) if one.accuracy_interval else ""
        table.add_row(one.name, f"{one.images:,}", accuracy, interval)
    return table


def _confusion_table(report: EvaluationReport) -> Table:
    table = bare_table(gap=1)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for label in range(len(report.classes)):
        table.add_column(str(label), justify="right", no_wrap=True)
    for label, (one, row) in enumerate(zip(report.classes, report.confusion, strict=True)):
        cells = [
            Text(str(count) if count else ".", "bold" if column == label else "") for column, count in enumerate(row)
        ]
        table.add_row(f"{label} {one.name}", *cells)
    return table


def reference(folder: Path) -> str:
    """Returns how a command finds a run: by its name where no --runs-dir is needed, else by its path.

    Args:
        folder: The run folder.
    """
    return _quoted(Path(folder.name) if folder.parent == DEFAULT_RUNS_DIR else folder)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def next_step(command: str, purpose: str) -> Sentence:
    """Returns a command that may follow.

    Args:
        command: As it is typed.
        purpose: What it is good for.
    """
    return Sentence(f"{command}  # {purpose}", "next")

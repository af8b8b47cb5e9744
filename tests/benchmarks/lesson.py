"""The lesson's published single results beside ours over seeds: python -m tests.benchmarks.lesson [ROW...]

Without ROW every row is trained anew, which takes about an hour on two cores; with ROW only those are, and the others
stay as they were measured. Reads the full Fashion-MNIST set; writes lesson.json (each seed's accuracies) and lesson.md.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict
from unittest.mock import patch

import numpy as np

from dtrain.data.images import ImageSet
from dtrain.data.sources import load_images
from dtrain.display.progress import progress
from dtrain.experiment.config.loading import load_experiment
from dtrain.ground.files import write
from dtrain.monte_carlo.source import Request
from dtrain.statistics.intervals import Interval, mean_interval, t_quantile
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.workflows.mc_predict import mc_predict
from dtrain.workflows.run import run_seeds
from tests.benchmarks.lesson_rows import COMMON, ROWS, Row

SEEDS, VALIDATION = 6, 5000
MEASURED, TABLE = Path(__file__).with_suffix(".json"), Path(__file__).with_suffix(".md")


class Accuracies(TypedDict):
    """Each seed's accuracy of the model after the last epoch; no validation where only the test was published."""

    validation: list[float]
    test: list[float]


def main(wanted: Sequence[str]) -> None:
    """Trains the rows wanted, or all, and writes the table after each.

    Args:
        wanted: Names of rows.
    """
    unknown = set(wanted) - {row.name for row in ROWS}
    if unknown:
        sys.exit(f"got {', '.join(sorted(unknown))}; expected some of {', '.join(row.name for row in ROWS)}")
    measured: dict[str, Accuracies] = json.loads(MEASURED.read_text()) if wanted and MEASURED.exists() else {}
    for row in ROWS:
        if not wanted or row.name in wanted:
            measured[row.name] = _train(row)
            write(MEASURED, json.dumps(measured, indent=1).encode())
            write(TABLE, table_of(measured).encode())
            print(_line(row, measured[row.name]), flush=True)


def _train(row: Row) -> Accuracies:
    experiment = load_experiment(None, [*COMMON, *row.changes])
    data_dir = os.environ.get("DTRAIN_DATA_DIR")
    # dtrain's split takes the first images: turned round, the published split is the same code's
    load = _last_first if row.last_images else load_images
    with (
        patch("dtrain.trials.workshop.load_images", load),
        patch("dtrain.trials.trained_run.load_images", load),
        tempfile.TemporaryDirectory() as folder,
        progress(quiet=True, seeds=SEEDS) as observer,
    ):
        options = RunOptions(Path(folder), name="lesson", data_dir=Path(data_dir) if data_dir else None)
        runs = run_seeds(experiment, SEEDS, options, observer).runs
        if row.passes:
            asked = dataclasses.replace(options, name=None)
            requests = [Request(str(one.folder), row.passes) for one in runs]
            return Accuracies(validation=[], test=[_of_passes(one, asked, observer) for one in requests])
    return Accuracies(validation=[one.validation.accuracy for one in runs], test=[one.test.accuracy for one in runs])


def _of_passes(request: Request, options: RunOptions, observer: RunObserver) -> float:
    comparison = mc_predict(request, options, observer).comparison
    assert comparison
    return comparison.mc.accuracy.value


def _last_first(*arguments: Any) -> ImageSet:
    """Loads a data set with the last of its training images before the others."""
    images = load_images(*arguments)
    order = np.roll(np.arange(len(images.train_labels)), VALIDATION)
    return dataclasses.replace(images, train_images=images.train_images[order], train_labels=images.train_labels[order])


def table_of(measured: dict[str, Accuracies]) -> str:
    """Returns the text of lesson.md.

    Args:
        measured: What was measured, by the names of rows.
    """
    rows = [row for row in ROWS if row.name in measured]
    outside = sum(_agreement(row, measured[row.name]) != "yes" for row in rows)
    chance = 1 - sum(math.comb(len(rows), k) * 0.05**k * 0.95 ** (len(rows) - k) for k in range(outside))
    lines = [_line(row, measured[row.name]) for row in rows]
    return HEAD.format(rows=len(rows), outside=outside, chance=chance) + "\n".join(lines) + "\n"


HEAD = f"""\
# The lesson's results, ours beside them

Made by `python -m tests.benchmarks.lesson` on the full Fashion-MNIST set: {SEEDS} seeds from 42, 55,000 training
images, 5,000 held out for validation (the first, in the H rows the last, as published), the model after the last epoch.
A published number is one training with one seed. *Agrees* says whether it lies where one more of our seeds would be
expected, in the 95% prediction interval of our {SEEDS} seeds (Student's t). Of {{rows}} rows {{outside}} lie outside;
were they independent, as many or more would by chance alone in {{chance:.0%}} of such tables.

| row | setting | published | ours, mean (95% interval) | one more seed | agrees | test: published, ours | remark |
|---|---|---|---|---|---|---|---|
"""


def _line(row: Row, accuracies: Accuracies) -> str:
    published, ours = _compared(row, accuracies)
    next_seed = _prediction_interval(ours)
    test = f"{row.test:.4f}, " if row.test else ""
    return (
        f"| {row.name} | {row.setting} | {published:.4f} | {_mean(ours)} "
        f"| {next_seed.low:.4f} to {next_seed.high:.4f} | {_agreement(row, accuracies)} "
        f"| {test}{_mean(accuracies['test'])} | {row.remark} |"
    )


def _compared(row: Row, accuracies: Accuracies) -> tuple[float, list[float]]:
    """Returns what was published and our seeds: of the validation images, or the test's where there is nothing else."""
    if row.validation is not None:
        return row.validation, accuracies["validation"]
    assert row.test is not None
    return row.test, accuracies["test"]


def _agreement(row: Row, accuracies: Accuracies) -> str:
    published, ours = _compared(row, accuracies)
    next_seed = _prediction_interval(ours)
    if next_seed.low <= published <= next_seed.high:
        return "yes"
    return "lower" if statistics.fmean(ours) < published else "higher"


def _mean(values: Sequence[float]) -> str:
    mean, interval = mean_interval(values)
    assert interval is not None
    return f"{mean:.4f} ({interval.low:.4f} to {interval.high:.4f})"


def _prediction_interval(values: Sequence[float]) -> Interval:
    """Where one more value would be expected with 95% probability: mean +- t s sqrt(1 + 1/n), of normal values."""
    half = t_quantile(0.975, len(values) - 1) * statistics.stdev(values) * math.sqrt(1 + 1 / len(values))
    return Interval(statistics.fmean(values) - half, statistics.fmean(values) + half)


if __name__ == "__main__":
    main(sys.argv[1:])

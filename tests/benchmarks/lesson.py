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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict
from unittest.mock import patch

import numpy as np

from dtrain.config import load_experiment
from dtrain.data.images import ImageSet
from dtrain.data.sources import load_images
from dtrain.display.progress import progress
from dtrain.run_interface import RunOptions
from dtrain.statistics import Interval, mean_interval, t_quantile
from dtrain.storage import write
from dtrain.workflows.run import run_seeds

SEEDS, VALIDATION = 6, 5000
MEASURED, TABLE = Path(__file__).with_suffix(".json"), Path(__file__).with_suffix(".md")


class Accuracies(TypedDict):
    """Each seed's accuracy of the model after the last epoch."""

    validation: list[float]
    test: list[float]


@dataclass(frozen=True)
class Row:
    """One published result.

    Args:
        name: Its number among the lesson's results.
        setting: What was trained, in words.
        changes: The same as overrides of the default experiment, beyond those of `COMMON`.
        validation: Published accuracy on 5,000 validation images after the last epoch; None where there is none.
        test: Published accuracy on the test images; None where there is none.
        last_images: Whether the last training images were held out for validation, not the first.
        remark: What differs from the published setting, or explains a difference.
    """

    name: str
    setting: str
    changes: tuple[str, ...]
    validation: float | None = None
    test: float | None = None
    last_images: bool = False
    remark: str = ""


COMMON = (
    "dataset=fashion_mnist",
    "normalization=none",
    "regularizer=[]",
    "schedule=constant",
    "training.early_stopping=null",
    "initializer=glorot_uniform",
    "activation=relu",
    "seed=42",
)
"""The lesson trains to the last epoch with Keras's defaults; each row says what it changes."""

SELU = ("activation=selu", "initializer=lecun_normal", "dataset.scaling=standardize")
ELU = ("activation=elu", "initializer=he_normal", "dataset.scaling=standardize")
DEEP = ("network=" + json.dumps([300] + [100] * 99), "optimizer={kind: sgd, learning_rate: 0.001}", "training.epochs=5")
BATCH_NORM = ("optimizer={kind: sgd, learning_rate: 0.001}", "training.epochs=10")
THREE_HIDDEN = ("network=[100, 100, 100]", "initializer=he_normal", "training.epochs=10")
TWO_HIDDEN = (
    "network=[100, 100]",
    "initializer=he_normal",
    "optimizer={kind: sgd, learning_rate: 0.01, momentum: 0.9}",
    "training.epochs=10",
)
PIECEWISE = "schedule={kind: piecewise, boundaries: [5, 15], values: [0.01, 0.005, 0.001]}"


def _optimizer(name: str, what: str, optimizer: str, validation: float, remark: str = "") -> Row:
    return Row(name, f"3 x 100 ReLU, {what}", (*THREE_HIDDEN, f"optimizer={optimizer}"), validation, None, True, remark)


ROWS = (
    Row(
        "G1",
        "300-100 leaky ReLU 0.3, SGD 0.001",
        ("activation={kind: leaky_relu, negative_slope: 0.3}", "initializer=he_normal", *BATCH_NORM),
        0.8396,
    ),
    Row("G2", "300-100 PReLU, SGD 0.001", ("activation=prelu", "initializer=he_normal", *BATCH_NORM), 0.8398),
    Row("G3", "100 layers, SELU, LeCun", (*SELU, *DEEP), 0.8218, remark="published between 0.8046 and 0.8358"),
    Row(
        "G4",
        "100 layers, ReLU, He",
        ("dataset.scaling=standardize", "initializer=he_normal", *DEEP),
        0.7380,
        remark="published between 0.5702 and 0.7380",
    ),
    Row(
        "G5",
        "300-100 ReLU, batch norm on inputs and after",
        ("normalization={kind: batch_norm, inputs: true}", *BATCH_NORM),
        0.8750,
    ),
    Row(
        "G6",
        "300-100 ReLU, batch norm on inputs and before",
        ("normalization={kind: batch_norm, inputs: true, position: before}", *BATCH_NORM),
        0.8660,
    ),
    Row(
        "G10",
        "300-100 SELU, power schedule, SGD 0.01",
        (*SELU, "optimizer=sgd", "schedule={kind: power, decay_steps: 10000}", "training.epochs=25"),
        0.8924,
    ),
    Row(
        "G11",
        "300-100 SELU, exponential by epoch, Nadam 0.01",
        (
            *SELU,
            "optimizer={kind: nadam, learning_rate: 0.01}",
            "schedule={kind: exponential, every: epoch}",
            "training.epochs=25",
        ),
        0.8928,
    ),
    Row(
        "G12",
        "300-100 SELU, exponential by step, Nadam 0.01",
        (*SELU, "optimizer={kind: nadam, learning_rate: 0.01}", "schedule=exponential", "training.epochs=25"),
        0.8880,
    ),
    Row(
        "G13",
        "300-100 SELU, piecewise constant, Nadam",
        (*SELU, "optimizer={kind: nadam, learning_rate: 0.01}", PIECEWISE, "training.epochs=25"),
        0.8868,
    ),
    Row(
        "G14",
        "300-100 SELU, performance schedule, momentum 0.02",
        (
            *SELU,
            "optimizer={kind: sgd, learning_rate: 0.02, momentum: 0.9}",
            "schedule=performance",
            "training.epochs=25",
        ),
        0.8936,
    ),
    Row(
        "G15",
        "300-100 SELU, exponential by step, SGD 0.01",
        (*SELU, "optimizer=sgd", "schedule=exponential", "training.epochs=25"),
        0.8904,
    ),
    Row(
        "G16",
        "300-100 SELU, 1cycle to 0.05, SGD, batch 128",
        (
            *SELU,
            "optimizer={kind: sgd, learning_rate: 0.05}",
            "schedule=one_cycle",
            "training.epochs=25",
            "training.batch_size=128",
        ),
        0.8934,
    ),
    Row(
        "G17", "300-100 ELU, l2 0.01, Nadam", (*ELU, "regularizer=[l2]", "optimizer=nadam", "training.epochs=2"), 0.8376
    ),
    Row(
        "G18",
        "300-100 ELU, dropout 0.2, Nadam",
        (*ELU, "regularizer=[{kind: dropout, rate: 0.2}]", "optimizer=nadam", "training.epochs=2"),
        0.8722,
    ),
    Row(
        "G19",
        "300-100 SELU, alpha dropout 0.2, Nesterov 0.01",
        (
            *SELU,
            "regularizer=[{kind: alpha_dropout, rate: 0.2}]",
            "optimizer={kind: sgd, learning_rate: 0.01, momentum: 0.9, nesterov: true}",
            "training.epochs=20",
        ),
        0.8760,
        0.8639,
    ),
    Row(
        "G21",
        "300-100 SELU, max-norm 1, Nadam",
        (*SELU, "regularizer=[{kind: max_norm, value: 1}]", "optimizer=nadam", "training.epochs=2"),
        0.8662,
    ),
    _optimizer("H1", "momentum 0.9", "{kind: sgd, learning_rate: 0.001, momentum: 0.9}", 0.8672),
    _optimizer("H2a", "Nesterov", "{kind: sgd, learning_rate: 0.001, momentum: 0.9, nesterov: true}", 0.8708),
    _optimizer("H2b", "Adagrad", "{kind: adagrad, learning_rate: 0.001}", 0.8424),
    _optimizer("H2c", "RMSprop", "{kind: rmsprop, learning_rate: 0.001}", 0.8636),
    _optimizer("H2d", "Adam", "{kind: adam, learning_rate: 0.001}", 0.8696),
    _optimizer("H3a", "Adamax", "{kind: adamax, learning_rate: 0.001}", 0.8780),
    _optimizer("H3b", "Nadam", "{kind: nadam, learning_rate: 0.001}", 0.8740),
    _optimizer(
        "H3c",
        "AdamW, decay 1e-5",
        "{kind: adamw, learning_rate: 0.001, weight_decay: 1.0e-5}",
        0.8702,
        "a decay of rate x 1e-5 a step is below the precision of float32: these are Adam's weights",
    ),
    Row(
        "H4a",
        "3 x 100 ReLU, power schedule, SGD 0.01",
        (*THREE_HIDDEN, "optimizer=sgd", "schedule={kind: power, decay_steps: 10000}"),
        0.8714,
        last_images=True,
    ),
    Row(
        "H4b",
        "3 x 100 ReLU, exponential over 20,000 steps, SGD 0.01",
        (*THREE_HIDDEN, "optimizer=sgd", "schedule={kind: exponential, decay_epochs: 11.635}"),
        0.8662,
        last_images=True,
    ),
    Row(
        "H4c",
        "3 x 100 ReLU, SGD 0.01",
        (*THREE_HIDDEN, "optimizer=sgd"),
        0.8716,
        last_images=True,
        remark="the published piecewise schedule drops at step 50,000, after the end of 10 epochs",
    ),
    Row(
        "H5a",
        "3 x 100 ReLU, exponential by epoch, SGD 0.01",
        (*THREE_HIDDEN, "optimizer=sgd", "schedule={kind: exponential, every: epoch}", "training.epochs=25"),
        0.8812,
        last_images=True,
    ),
    Row(
        "H5b",
        "3 x 100 ReLU, exponential by step, SGD 0.01",
        (*THREE_HIDDEN, "optimizer=sgd", "schedule=exponential", "training.epochs=25"),
        0.8802,
        last_images=True,
    ),
    Row(
        "H5c",
        "3 x 100 ReLU, performance schedule, SGD 0.01",
        (*THREE_HIDDEN, "optimizer=sgd", "schedule=performance", "training.epochs=25"),
        0.8868,
        last_images=True,
    ),
    Row(
        "H5d",
        "3 x 100 ReLU, piecewise constant, Nadam",
        (*THREE_HIDDEN, "optimizer={kind: nadam, learning_rate: 0.01}", PIECEWISE, "training.epochs=25"),
        0.8770,
        last_images=True,
    ),
    Row(
        "H6",
        "3 x 100 ReLU, 1cycle to 0.1, SGD, batch 128",
        (
            *THREE_HIDDEN,
            "optimizer={kind: sgd, learning_rate: 0.1}",
            "schedule=one_cycle",
            "training.epochs=25",
            "training.batch_size=128",
        ),
        0.8920,
        last_images=True,
    ),
    Row(
        "H7",
        "2 x 100 ReLU, dropout 0.2, momentum 0.01",
        (*TWO_HIDDEN, "regularizer=[{kind: dropout, rate: 0.2}]"),
        0.8732,
        0.8700,
        last_images=True,
    ),
    Row(
        "H9",
        "2 x 100 ReLU, max-norm 1, momentum 0.01",
        (*TWO_HIDDEN, "regularizer=[{kind: max_norm, value: 1}]"),
        0.8578,
        last_images=True,
    ),
)


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
            write(TABLE, _table(measured).encode())
            print(_line(row, measured[row.name]), flush=True)


def _train(row: Row) -> Accuracies:
    experiment = load_experiment(None, [*COMMON, *row.changes])
    data_dir = os.environ.get("DTRAIN_DATA_DIR")
    # dtrain's split takes the first images: turned round, the published split is the same code's
    load = _last_first if row.last_images else load_images
    with (
        patch("dtrain.session.load_images", load),
        tempfile.TemporaryDirectory() as folder,
        progress(quiet=True, seeds=SEEDS) as observer,
    ):
        options = RunOptions(Path(folder), data_dir=Path(data_dir) if data_dir else None)
        runs = run_seeds(experiment, SEEDS, options, observer).runs
    return Accuracies(validation=[one.validation.accuracy for one in runs], test=[one.test.accuracy for one in runs])


def _last_first(*arguments: Any) -> ImageSet:
    """Loads a data set with the last of its training images before the others."""
    images = load_images(*arguments)
    order = np.roll(np.arange(len(images.train_labels)), VALIDATION)
    return dataclasses.replace(images, train_images=images.train_images[order], train_labels=images.train_labels[order])


def _table(measured: dict[str, Accuracies]) -> str:
    lines = [_line(row, measured[row.name]) for row in ROWS if row.name in measured]
    return HEAD + "\n".join(lines) + "\n"


HEAD = f"""\
# The lesson's results, ours beside them

Made by `python -m tests.benchmarks.lesson` on the full Fashion-MNIST set: {SEEDS} seeds from 42, 55,000 training
images, 5,000 held out for validation (the first, in the H rows the last, as published), the model after the last epoch.
A published number is one training with one seed. *Agrees* says whether it lies where one more of our seeds would be
expected, in the 95% prediction interval of our {SEEDS} seeds (Student's t); of {len(ROWS)} rows one or two are
expected to lie outside by chance alone.

| row | setting | published | ours, mean (95% interval) | one more seed | agrees | test: published, ours | remark |
|---|---|---|---|---|---|---|---|
"""


def _line(row: Row, accuracies: Accuracies) -> str:
    mean, interval = mean_interval(accuracies["validation"])
    assert interval is not None
    next_seed = _prediction_interval(accuracies["validation"])
    test, test_interval = mean_interval(accuracies["test"])
    assert test_interval is not None
    published = row.validation or 0.0
    agrees = "yes" if next_seed.low <= published <= next_seed.high else "lower" if mean < published else "higher"
    return (
        f"| {row.name} | {row.setting} | {published:.4f} | {mean:.4f} ({interval.low:.4f} to {interval.high:.4f}) "
        f"| {next_seed.low:.4f} to {next_seed.high:.4f} | {agrees} "
        f"| {f'{row.test:.4f}, ' if row.test else ''}{test:.4f} ({test_interval.low:.4f} to {test_interval.high:.4f}) "
        f"| {row.remark} |"
    )


def _prediction_interval(values: Sequence[float]) -> Interval:
    """Where one more value would be expected with 95% probability: mean +- t s sqrt(1 + 1/n), of normal values."""
    half = t_quantile(0.975, len(values) - 1) * statistics.stdev(values) * math.sqrt(1 + 1 / len(values))
    return Interval(statistics.fmean(values) - half, statistics.fmean(values) + half)


if __name__ == "__main__":
    main(sys.argv[1:])

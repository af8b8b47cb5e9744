"""Monte Carlo dropout: speed and memory beside stacked Keras passes, and the lesson's experiment over seeds.

`python -m tests.benchmarks.mc_predict speed` or `... lesson`; without a word both. It reads the full Fashion-MNIST set,
and ends with 1 where the passes take a larger share of the stacked ones, or more memory, than promised.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.data.scaling import fit_scaling
from dtrain.data.sources import load_images
from dtrain.display.progress import progress
from dtrain.experiment.spec import Experiment
from dtrain.monte_carlo.passes import sample
from dtrain.monte_carlo.source import Request
from dtrain.monte_carlo.stochastic_model import StochasticModel
from dtrain.statistics.intervals import mean_interval
from dtrain.trials.request import RunOptions
from dtrain.workflows.mc_predict import mc_predict
from dtrain.workflows.run import run_seeds

Array = npt.NDArray[Any]

SAMPLES, REPEATS, SEEDS = 100, 5, 8
RATIO, MEGABYTES = 0.45, 1200
"""What is promised, of 10,000 images x 100 passes: the median of the ratios, and the most memory."""
LESSON = {
    "dataset": "fashion_mnist",
    "network": [100, 100],
    "activation": "relu",
    "initializer": "he_normal",
    "normalization": "none",
    "optimizer": {"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": False},
    "schedule": "constant",
    "regularizer": {"kind": "dropout", "rate": 0.2},
    "training": {"epochs": 10},
}
"""The lesson's own: dropout 0.2 in front of each layer, 10 epochs without early stopping."""


def _data_dir() -> Path | None:
    folder = os.environ.get("DTRAIN_DATA_DIR")
    return Path(folder) if folder else None


def speed() -> bool:
    """Prints memory and seconds of both ways for 10,000 images; returns whether they are more than promised.

    The two ways alternate, and the first of each does not count. The memory is that of this process behind a whole
    `mc-predict`, with measures and pictures, and before Keras's passes are stacked for the first time.
    """
    model = _network()
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True) as observer:
        path = Path(folder) / "model.keras"
        model.save(path)
        options = RunOptions(Path(folder) / "runs", data_dir=_data_dir())
        mc_predict(Request(str(path), SAMPLES, dataset="fashion_mnist"), options, observer)
    megabytes = _peak_megabytes()
    print(f"peak memory: {megabytes:.0f} MB; promised: {MEGABYTES} MB")
    image_set = load_images("fashion_mnist", _data_dir())
    ratio = _median_ratio(model, image_set.test_images, image_set.test_labels)
    print(f"median of the ratios: {ratio:.2f}; promised: {RATIO}")
    return ratio > RATIO or megabytes > MEGABYTES


def _peak_megabytes() -> float:
    """Returns the most memory that this process ever had; macOS counts bytes, Linux kilobytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def _median_ratio(model: keras.Model, images: Array, labels: Array) -> float:
    """Prints the seconds of each pair of ways, and returns the median of their ratios."""
    scaling = fit_scaling("unit", images)
    scaled = tf.constant(scaling.apply(images))
    stochastic = StochasticModel(model, "softmax", scaling, "benchmark")
    print(f"{len(images):,} images x {SAMPLES} passes | dtrain, s | stacked, s | ratio")
    ratios = []
    for repeat in range(REPEATS + 1):
        began = time.perf_counter()
        sample(stochastic, images, labels, SAMPLES, 42, lambda batch: None)
        ours = time.perf_counter() - began
        began = time.perf_counter()
        np.stack([model(scaled, training=True).numpy() for _ in range(SAMPLES)])
        stacked = time.perf_counter() - began
        if repeat:
            ratios.append(ours / stacked)
            print(f"{ours:.2f} | {stacked:.2f} | {ratios[-1]:.2f}", flush=True)
    return statistics.median(ratios)


def _network() -> keras.Model:
    layers: list[keras.layers.Layer] = [keras.Input((28, 28)), keras.layers.Flatten()]
    for units in (300, 100):
        layers += [keras.layers.Dropout(0.2), keras.layers.Dense(units, "relu", kernel_initializer="he_normal")]
    return keras.Sequential([*layers, keras.layers.Dropout(0.2), keras.layers.Dense(10, "softmax")])


def lesson() -> None:
    """Prints what the lesson's network gets right with dropout off and on, seed by seed and in the mean."""
    experiment = Experiment.model_validate(LESSON)
    print(
        "| seed | off | on, mean of 100 | gain, points | log loss off | on | calibration error off | on | p (McNemar) |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    columns: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True, seeds=SEEDS) as observer:
        options = RunOptions(Path(folder), name="lesson", data_dir=_data_dir())
        results = run_seeds(experiment, SEEDS, options, observer).runs
        for result in results:
            asked = RunOptions(Path(folder), data_dir=_data_dir())
            report = mc_predict(Request(str(result.folder), SAMPLES), asked, observer)
            assert report.comparison and report.mcnemar
            off, on = report.comparison.plain, report.comparison.mc
            row = [off.accuracy.value, on.accuracy.value, 100 * (on.accuracy.value - off.accuracy.value)]
            row += [off.log_loss.value, on.log_loss.value, off.calibration_error.value, on.calibration_error.value]
            columns.append(row)
            cells = " | ".join(f"{value:+.2f}" if place == 2 else f"{value:.4f}" for place, value in enumerate(row))
            print(f"| {result.seed} | {cells} | {report.mcnemar.probability:.2g} |", flush=True)
    print(f"| mean | {' | '.join(_mean(list(column)) for column in zip(*columns, strict=True))} | |")


def _mean(values: list[float]) -> str:
    mean, interval = mean_interval(values)
    return f"{mean:.4f} ({interval.low:.4f} to {interval.high:.4f})" if interval else f"{mean:.4f}"


def main() -> int:
    """Measures what is asked for; returns 1 where anything is more than promised, else 0."""
    asked = sys.argv[1:] or ["speed", "lesson"]
    missed = "speed" in asked and speed()
    if "lesson" in asked:
        lesson()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

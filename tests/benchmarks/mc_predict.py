"""Monte Carlo dropout: speed beside stacked Keras passes, and the lesson's experiment over seeds.

`python -m tests.benchmarks.mc_predict speed` or `... lesson`; without a word both. It reads the full Fashion-MNIST set.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from dtrain.data.scaling import fit_scaling
from dtrain.data.sources import load_images
from dtrain.display.progress import progress
from dtrain.monte_carlo import StochasticModel
from dtrain.run_interface import RunOptions
from dtrain.sampling import sample
from dtrain.spec import Experiment
from dtrain.statistics import mean_interval
from dtrain.workflows.mc_predict import mc_predict
from dtrain.workflows.run import run_seeds
from dtrain.workflows.stochastic_source import Request

SAMPLES, REPEATS, SEEDS = 100, 3, 8
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


def speed(samples: int = SAMPLES, repeats: int = REPEATS) -> None:
    """Prints seconds of both ways for 10,000 images, alternating; the first of each does not count."""
    images = load_images("fashion_mnist", _data_dir()).test_images
    labels = load_images("fashion_mnist", _data_dir()).test_labels
    model, scaling = _network(), fit_scaling("unit", images)
    scaled = tf.constant(scaling.apply(images))
    stochastic = StochasticModel(model, "softmax", scaling, "benchmark")
    rows: list[tuple[float, float]] = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        sample(stochastic, images, labels, samples, 42, lambda batch: None)
        ours = time.perf_counter() - began
        if not rows:
            print(f"peak memory before Keras's own: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")
        began = time.perf_counter()
        np.stack([model(scaled, training=True).numpy() for _ in range(samples)])
        rows.append((ours, time.perf_counter() - began))
    print(f"{len(images):,} images x {samples} passes | dtrain, s | stacked, s | ratio")
    for ours, stacked in rows[1:]:
        print(f"{ours:.2f} | {stacked:.2f} | {ours / stacked:.2f}", flush=True)


def _network() -> keras.Model:
    layers: list[keras.layers.Layer] = [keras.Input((28, 28)), keras.layers.Flatten()]
    for units in (300, 100):
        layers += [keras.layers.Dropout(0.2), keras.layers.Dense(units, "relu", kernel_initializer="he_normal")]
    return keras.Sequential([*layers, keras.layers.Dropout(0.2), keras.layers.Dense(10, "softmax")])


def lesson(seeds: int = SEEDS) -> None:
    """Prints what the lesson's network gets right with dropout off and on, seed by seed and in the mean."""
    experiment = Experiment.model_validate(LESSON)
    print(
        "| seed | off | on, mean of 100 | gain, points | log loss off | on | calibration error off | on | p (McNemar) |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    columns: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True, seeds=seeds) as observer:
        options = RunOptions(Path(folder), name="lesson", data_dir=_data_dir())
        results = run_seeds(experiment, seeds, options, observer).runs
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


def main() -> None:
    """Measures what is asked for."""
    for name, part in (("speed", speed), ("lesson", lesson)):
        if name in (sys.argv[1:] or [name]):
            part()


if __name__ == "__main__":
    main()

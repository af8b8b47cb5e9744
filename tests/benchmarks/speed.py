"""Seconds per epoch of dtrain and of `model.fit`, same model, one run: python -m tests.benchmarks.speed

The epochs of the two alternate, so that a machine that slows down slows both; the first epoch of each, which compiles,
does not count. Needs a full data set: DTRAIN_DATA_DIR, the Keras cache or a download.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.data.prepare import Data, prepare
from dtrain.data.sources import load_images
from dtrain.engine import backend
from dtrain.experiment.spec import Experiment

EPOCHS = 5

PLAIN: dict[str, Any] = {
    "dataset": "fashion_mnist",
    "schedule": "constant",
    "optimizer": {"kind": "sgd", "momentum": 0.9},
    "regularizer": [],
}
SETTINGS: dict[str, tuple[float, dict[str, Any]]] = {
    "dense 300-100": (0.30, {}),
    "dense 300-100, batch norm": (0.35, {"normalization": "batch_norm"}),
    "dense 20 x 100, batch norm": (
        0.35,
        {"network": {"depth": 20, "width": 100}, "normalization": "batch_norm", "optimizer": "nadam"},
    ),
    "dense 300-100, dropout 0.2": (0.35, {"regularizer": "dropout"}),
    "convolutions 16-32, dense 64": (0.75, {"network": {"filters": [16, 32], "hidden": [64]}}),
}


def main() -> None:
    """Prints a table of medians, ratios and their spread."""
    backend.start("cpu")
    dataset = Experiment.model_validate({"dataset": "fashion_mnist"}).dataset
    data_dir = os.environ.get("DTRAIN_DATA_DIR")
    data = prepare(dataset, load_images(dataset.name, Path(data_dir) if data_dir else None))
    print(
        f"Fashion-MNIST, {len(data.train.labels):,} images, batch 32, {os.cpu_count()} cores, {EPOCHS - 1} epochs each"
    )
    print("| network | fit, s per epoch | dtrain, s per epoch | ratio (smallest to largest) | target |")
    print("|---|---|---|---|---|")
    for name, (target, settings) in SETTINGS.items():
        fit, ours = _epochs_of(Experiment.model_validate(PLAIN | settings), data)
        ratios = [one / other for one, other in zip(ours, fit, strict=True)]
        print(
            f"| {name} | {statistics.median(fit):.2f} | {statistics.median(ours):.2f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {target:.2f} |",
            flush=True,
        )


def _epochs_of(experiment: Experiment, data: Data) -> tuple[list[float], list[float]]:
    """Returns seconds per epoch of `model.fit` and of dtrain, second epoch on."""
    fit, ours = fit_epoch(experiment, data), our_epoch(experiment, data)
    pairs = [(_seconds(fit), _seconds(ours)) for _ in range(EPOCHS)][1:]
    return [one for one, _ in pairs], [other for _, other in pairs]


def _seconds(epoch: Callable[[], object]) -> float:
    began = time.perf_counter()
    epoch()
    return time.perf_counter() - began


def fit_epoch(experiment: Experiment, data: Data) -> Callable[[], object]:
    """Returns what trains an epoch with `model.fit`."""
    import keras

    from dtrain.engine.model import build_model, stock_model

    model = stock_model(build_model(experiment, data.image_shape, len(data.class_names), experiment.seed))
    optimizers = {name.lower(): getattr(keras.optimizers, name) for name in dir(keras.optimizers)}
    optimizer = optimizers[experiment.optimizer.kind](**experiment.optimizer.settings())
    model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    images = data.scaling.apply(data.train.images)
    return lambda: model.fit(images, data.train.labels, batch_size=experiment.training.batch_size, verbose=0)


def our_epoch(experiment: Experiment, data: Data) -> Callable[[], object]:
    """Returns what trains an epoch with dtrain's engine."""
    from dtrain.engine.epoch import Engine, choose_compiler
    from dtrain.engine.model import build_model
    from dtrain.engine.objectives import Classification

    convolutional = experiment.network.kind == "conv"
    engine = Engine(
        build_model(experiment, data.image_shape, len(data.class_names), experiment.seed),
        experiment.optimizer.build(),
        Classification("softmax"),
        data.train,
        data.scaling,
        experiment.training.batch_size,
        choose_compiler("auto", convolutional=convolutional, device="cpu"),
    )
    steps = engine.steps_per_epoch
    rates, momenta = np.full(steps, experiment.optimizer.learning_rate), np.full(steps, 0.9)
    generator = np.random.default_rng(0)
    return lambda: engine.train(generator.permutation(engine.examples), rates, momenta, 1, 0, 0, steps)


if __name__ == "__main__":
    main()

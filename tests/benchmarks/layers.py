"""What measuring layers adds to an epoch of 20 x 100, dense: python -m tests.benchmarks.layers

Epochs with and without it alternate in one process, so that a machine that slows down slows both; the first of each,
which compiles, does not count. Needs a full data set: DTRAIN_DATA_DIR, the Keras cache or a download. Ends with 1 where
the measures cost more than promised while no unit is dead.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.data.prepare import Data, prepare
from dtrain.data.sources import load_images
from dtrain.engine import backend
from dtrain.experiment.spec import Experiment

EPOCHS = 6
PROMISED = 0.10
"""Of an epoch."""
PLAIN: dict[str, Any] = {
    "dataset": "fashion_mnist",
    "network": {"depth": 20, "width": 100},
    "schedule": "constant",
    "optimizer": {"kind": "sgd", "learning_rate": 0.001, "momentum": 0.9},
    "regularizer": [],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "20 x 100, ELU, batch norm": {"normalization": "batch_norm"},
    "20 x 100, ReLU, batch norm": {"normalization": "batch_norm", "activation": "relu"},
    "20 x 100, ReLU, no normalization": {"normalization": "none", "activation": "relu"},
}


def main() -> int:
    """Prints a table; returns 1 where the measures cost more than promised."""
    backend.start("cpu")
    data_dir = os.environ.get("DTRAIN_DATA_DIR")
    dataset = Experiment.model_validate(PLAIN).dataset
    data = prepare(dataset, load_images(dataset.name, Path(data_dir) if data_dir else None))
    print(
        f"Fashion-MNIST, {len(data.train.labels):,} images, batch 32, {os.cpu_count()} cores, {EPOCHS - 1} epochs each"
    )
    print("| network | epoch, s | measures, s | of the epoch (smallest to largest) | dead units | compiling, s |")
    print("|---|---|---|---|---|---|")
    too_slow = False
    for name, settings in SETTINGS.items():
        epochs, measures, dead = _seconds(Experiment.model_validate(PLAIN | settings), data)
        shares = [one / other for one, other in zip(measures[1:], epochs[1:], strict=True)]
        middle = statistics.median(shares)
        print(
            f"| {name} | {statistics.median(epochs[1:]):.2f} | {statistics.median(measures[1:]):.3f} "
            f"| {middle:.1%} ({min(shares):.1%} to {max(shares):.1%}) | {dead:.0f} | {measures[0]:.1f} |",
            flush=True,
        )
        too_slow |= not dead and middle > PROMISED
    return int(too_slow)


def _seconds(experiment: Experiment, data: Data) -> tuple[list[float], list[float], float]:
    """Returns the seconds of epochs, of what is measured at the end of each, and how many units are dead at last."""
    from dtrain.engine.epoch import Engine
    from dtrain.engine.layer_log import LayerLog
    from dtrain.engine.model import build_model
    from dtrain.engine.objectives import Classification

    model = build_model(experiment, data.image_shape, len(data.class_names), experiment.seed)
    engine = Engine(model, experiment.optimizer.build(), Classification("softmax"), data.train, data.scaling, 32, "xla")
    log, steps, generator = LayerLog(engine, first_step=-100), engine.steps_per_epoch, np.random.default_rng(0)
    rates, momenta = np.full(steps, experiment.optimizer.learning_rate), np.full(steps, 0.9)
    epochs, measures = [], []
    for number in range(EPOCHS):
        order, first = generator.permutation(engine.examples), number * steps
        train = partial(engine.train, order, rates, momenta, 1, first)
        epochs.append(_timed(partial(train, 0, steps)))
        with_last = _timed(partial(_measured, log, order, first, steps - 2, train))
        without = _timed(partial(train, steps - 2, steps - 1))
        measures.append(with_last - without + _timed(log.end_epoch))
    return epochs, measures, float(np.nansum(log.records()["dead_units"][-1]))


def _measured(log: Any, order: Any, first: int, step: int, train: Callable[[int, int], object]) -> None:
    with log.measuring(order, 1, first, step):
        train(step, step + 1)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())

"""Is a suggested learning rate as good as the best of a grid, and is it found fast? python -m tests.benchmarks.lr_find

The suggestion and every rate of the grid train for the same few epochs at a constant rate, with the same seeds, none of
which the search has seen; what counts is the mean of their validation accuracies. Before the table, a whole search is
timed. Numbers of settings as arguments (`python -m tests.benchmarks.lr_find 3 7`, counted from 1) measure only these,
and `speed` only the time. It ends with 1 where fewer suggestions than promised are good, one of them diverges, or the
search takes longer than promised.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.display.progress import progress
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DivergedError
from dtrain.rates.search_range import RateRange
from dtrain.runs.catalogue import create_run
from dtrain.studies.rate_search import constant, range_test, search_rates, validation_accuracy
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.trials.trial import Trial, own_trial, prepare_trial
from dtrain.trials.workshop import Workshop
from dtrain.workflows.lr_find import search_into

EPOCHS, STEPS, SEEDS = 2, 500, (1, 2, 3)
"""At least so many epochs, and at least so many steps: two epochs of 200 images are too few to tell rates apart."""
GRID = np.geomspace(1e-5, 1, 11)
WITHIN, PROMISED = 0.02, 0.9
TIMED, SECONDS = 5, 2.0
"""Searches that are timed, and how long their median may take."""

PLAIN: dict[str, Any] = {"schedule": "constant", "regularizer": []}

NESTEROV = {"kind": "sgd", "momentum": 0.9, "nesterov": True}
DEEP, CONV = {"depth": 8, "width": 64}, {"filters": [8, 16], "hidden": [64]}
NO, BN = {"normalization": "none"}, {"normalization": "batch_norm"}
FASHION, MNIST = {"dataset": {"name": "fashion_mnist_sample"}}, {"dataset": {"name": "mnist_sample"}}


def two(data: dict[str, Any], first: int, second: int) -> dict[str, Any]:
    """Returns the data with two of its classes only."""
    return {"dataset": data["dataset"] | {"classes": [first, second]}}


def few(data: dict[str, Any]) -> dict[str, Any]:
    """Returns the first 200 training images of the data."""
    return {"dataset": data["dataset"] | {"train_limit": 200}}


SETTINGS: dict[str, dict[str, Any]] = {
    "300-100, SGD, Fashion": {"optimizer": "sgd"} | NO | FASHION,
    "300-100, Nesterov, Fashion": {"optimizer": NESTEROV} | NO | FASHION,
    "300-100, Adam, Fashion": {"optimizer": "adam"} | NO | FASHION,
    "300-100, Adagrad, Fashion": {"optimizer": "adagrad"} | NO | FASHION,
    "300-100, batch norm, SGD, Fashion": {"optimizer": "sgd"} | BN | FASHION,
    "300-100, batch norm, Nesterov, Fashion": {"optimizer": NESTEROV} | BN | FASHION,
    "300-100, batch norm, RMSprop, Fashion": {"optimizer": "rmsprop"} | BN | FASHION,
    "8 x 64, batch norm, Nesterov, Fashion": {"optimizer": NESTEROV, "network": DEEP} | BN | FASHION,
    "8 x 64, Nadam, Fashion": {"optimizer": "nadam", "network": DEEP} | NO | FASHION,
    "8 x 64, SELU, Nesterov, Fashion": {"optimizer": NESTEROV, "network": DEEP, "activation": "selu"} | NO | FASHION,
    "300-100, SGD, MNIST": {"optimizer": "sgd"} | NO | MNIST,
    "300-100, batch norm, Nadam, MNIST": {"optimizer": "nadam"} | BN | MNIST,
    "300-100, ReLU, dropout, AdamW, MNIST": {"optimizer": "adamw", "activation": "relu", "regularizer": "dropout"}
    | NO
    | MNIST,
    "8 x 64, ReLU, SGD, MNIST": {"optimizer": "sgd", "activation": "relu", "network": DEEP} | NO | MNIST,
    "300-100, L2, Adamax, MNIST": {"optimizer": "adamax", "regularizer": "l2"} | NO | MNIST,
    "convolutions, Adam, Fashion": {"optimizer": "adam", "network": CONV} | NO | FASHION,
    "convolutions, batch norm, Nesterov, Fashion": {"optimizer": NESTEROV, "network": CONV} | BN | FASHION,
    "300-100, Nesterov, batch 4, MNIST": {"optimizer": NESTEROV, "training": {"batch_size": 4}} | NO | MNIST,
    "300-100, batch norm, Adam, batch 8, Fashion": {"optimizer": "adam", "training": {"batch_size": 8}} | BN | FASHION,
    "8 x 64, SGD, batch 8, Fashion": {"optimizer": "sgd", "network": DEEP, "training": {"batch_size": 8}}
    | NO
    | FASHION,
    "300-100, Nesterov, pullover or coat": {"optimizer": NESTEROV} | NO | two(FASHION, 2, 4),
    "300-100, RMSprop, 4 or 9": {"optimizer": "rmsprop"} | NO | two(MNIST, 4, 9),
    "300-100, batch norm, Adam, sneaker or dress": {"optimizer": "adam"} | BN | two(FASHION, 7, 3),
    "300-100, Nadam, 200 images, Fashion": {"optimizer": "nadam"} | NO | few(FASHION),
    "300-100, batch norm, Nesterov, 200 images, MNIST": {"optimizer": NESTEROV} | BN | few(MNIST),
    "300-100, SGD, 200 images, 1 or 7": {"optimizer": "sgd"} | NO | few(two(MNIST, 1, 7)),
    "300-100, Adadelta, Fashion": {"optimizer": "adadelta"} | NO | FASHION,
    "300-100, Lion, Fashion": {"optimizer": "lion"} | NO | FASHION,
    "300-100, Lamb, Fashion": {"optimizer": "lamb"} | NO | FASHION,
    "300-100, Muon, Fashion": {"optimizer": "muon"} | NO | FASHION,
    "300-100, Adafactor, Fashion": {"optimizer": "adafactor"} | NO | FASHION,
    "300-100, Ftrl, Fashion": {"optimizer": "ftrl"} | NO | FASHION,
}


@dataclass(frozen=True)
class Outcome:
    """What one setting gave.

    Args:
        suggestion: The suggested rate; None where it was refused.
        reason: Why it was refused.
        accuracy: Mean validation accuracy at the suggestion; None where it was refused or any seed diverged.
        grid: The same for each rate of the grid.
        seconds: Of the search alone, on an epoch that is compiled.
    """

    suggestion: float | None
    reason: str
    accuracy: float | None
    grid: tuple[float | None, ...]
    seconds: float

    @property
    def best(self) -> float:
        """The best accuracy of the grid; 0 where every rate failed."""
        return max((one for one in self.grid if one is not None), default=0.0)

    @property
    def hit(self) -> bool:
        """Whether the suggestion is as good as it must be; a refusal is right only where nothing worked."""
        if self.suggestion is None:
            return self.best == 0
        return self.accuracy is not None and self.accuracy >= self.best - WITHIN


def main() -> int:
    """Measures what is asked for; returns 1 where anything falls short of what is promised, else 0."""
    asked = sys.argv[1:]
    missed = []
    if not asked or "speed" in asked:
        missed.append(speed())
    chosen = [int(number) - 1 for number in asked if number != "speed"]
    if chosen or not asked:
        missed.append(table(chosen or list(range(len(SETTINGS)))))
    return int(any(missed))


def speed() -> bool:
    """Prints the seconds of whole searches on an epoch that is compiled; returns whether they are too many.

    A whole search reads the data, trains with every seed, and writes its report and its picture.
    """
    experiment = Experiment.model_validate(PLAIN | NO | FASHION | {"optimizer": "sgd"})
    search, measured = RateRange().planned(experiment), []
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True) as observer:
        options = RunOptions(Path(folder))
        trial, workshop = _compiled(experiment, options, observer)
        for _ in range(TIMED):
            began = time.perf_counter()
            prepare_trial(experiment, Workshop(options, observer))
            search_into(create_run(options.runs_dir, name=None, stem="timed"), trial, workshop, search)
            measured.append(time.perf_counter() - began)
    median, spread = statistics.median(measured), f"{min(measured):.2f} to {max(measured):.2f}"
    batch, units = experiment.training.batch_size, "dense 300-100"
    print(f"a whole search, {units}, {search.seeds} seeds x {search.iterations} steps, batch {batch}: ", end="")
    print(f"median {median:.2f} s of {TIMED} ({spread}); promised: {SECONDS} s", flush=True)
    return median > SECONDS


def table(chosen: list[int]) -> bool:
    """Prints a line for each chosen setting and the share of hits; returns whether they are too few."""
    names = list(SETTINGS)
    print(
        f"validation accuracy after {EPOCHS} epochs, or {STEPS} steps, at a constant rate; mean of {len(SEEDS)} seeds"
    )
    print("| setting | suggestion | its accuracy | best of grid (rate) | within 2 points | search, s |")
    print("|---|---|---|---|---|---|", flush=True)
    outcomes, began = [], time.perf_counter()
    for number in chosen:
        outcomes.append(measure(SETTINGS[names[number]]))
        print(_line(names[number], outcomes[-1]), flush=True)
    hits = sum(one.hit for one in outcomes)
    diverged = sum(one.suggestion is not None and one.accuracy is None for one in outcomes)
    searching, all_seconds = sum(one.seconds for one in outcomes), time.perf_counter() - began
    print(f"within 2 points: {hits} of {len(outcomes)} ({hits / len(outcomes):.0%}); diverged: {diverged}")
    print(f"searches: {searching:.1f} s; everything: {all_seconds:.0f} s")
    return hits < PROMISED * len(outcomes) or diverged > 0


def _compiled(experiment: Experiment, options: RunOptions, observer: RunObserver) -> tuple[Trial, Workshop]:
    """Returns the trial of an experiment, and a workshop in which its epoch is compiled."""
    workshop = Workshop(options, observer)
    trial = prepare_trial(experiment, workshop)
    range_test(trial, workshop, np.full(1, 1e-9))
    return trial, workshop


def measure(techniques: dict[str, Any]) -> Outcome:
    """Returns the suggestion of one setting and the accuracies of it and of the grid."""
    experiment = Experiment.model_validate(PLAIN | techniques)
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True) as observer:
        trial, workshop = _compiled(experiment, RunOptions(Path(folder)), observer)
        began = time.perf_counter()
        _, found = search_rates(trial, workshop, RateRange().planned(experiment))
        seconds = time.perf_counter() - began
        accuracy = None if found.rate is None else _accuracy(trial, workshop, found.rate)
        grid = tuple(_accuracy(trial, workshop, float(rate)) for rate in GRID)
    return Outcome(found.rate, found.reason, accuracy, grid, seconds)


def _accuracy(trial: Trial, workshop: Workshop, rate: float) -> float | None:
    """Returns the mean validation accuracy over the seeds, or None where one of them diverged."""
    accuracies = []
    experiment = trial.experiment
    steps = -(-len(trial.data.train.labels) // experiment.training.batch_size)
    epochs = max(EPOCHS, -(-STEPS // steps))
    for seed in SEEDS:
        tried = constant(experiment, rate, epochs).model_copy(update={"seed": seed})
        try:
            accuracies.append(validation_accuracy(own_trial(tried, trial.whole), workshop))
        except DivergedError:
            return None
    return float(np.mean(accuracies))


def _line(name: str, one: Outcome) -> str:
    best = GRID[[one.best if value is None else value for value in one.grid].index(one.best)]
    suggestion = f"refused: {one.reason}" if one.suggestion is None else f"{one.suggestion:.2g}"
    accuracy = "" if one.accuracy is None else f"{one.accuracy:.3f}"
    verdict = "yes" if one.hit else "**no**"
    return f"| {name} | {suggestion} | {accuracy} | {one.best:.3f} ({best:.2g}) | {verdict} | {one.seconds:.2f} |"


if __name__ == "__main__":
    sys.exit(main())

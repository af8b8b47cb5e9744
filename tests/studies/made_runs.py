"""Run folders as a training leaves them, without one: with the accuracies that a test asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.runs.catalogue import create_run
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import RunResult, SplitResult
from dtrain.statistics.intervals import wilson_interval

IMAGES = 200


def split(accuracy: float) -> SplitResult:
    correct = round(accuracy * IMAGES)
    return SplitResult(0.5, correct / IMAGES, wilson_interval(correct, IMAGES), IMAGES, majority=0.1)


def measured(epoch: int, **changed: float | None) -> dict[str, Any]:
    """Returns a line of metrics.jsonl."""
    measures: dict[str, float | None] = dict.fromkeys(
        ("loss", "accuracy", "val_accuracy", "learning_rate", "gradient_norm"), 0.5
    )
    measures |= {"step": 10 * epoch, "penalty": 0.0, "val_loss": 1 / epoch, "momentum": None}
    return {"epoch": epoch} | measures | changed


def fill(
    folder: RunFolder,
    seed: int,
    validation: float,
    test: float,
    written: Mapping[str, Any] | None = None,
    *,
    wrong_first: bool = True,
    digest: str = "abc123",
    epochs: int = 3,
    more: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Completes a run.

    Args:
        folder: An empty run folder.
        seed: Its seed.
        validation: Validation accuracy.
        test: Test accuracy, of 200 images.
        written: What its experiment file said.
        wrong_first: Whether the first images are those that its model gets wrong, or the last.
        digest: Of its data.
        epochs: How many it trained.
        more: What else its summary says.
    """
    folder.write_config(dump_experiment(Experiment.model_validate({**(written or {}), "seed": seed})))
    for epoch in range(1, epochs + 1):
        folder.append_metrics(measured(epoch, val_accuracy=validation - 0.1 / epoch))
        folder.append_timing({"epoch": epoch, "seconds": 0.5})
    result = RunResult(
        folder.path,
        seed,
        best_epoch=epochs,
        epochs=epochs,
        parameters=10,
        train=split(validation),
        validation=split(validation),
        test=split(test),
        seconds={"train": 1.5},
        engine="graph",
        stopped_early=False,
    )
    summary = asdict(result) | {"dataset_digest": digest} | dict(more or {})
    del summary["folder"]
    folder.write_summary(summary)
    wrong = np.arange(IMAGES) < IMAGES - result.test.accuracy * IMAGES - 1e-9
    predicted = (wrong if wrong_first else wrong[::-1]).astype(np.int64)
    folder.write_predictions(np.eye(2)[predicted], np.zeros(IMAGES, np.int64))
    folder.write_status("completed")
    return folder


def single(runs_dir: Path, name: str, seed: int, accuracy: float, **more: Any) -> RunFolder:
    """Makes a run of one seed with the same accuracy on both splits."""
    return fill(create_run(runs_dir, name=name, stem=""), seed, accuracy, accuracy, **more)


def several(runs_dir: Path, name: str, tests: Sequence[float], first: int = 42, **more: Any) -> RunFolder:
    """Makes a folder of seeds from `first` upwards with these test accuracies; those of validation are 0.01 higher."""
    parent = create_run(runs_dir, name=name, stem="", kind="seeds")
    for seed, accuracy in enumerate(tests, start=first):
        fill(parent.seed_folder(seed), seed, accuracy + 0.01, accuracy, **more)
    parent.write_status("completed", seeds=len(tests))
    return parent

"""Test accuracy of the default experiment on the full sets, over seeds: python -m tests.benchmarks.quality"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dtrain.display.progress import progress
from dtrain.experiment.config.loading import load_experiment
from dtrain.trials.request import RunOptions
from dtrain.workflows.run import run_seeds

SEEDS = 3
TARGETS = {"fashion_mnist": 0.885, "mnist": 0.98}


def main() -> None:
    """Prints mean, interval and single results on each data set."""
    data_dir = os.environ.get("DTRAIN_DATA_DIR")
    print("| default experiment on | test accuracy (95% interval over seeds) | each seed | target |")
    print("|---|---|---|---|")
    for dataset, target in TARGETS.items():
        with tempfile.TemporaryDirectory() as folder, progress(quiet=True, seeds=SEEDS) as observer:
            options = RunOptions(Path(folder), data_dir=Path(data_dir) if data_dir else None)
            result = run_seeds(load_experiment(None, [f"dataset={dataset}"]), SEEDS, options, observer)
        interval = result.test_interval
        assert interval is not None
        each = ", ".join(f"{one.test.accuracy:.4f}" for one in result.runs)
        mean = f"{result.test_accuracy:.4f} ({interval.low:.4f} to {interval.high:.4f})"
        print(f"| {dataset} | {mean} | {each} | {target} |", flush=True)


if __name__ == "__main__":
    main()

"""What reuse is worth, over seeds: the tables of docs/transfer.md, printed by python -m tests.benchmarks.transfer [H5]

With the lesson's model A as an H5 file both tables are printed, without it only the one of our own bases. It reads the
full Fashion-MNIST set, and takes about ten minutes on two cores.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dtrain.display.progress import progress
from dtrain.experiment.config.loading import load_experiment
from dtrain.statistics.significance import paired_difference
from dtrain.studies.transfer_report import ArmReport
from dtrain.studies.transfer_source import Request
from dtrain.trials.request import RunOptions
from dtrain.workflows.run import run
from dtrain.workflows.transfer import transfer

SEEDS = 6
CONFIGS = Path(__file__).parents[2] / "configs"
HEAD = "reuse | from scratch | random layers | reuse - scratch | reuse - random |\n|---|---|---|---|---|---|"
RATES = {
    "0.03; 0.03; 0.003 (the default)": [],
    "0.001 throughout, as the lesson's code": [
        "optimizer.learning_rate=0.001",
        "transfer.frozen_learning_rate=0.001",
        "transfer.unfrozen_learning_rate=0.001",
    ],
    "0.001; 0.01; 0.0001, as its text": [
        "optimizer.learning_rate=0.001",
        "transfer.frozen_learning_rate=0.01",
        "transfer.unfrozen_learning_rate=0.0001",
    ],
}
OTHER_BASE, OTHER_TASK = ["dataset.classes=[1,3,4,5,6,7,8,9]"], ["dataset.classes=[0,2]"]
TASKS = {"sandal or shirt": ([], []), "T-shirt or pullover": (OTHER_BASE, OTHER_TASK)}
BASES = {
    "dense (`transfer_model_a.yaml`)": ("transfer_model_a", "transfer_task_b"),
    "convolutional (`transfer_conv_a.yaml`)": ("transfer_conv_a", "transfer_conv_b"),
}


def main(files: Sequence[str]) -> None:
    """Prints the tables.

    Args:
        files: The lesson's base, or nothing.
    """
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True, seeds=SEEDS) as observer:
        data_dir = os.environ.get("DTRAIN_DATA_DIR")
        options = RunOptions(Path(folder), data_dir=Path(data_dir) if data_dir else None)

        def row(words: str, task: str, changes: list[str], base: Path, seeds: int = SEEDS) -> None:
            experiment = load_experiment(CONFIGS / f"{task}.yaml", changes)
            arms = transfer(experiment, Request(base, seeds), options, observer).arms
            print(f"| {words} | {' | '.join(_cells(arms))} |", flush=True)

        for file in files:
            print(f"| rates: control; frozen; unfrozen | {HEAD}")
            for words, changes in RATES.items():
                row(words, "transfer_task_b", changes, Path(file))
        print(f"| base and task | {HEAD}")
        for task_words, (of_base, of_task) in TASKS.items():
            for words, (model, task) in BASES.items():
                base = run(load_experiment(CONFIGS / f"{model}.yaml", of_base), options, observer).folder
                row(f"{words}, {task_words}", task, of_task, base)
        row("the same, `--seeds 12`", task, of_task, base, 12)


def _cells(arms: tuple[ArmReport, ...]) -> Iterator[str]:
    for arm in arms:
        assert arm.interval
        yield f"{arm.mean:.4f} ({arm.interval.low:.4f} to {arm.interval.high:.4f})"
    reused, *controls = arms
    for control in controls:
        found = paired_difference(reused.measured, control.measured)
        interval = found.interval(0.95)
        assert interval
        ends = f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}"
        yield f"{100 * found.mean:+.2f} ({ends}), p = {found.exact_probability:.2g}"


if __name__ == "__main__":
    main(sys.argv[1:])

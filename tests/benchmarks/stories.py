"""Measures every bundled experiment over seeds and writes its result into its head: python -m tests.benchmarks.stories

With names of experiments, such as `one_cycle`, only these are trained. All of them take about ten minutes on two cores.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dtrain.config import load_experiment
from dtrain.display.progress import progress
from dtrain.run_interface import RunOptions
from dtrain.storage import write
from dtrain.workflows.run import run_seeds

SEEDS = 6
CONFIGS = Path(__file__).parents[2] / "configs"
RESULT = re.compile(r"# Test accuracy .*\n")


def main(wanted: Sequence[str]) -> None:
    """Trains the experiments and rewrites the second line of each file.

    Args:
        wanted: Names of experiments; none is all.
    """
    for path in sorted(CONFIGS.glob("*.yaml")):
        if (path.stem not in wanted and wanted) or not path.read_text().startswith("# dtrain run "):
            continue
        line = _measure(path)
        command, rest = path.read_text().split("\n", 1)
        write(path, f"{command}\n{line}\n{RESULT.sub('', rest)}".encode())
        print(f"{path.stem}: {line}", flush=True)


def _measure(path: Path) -> str:
    experiment = load_experiment(path)
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True, seeds=SEEDS) as observer:
        result = run_seeds(experiment, SEEDS, RunOptions(Path(folder)), observer)
    interval = result.test_interval
    assert interval is not None
    return (
        f"# Test accuracy {result.test_accuracy:.3f} ({interval.low:.3f} to {interval.high:.3f}): "
        f"mean and 95% interval of {SEEDS} seeds from {experiment.seed}"
        + (f", {result.diverged} of which diverged" if result.diverged else "")
    )


if __name__ == "__main__":
    main(sys.argv[1:])

"""Time to the first step, time of commands without TensorFlow, and peak memory: python -m tests.benchmarks.startup

Each figure is of a whole process of its own, several times over, and the import of Keras alone is measured beside it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5

FIRST_STEPS = """
import os, sys
from pathlib import Path
from dtrain.experiment.config.loading import load_experiment
from dtrain.display.progress import progress
from dtrain.trials.request import RunOptions
from dtrain.workflows.run import run
with progress(quiet=True) as observer:
    observer.on_progress = lambda step, total: os._exit(0) if step >= 500 else None
    experiment = load_experiment(None, ["dataset=fashion_mnist"])
    data_dir = os.environ.get("DTRAIN_DATA_DIR")
    run(experiment, RunOptions(Path(sys.argv[1]), data_dir=Path(data_dir) if data_dir else None), observer)
"""


def main() -> None:
    """Prints a table of medians and their spread."""
    with tempfile.TemporaryDirectory() as folder:
        typo = Path(folder) / "typo.yaml"
        typo.write_text("optimiser: adam\n")
        dtrain = [sys.executable, "-m", "dtrain"]
        full_run = [*dtrain, "run", "dataset=fashion_mnist", "--quiet", "--runs-dir", folder]
        print("| process | seconds (smallest to largest) | peak memory, MB | target |")
        print("|---|---|---|---|")
        _measure("import keras", [sys.executable, "-c", "import keras"], "")
        _measure(
            "to the end of the first 500 steps, dense 300-100", [sys.executable, "-c", FIRST_STEPS, folder], "+3 s"
        )
        _measure("dtrain --help", [*dtrain, "--help"], "0.6 s")
        _measure("dtrain validate configs/quickstart.yaml", [*dtrain, "validate", "configs/quickstart.yaml"], "0.6 s")
        _measure("dtrain validate, with an error", [*dtrain, "validate", str(typo)], "0.6 s")
        _measure("dtrain run, with an error", [*dtrain, "run", str(typo)], "0.6 s")
        _measure("dtrain run dataset=fashion_mnist, 20 epochs", full_run, "1,600 MB", runs=1)


def _measure(name: str, command: list[str], target: str, runs: int = RUNS) -> None:
    _once(command)
    measured = [_once(command) for _ in range(runs)]
    seconds = [one for one, _ in measured]
    spread = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    print(f"| {name} | {spread} | {max(memory for _, memory in measured):,.0f} | {target} |", flush=True)


def _once(command: list[str]) -> tuple[float, float]:
    """Returns the wall seconds and the peak memory in MB of one process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - began, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()

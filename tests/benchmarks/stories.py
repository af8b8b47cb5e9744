"""Measures every bundled experiment over seeds and writes its result into its head: python -m tests.benchmarks.stories

With names of experiments, such as `one_cycle`, only these are trained. All of them take about 40 minutes on two cores;
those of `dtrain transfer` are on the full data set, looked for in DTRAIN_DATA_DIR first. A line `# 0.850 with CHANGES:`
below the result names a control: the same experiment with these overrides, trained with the same seeds.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dtrain.display.progress import progress
from dtrain.experiment.config.loading import load_experiment
from dtrain.ground.errors import DivergedError
from dtrain.ground.files import write
from dtrain.statistics.intervals import Interval, accuracy_interval
from dtrain.statistics.policy import Policy, Verdict
from dtrain.statistics.verdicts import judge
from dtrain.studies.transfer_source import Request
from dtrain.trials.request import RunOptions
from dtrain.workflows.run import run, run_seeds
from dtrain.workflows.transfer import transfer

SEEDS = 6
CONFIGS = Path(__file__).parents[2] / "configs"
COMMAND = re.compile(r"# dtrain (?:run configs/\S+|transfer configs/\S+ --base runs/(?P<base>\w+)-1(?:/model\.h5)?)")
"""The first line of each file; where a base is needed, it is what the experiment of its name trains."""
CONTROL = r"# \S+ with (\S+=.*): .*\n"
RESULT = re.compile(rf"# Test accuracy .*\n(?:# 0\.\d{{3}} for .*\n|{CONTROL})*")
DATA_DIR = Path(os.environ["DTRAIN_DATA_DIR"]) if "DTRAIN_DATA_DIR" in os.environ else None


def main(wanted: Sequence[str]) -> None:
    """Trains the experiments and rewrites the second line of each file.

    Args:
        wanted: Names of experiments; none is all.
    """
    for path in sorted(CONFIGS.glob("*.yaml")):
        command = COMMAND.match(path.read_text())
        if (path.stem not in wanted and wanted) or not command:
            continue
        line = _measure_transfer(path, command["base"]) if command["base"] else _measure(path)
        first, rest = path.read_text().split("\n", 1)
        write(path, f"{first}\n{line}\n{RESULT.sub('', rest)}".encode())
        print(f"{path.stem}: {line}", flush=True)


def _measure(path: Path) -> str:
    controls = re.findall(CONTROL, path.read_text())
    measured = {changes: _accuracies(path, shlex.split(changes)) for changes in ("", *controls)}
    found = {changes: [one for one in seeds.values() if one is not None] for changes, seeds in measured.items()}
    diverged = SEEDS - len(found[""])
    line = _line(*accuracy_interval(found[""]), min(measured[""])) + f" (--seeds {SEEDS})"
    lines = [f"{line}, {diverged} of which diverged" if diverged else line]
    for one in judge(measured, Policy(tuple((changes, "") for changes in controls))):
        reached = f"{accuracy_interval(found[one.first])[0]:.3f}" if found[one.first] else "nothing"
        lines.append(f"# {reached} with {one.first}: {_beside(one)}")
    return "\n".join(lines)


def _accuracies(path: Path, changes: Sequence[str]) -> dict[int, float | None]:
    """Returns the test accuracy of each seed; None where it diverged."""
    experiment = load_experiment(path, changes)
    accuracies = dict.fromkeys(range(experiment.seed, experiment.seed + SEEDS))
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True, seeds=SEEDS) as observer:
        try:
            runs = run_seeds(experiment, SEEDS, RunOptions(Path(folder), data_dir=DATA_DIR), observer).runs
        except DivergedError:
            runs = ()
    return accuracies | {one.seed: one.test.accuracy for one in runs}


def _beside(control: Verdict) -> str:
    """Returns what may be said of a control beside the story."""
    if control.diverged[0]:
        return f"{control.diverged[0]} of {SEEDS} seeds diverged"
    assert control.interval
    low, high = control.interval.low, control.interval.high
    if control.verdict == "worse":
        low, high = -high, -low
    by = "," if control.verdict == "undecided" else " by"
    return f"{control.verdict}{by} {low:.3f} to {high:.3f}"


def _measure_transfer(path: Path, base: str) -> str:
    experiment = load_experiment(path)
    with tempfile.TemporaryDirectory() as folder, progress(quiet=True, seeds=SEEDS) as observer:
        options = RunOptions(Path(folder), data_dir=DATA_DIR)
        trained = run(load_experiment(CONFIGS / f"{base}.yaml"), options, observer)
        report = transfer(experiment, Request(trained.folder, SEEDS), options, observer)
    reused, *controls = report.arms
    means = ", ".join(f"{arm.mean:.3f} for {arm.words}" for arm in controls)
    assert reused.mean is not None
    return f"{_line(reused.mean, reused.interval, experiment.seed)};\n# {means}"


def _line(mean: float, interval: Interval | None, seed: int) -> str:
    assert interval is not None
    ends = f"{interval.low:.3f} to {interval.high:.3f}"
    return f"# Test accuracy {mean:.3f} ({ends}): mean and 95% interval of {SEEDS} seeds from {seed}"


if __name__ == "__main__":
    main(sys.argv[1:])

"""What an experiment with a base says: every arm over its seeds, the differences between them, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dtrain.experiment.transfer import Arm, Stage
from dtrain.ground.errors import RunConflictError
from dtrain.ground.reading import read_json
from dtrain.runs.folder import TRANSFER, RunFolder, list_runs
from dtrain.runs.ownership import STATES_IN_WORDS, current_status
from dtrain.statistics.intervals import Interval, accuracy_interval
from dtrain.statistics.power import seeds_needed
from dtrain.statistics.significance import Difference, Verdict, paired_difference, verdict_on

ARMS: dict[Arm, str] = {
    "transfer": "reused layers",
    "scratch": "the same network from scratch",
    "random": "random layers, the same stages",
}
"""Every arm, the controls behind the first, in words."""
IN_WORDS: dict[Verdict, str] = {
    "better": "helps",
    "worse": "hurts",
    "no evidence": "gives no evidence that it helps or hurts",
}


@dataclass(frozen=True)
class ArmReport:
    """One arm over all seeds.

    Args:
        name: ``transfer``, or a control: ``scratch`` or ``random``.
        words: What it is.
        stages: What was trained, and how.
        accuracies: Test accuracy of each seed; None where it diverged.
        mean: Over the seeds that did not diverge; None where all did.
        interval: Student's 95% interval of the mean, from 0 to 1; None with fewer than two seeds.
    """

    name: Arm
    words: str
    stages: tuple[Stage, ...]
    accuracies: tuple[float | None, ...]
    mean: float | None
    interval: Interval | None

    @property
    def measured(self) -> tuple[float, ...]:
        """Test accuracy of each seed that did not diverge."""
        return tuple(one for one in self.accuracies if one is not None)

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return len(self.accuracies) - len(self.measured)


@dataclass(frozen=True)
class Contrast:
    """Reused layers beside a control, seed by seed.

    Args:
        control: The control.
        seeds: How many seeds neither of the two lost; the difference is over these alone.
        difference: Reused minus control, in test accuracy.
        verdict: What that says of reuse; each control answers a question of its own, so no probability is corrected.
        seeds_needed: How many would see the observed difference in four of five cases; None where over a thousand.
    """

    control: Arm
    seeds: int
    difference: Difference
    verdict: Verdict
    seeds_needed: int | None


@dataclass(frozen=True)
class TransferReport:
    """What an experiment with a base says.

    Args:
        folder: The folder with models, metrics, picture and this report.
        base: The name of the base.
        digest: SHA-256 of its bytes.
        reused: Its hidden layers that were kept.
        dropped: Its hidden layers that were not.
        hidden: Units of new hidden layers.
        scaling: How images were scaled.
        scaling_origin: Where that is from.
        dataset: The name of the data set.
        class_names: What was told apart.
        labelled: Labelled images of each seed.
        test_images: Images that accuracy was measured on.
        seeds: All seeds.
        arms: Every arm, reused layers first.
        contrasts: Reused layers beside each control that has two seeds or more in common with them.
        verdict: The same in words.
        diverged: Trainings that diverged.
        seconds: Duration of all trainings, compiling included.
        engine: ``graph`` or ``xla``.
        saved: Formats that a model of the reused layers is saved in.
        saved_seed: Its seed: the first that did not diverge.
    """

    folder: Path
    base: str
    digest: str
    reused: tuple[str, ...]
    dropped: tuple[str, ...]
    hidden: tuple[int, ...]
    scaling: str
    scaling_origin: str
    dataset: str
    class_names: tuple[str, ...]
    labelled: int
    test_images: int
    seeds: tuple[int, ...]
    arms: tuple[ArmReport, ...]
    contrasts: tuple[Contrast, ...]
    verdict: str
    diverged: int
    seconds: float
    engine: str
    saved: tuple[str, ...]
    saved_seed: int


Accuracies = Mapping[Arm, Mapping[int, float]]
"""Test accuracy of each seed of each arm; a seed that diverged is left out."""


_REPORT = TypeAdapter(TransferReport)


def read_report(runs_dir: Path, run: str | None) -> TransferReport | None:
    """Returns the report of the experiment that a user means; None where it is no transfer experiment.

    Args:
        runs_dir: Folder of all run folders.
        run: Name or path; None for what was made last, run or experiment with a base.

    Raises:
        RunConflictError: It has not ended, or is damaged.
    """
    for path in _latest(runs_dir) if run is None else (runs_dir / run, Path(run)):
        if (path / TRANSFER).is_file():
            return _read(RunFolder(path))
    return None


def _latest(runs_dir: Path) -> list[Path]:
    experiments = [path.parent for path in runs_dir.glob(f"*/{TRANSFER}") if not path.parent.is_symlink()]
    last = max((*list_runs(runs_dir)[-1:], *map(RunFolder, experiments)), key=lambda one: one.created(), default=None)
    return [last.path] if last else []


def _read(folder: RunFolder) -> TransferReport:
    state = current_status(folder).state
    if state != "completed":
        hint = f"an arm can be shown alone: dtrain show {folder.path / 'transfer'}"
        raise RunConflictError(f"the experiment {STATES_IN_WORDS[state]}", where=str(folder.path), hint=hint)
    try:
        return _REPORT.validate_python(read_json(folder.path / TRANSFER) | {"folder": folder.path})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{TRANSFER} is damaged at {where}: {first['msg']}"
        raise RunConflictError(message, where=str(folder.path)) from error


def contrasts(accuracies: Accuracies) -> tuple[Contrast, ...]:
    """Returns reused layers beside each control, over the seeds that neither lost."""
    found, reused = [], accuracies["transfer"]
    for name, control in accuracies.items():
        seeds = sorted(reused.keys() & control.keys())
        if name != "transfer" and len(seeds) > 1:
            difference = paired_difference([reused[seed] for seed in seeds], [control[seed] for seed in seeds])
            verdict = verdict_on(difference.mean, difference.probability)
            found.append(Contrast(name, len(seeds), difference, verdict, seeds_needed(difference, len(seeds))))
    return tuple(found)


def arm_report(name: Arm, stages: tuple[Stage, ...], seeds: tuple[int, ...], one: Mapping[int, float]) -> ArmReport:
    """Returns what an arm says.

    Args:
        name: The arm.
        stages: What was trained, and how.
        seeds: All seeds.
        one: Test accuracy of each seed that did not diverge.
    """
    mean, interval = accuracy_interval(list(one.values())) if one else (None, None)
    return ArmReport(name, ARMS[name], stages, tuple(one.get(seed) for seed in seeds), mean, interval)


def verdict_in_words(found: tuple[Contrast, ...], arms: tuple[ArmReport, ...]) -> str:
    """Returns what the probabilities say of reuse, and what divergence leaves unsaid.

    Args:
        found: Reused layers beside the controls that they can be compared with.
        arms: Every arm, reused layers first.
    """
    if len(arms[0].accuracies) == 1:
        return "one seed cannot say what reuse did"
    if len(arms) == 1:
        said = ["nothing to compare with: nobody knows what reuse did"]
    else:
        differences = {one.control: one for one in found}
        said = [_beside(arms[0], control, differences.get(control.name)) for control in arms[1:]]
    return "; ".join([*said, *map(_flattered, filter(lambda arm: arm.diverged and arm.measured, arms))])


def _beside(reused: ArmReport, control: ArmReport, one: Contrast | None) -> str:
    """Returns what a control says of reuse."""
    seeds = len(control.accuracies)
    if not control.measured:
        return f"beside {control.words}, no comparison: every seed of it diverged"
    if one is None:
        pairs = zip(reused.accuracies, control.accuracies, strict=True)
        common = sum(None not in pair for pair in pairs)
        return f"beside {control.words}, no comparison: {common} of {seeds} seeds in common"
    over = "" if one.seeds == seeds else f" over {one.seeds} of {seeds} seeds"
    numbers = f"{100 * one.difference.mean:+.2f} points{over}, p = {one.difference.probability:.2g}"
    if one.verdict == "no evidence" and one.seeds_needed:
        numbers += f"; seeds to see such a difference: about {one.seeds_needed}"
    return f"beside {control.words}, reuse {IN_WORDS[one.verdict]} ({numbers})"


def _flattered(arm: ArmReport) -> str:
    return f"{arm.diverged} of {len(arm.accuracies)} seeds of {arm.words} diverged: the mean of the rest flatters"

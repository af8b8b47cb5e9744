"""What an experiment with a base says: every arm over its seeds, the differences between them, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dtrain.experiment.transfer import Arm, Stage
from dtrain.ground.errors import RunConflictError
from dtrain.ground.reading import read_json
from dtrain.ground.result import Result
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import RESUMABLE, STATES_IN_WORDS, current_status
from dtrain.runs.results import SplitResult
from dtrain.runs.status import TRANSFER
from dtrain.statistics.intervals import Interval, accuracy_interval
from dtrain.statistics.policy import Outcome, Policy, Verdict
from dtrain.statistics.verdicts import judge
from dtrain.statistics.wording import difference_in_words, probability_in_words, seen_in_words

ARMS: dict[Arm, str] = {
    "transfer": "reused layers",
    "scratch": "the same network from scratch",
    "random": "random layers, the same stages",
}
"""Every arm, the controls behind the first, in words."""
IN_WORDS: dict[Outcome, str] = {
    "better": "reuse helps",
    "worse": "reuse hurts",
    "equivalent": "reuse neither helps nor hurts",
    "undecided": "it is undecided whether reuse helps or hurts",
    "cannot be decided": "it cannot be decided whether reuse helps or hurts",
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
        at_chance: Whether no seed has learnt anything.
    """

    name: Arm
    words: str
    stages: tuple[Stage, ...]
    accuracies: tuple[float | None, ...]
    mean: float | None
    interval: Interval | None
    at_chance: bool = False

    @property
    def measured(self) -> tuple[float, ...]:
        """Test accuracy of each seed that did not diverge."""
        return tuple(one for one in self.accuracies if one is not None)

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return len(self.accuracies) - len(self.measured)


@dataclass(frozen=True, repr=False)
class TransferReport(Result, brief="folder verdict", tables="arms contrasts"):
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
        contrasts: What may be said of reused layers beside each control.
        verdict: The same in words.
        diverged: Trainings that diverged.
        seconds: Duration of all trainings that did not diverge, compiling included.
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
    contrasts: tuple[Verdict, ...]
    verdict: str
    diverged: int
    seconds: float
    engine: str
    saved: tuple[str, ...]
    saved_seed: int


_REPORT = TypeAdapter(TransferReport)


def read_report(folder: RunFolder) -> TransferReport:
    """Returns the report of a transfer experiment.

    Raises:
        RunConflictError: It has not ended, or is damaged.
    """
    state = current_status(folder).state
    if state != "completed":
        goes_on = f"`dtrain resume {folder.path}` goes on with it; " if state in RESUMABLE else ""
        hint = f"{goes_on}an arm can be shown alone: dtrain show {folder.path / 'transfer'}"
        raise RunConflictError(f"the experiment {STATES_IN_WORDS[state]}", where=str(folder.path), hint=hint)
    try:
        report = _REPORT.validate_python(read_json(folder.path / TRANSFER) | {"folder": folder.path, "contrasts": ()})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{TRANSFER} is damaged at {where}: {first['msg']}"
        raise RunConflictError(message, where=str(folder.path)) from error
    # they follow from the accuracies, by the rules of today
    found = contrasts(report.arms, report.seeds)
    return replace(report, contrasts=found, verdict=verdict_in_words(found, report.arms))


def contrasts(arms: tuple[ArmReport, ...], seeds: tuple[int, ...]) -> tuple[Verdict, ...]:
    """Returns what may be said of reused layers beside each control, each corrected for the other.

    Args:
        arms: Every arm, reused layers first.
        seeds: All seeds.
    """
    return judge({arm.name: dict(zip(seeds, arm.accuracies, strict=True)) for arm in arms}, _policy(arms))


def _policy(arms: tuple[ArmReport, ...]) -> Policy:
    at_chance = frozenset[str](arm.name for arm in arms if arm.at_chance)
    return Policy(tuple((arms[0].name, control.name) for control in arms[1:]), at_chance=at_chance)


def arm_report(
    name: Arm, stages: tuple[Stage, ...], seeds: tuple[int, ...], tests: Mapping[int, SplitResult]
) -> ArmReport:
    """Returns what an arm says.

    Args:
        name: The arm.
        stages: What was trained, and how.
        seeds: All seeds.
        tests: What each seed that did not diverge makes of the test images.
    """
    one = {seed: test.accuracy for seed, test in tests.items()}
    mean, interval = accuracy_interval(list(one.values())) if one else (None, None)
    at_chance = bool(tests) and all(test.at_chance for test in tests.values())
    return ArmReport(name, ARMS[name], stages, tuple(one.get(seed) for seed in seeds), mean, interval, at_chance)


def verdict_in_words(found: tuple[Verdict, ...], arms: tuple[ArmReport, ...]) -> str:
    """Returns what the contrasts say of reuse, and what divergence leaves unsaid.

    Args:
        found: Reused layers beside each control.
        arms: Every arm, reused layers first.
    """
    if len(arms[0].accuracies) == 1:
        return "one seed cannot say what reuse did"
    said = [_beside(one, control, _policy(arms)) for one, control in zip(found, arms[1:], strict=True)]
    said = said or ["nothing to compare with: nobody knows what reuse did"]
    return "; ".join([*said, *(_lost(arm) for arm in arms if arm.diverged)])


def _beside(one: Verdict, control: ArmReport, policy: Policy) -> str:
    if one.at_chance:
        return f"beside {control.words}, neither has learnt more than chance, so there is nothing to compare"
    said, numbers = IN_WORDS[one.verdict], list[str]()
    if one.decided_by == "divergence" and one.verdict in ("better", "worse"):
        said = f"reuse diverges {'less' if one.verdict == 'better' else 'more'} often"
    if one.difference:
        numbers.append(difference_in_words(one, policy))
    if one.decided_by:
        numbers.append(probability_in_words(one))
    if one.verdict == "undecided" and one.smallest_seen:
        numbers.append(seen_in_words(one, policy))
    return f"beside {control.words}, {said} ({'; '.join(numbers)})"


def _lost(arm: ArmReport) -> str:
    lost = f"{arm.diverged} of {len(arm.accuracies)} seeds of {arm.words} diverged"
    return f"{lost}: the mean of the rest flatters" if arm.measured else lost

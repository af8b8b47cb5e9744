"""What a finished run says, in memory and read back from its folder; and several seeds together."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError

from dtrain.experiment.config.placing import Advice
from dtrain.ground.errors import RunConflictError
from dtrain.ground.result import Result
from dtrain.runs.folder import RunFolder
from dtrain.statistics.balance import are_imbalanced, balanced_accuracy, chance_accuracy, majority_share
from dtrain.statistics.intervals import Interval, accuracy_interval, wilson_interval

if TYPE_CHECKING:
    from dtrain.engine.evaluation import Evaluation

ARM = "transfer arm"
"""Under which name people read the arm of a `Reuse`."""
SHOWN_DIGITS = 12
"""Of a digest, as people read it."""
REUSE = "reuse"
"""Under which key a summary has its `Reuse`."""


@dataclass(frozen=True)
class Reuse:
    """What a training with a base is, beside its experiment.

    Args:
        arm: ``transfer``, or a control: ``scratch`` or ``random``.
        base: SHA-256 of the bytes of the base.
    """

    arm: str
    base: str


@dataclass(frozen=True)
class SplitResult:
    """How good the final model is on one split.

    Args:
        loss: Mean cross-entropy.
        accuracy: Share predicted right.
        accuracy_interval: Wilson's 95% interval of it, which covers the chance of these images only, not of the seed.
        images: How many there are.
        majority: Share of the most frequent class; None in the results of versions that did not write it.
        balanced_accuracy: Mean over the classes of the share predicted right; None where all are about as frequent.
    """

    loss: float
    accuracy: float
    accuracy_interval: Interval
    images: int
    majority: float | None = None
    balanced_accuracy: float | None = None

    @property
    def at_chance(self) -> bool:
        """Whether nothing was learnt; not where the result does not say how frequent the classes are."""
        if self.majority is None or not 0 < self.majority < 1 or self.images < 1:
            return False
        if self.balanced_accuracy is None:
            return self.accuracy <= chance_accuracy(self.majority, self.images)
        # accuracy says little there; one of k classes that is always named balances to 1 / k
        named = round(1 / self.balanced_accuracy) if self.balanced_accuracy > 0 else 0
        return self.accuracy <= self.majority and named > 1 and math.isclose(named * self.balanced_accuracy, 1)


def split_result(evaluation: Evaluation) -> SplitResult:
    """Returns loss, accuracy and its interval of a set of predictions."""
    labels, predictions = evaluation.labels, evaluation.predictions
    imbalanced = are_imbalanced(labels, evaluation.probabilities.shape[1])
    return SplitResult(
        loss=evaluation.loss,
        accuracy=evaluation.accuracy,
        accuracy_interval=wilson_interval(evaluation.correct, len(labels)),
        images=len(labels),
        majority=majority_share(labels),
        balanced_accuracy=balanced_accuracy(labels, predictions) if imbalanced else None,
    )


@dataclass(frozen=True, repr=False)
class RunResult(Result, brief="folder seed best_epoch validation.accuracy test.accuracy", tables="curves"):
    """One finished training.

    Args:
        folder: The run folder.
        seed: The seed.
        best_epoch: Epoch with the best monitored value.
        epochs: Epochs trained.
        parameters: Trainable and other parameters of the model.
        train: The final model on the training images.
        validation: The final model on the validation images.
        test: The final model on the test images.
        seconds: Duration of each phase.
        engine: ``graph`` or ``xla``.
        stopped_early: Whether early stopping ended the training.
        saved: Formats that the model is saved in.
        advice: What the lesson advises against in the experiment.
        monitor: What decides which epoch is the best; empty in the results of versions that did not write it.
        departures: Why running the experiment again may not give this result; empty where it does.
        suggestion: What how it ended gives reason to try, its hint as an override; None where the evidence is weak.
    """

    folder: Path
    seed: int
    best_epoch: int
    epochs: int
    parameters: int
    train: SplitResult
    validation: SplitResult
    test: SplitResult
    seconds: dict[str, float]
    engine: str
    stopped_early: bool
    saved: tuple[str, ...] = ("keras",)
    advice: tuple[Advice, ...] = ()
    monitor: Literal["val_loss", "val_accuracy", ""] = ""
    departures: tuple[str, ...] = ()
    suggestion: Advice | None = None

    @property
    def curves(self) -> tuple[dict[str, Any], ...]:
        """What was measured in each epoch, read from the run folder."""
        return tuple({"seed": self.seed, **epoch} for epoch in RunFolder(self.folder).read_metrics())


@dataclass(frozen=True, repr=False)
class SeedsResult(Result, brief="folder validation_accuracy test_accuracy diverged", tables="runs curves"):
    """The same experiment trained with several seeds.

    Args:
        folder: The folder that holds a run folder for each seed.
        runs: One result for each seed that trained to the end.
        diverged: Seeds that diverged; the means are over the others.
        validation_accuracy: Mean over the seeds.
        validation_interval: Student's 95% interval of that mean, within what an accuracy can be.
        test_accuracy: Mean over the seeds.
        test_interval: The same of that mean.
        seconds: Duration of each phase that the seeds shared; those of a seed alone are in its run.
    """

    folder: Path
    runs: tuple[RunResult, ...]
    diverged: int
    validation_accuracy: float
    validation_interval: Interval | None
    test_accuracy: float
    test_interval: Interval | None
    seconds: dict[str, float] = field(default_factory=dict)


def summarise_seeds(folder: Path, runs: tuple[RunResult, ...], diverged: int) -> SeedsResult:
    """Returns means and intervals over the seeds.

    Args:
        folder: The folder that holds a run folder for each seed.
        runs: The seeds that trained to the end, at least one.
        diverged: How many did not.
    """
    validation, validation_interval = accuracy_interval([one.validation.accuracy for one in runs])
    test, test_interval = accuracy_interval([one.test.accuracy for one in runs])
    return SeedsResult(folder, runs, diverged, validation, validation_interval, test, test_interval)


def without_folders(result: SeedsResult) -> dict[str, object]:
    """Returns the summary of several seeds as a file holds it: without paths, so that the folder can be moved."""
    summary = asdict(result)
    del summary["folder"]
    summary["runs"] = [{key: value for key, value in one.items() if key != "folder"} for one in summary["runs"]]
    return summary


_RESULT = TypeAdapter(RunResult)
_SECONDS = TypeAdapter(dict[str, float])


def planned_seeds(folder: RunFolder) -> int | None:
    """Returns how many seeds a run is to have; None where it is one of a single seed."""
    planned = folder.read_status().get("seeds")
    return planned if isinstance(planned, int) else None


def shared_seconds(folder: RunFolder) -> dict[str, float]:
    """Returns the duration of each phase that several seeds shared; empty where their summary does not say it."""
    # durations are no result, and before the end there is no summary
    with suppress(RunConflictError, ValidationError):
        return _SECONDS.validate_python(folder.read_summary().get("seconds", {}))
    return {}


def ended_under(folder: RunFolder) -> dict[str, object]:
    """Returns the versions and the data that a completed run says it was trained with."""
    summary = folder.read_summary()
    versions, digest = summary.get("versions"), summary.get("dataset_digest")
    return {**(versions if isinstance(versions, dict) else {}), **({"data": digest} if digest else {})}


def read_result(folder: RunFolder) -> RunResult:
    """Returns how a completed run ended.

    Raises:
        RunConflictError: Its summary is missing or damaged.
    """
    try:
        return _RESULT.validate_python(folder.read_summary() | {"folder": folder.path})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RunConflictError(f"summary is damaged at {where}: {first['msg']}", where=str(folder.path)) from error

"""The runs that a user wants compared: read whole or not at all, and grouped where only the seed differs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import RunConflictError, UsageError
from dtrain.ground.printable import printable
from dtrain.ground.reading import reading
from dtrain.runs.catalogue import find_run
from dtrain.runs.folder import METRICS, PREDICTIONS, RunFolder
from dtrain.runs.ownership import STATES_IN_WORDS, current_status
from dtrain.runs.results import REUSE, Reuse, RunResult, planned_seeds, read_result

DIGEST = "dataset_digest"
NO_RUN = "no run"
NOT_RECORDED = Reuse(arm="not recorded", base="not recorded")
"""What is known of trainings with a base before summaries had a `Reuse`."""


@dataclass(frozen=True)
class ComparedRun:
    """A run that is completed.

    Args:
        folder: Its folder.
        experiment: What was trained.
        result: How it ended.
        metrics: What was measured in each epoch.
        digest: SHA-256 of the images it was trained on, before any split.
        reuse: Its arm and its base; None for a network of its own.
    """

    folder: RunFolder
    experiment: Experiment
    result: RunResult
    metrics: tuple[dict[str, Any], ...]
    digest: str
    reuse: Reuse | None

    def curve(self, measure: str) -> list[float]:
        """Returns a measure of each epoch, such as ``val_loss``; a RunConflictError if it is not there."""
        with reading(self.folder.path / METRICS):
            if not self.metrics:
                raise ValueError("no epoch")
            return [float(epoch[measure]) for epoch in self.metrics]

    def right(self) -> npt.NDArray[np.bool_]:
        """Returns which test images the model gets right [images]; a RunConflictError if nobody can say."""
        probabilities, labels = self.folder.read_predictions()
        with reading(self.folder.path / PREDICTIONS):
            right: npt.NDArray[np.bool_] = probabilities.argmax(axis=1) == labels
            if len(right) != self.result.test.images or right.sum() != round(self.result.test.accuracy * len(right)):
                raise ValueError("not those of the summary")
        return right

    @property
    def without_seed(self) -> tuple[Experiment, Reuse | None]:
        """What runs have in common that count as one experiment."""
        return self.experiment.model_copy(update={"seed": 0}), self.reuse

    @property
    def can_be_pooled(self) -> bool:
        """Whether its experiment tells what it is, so that one more seed of it is one more measurement of the same."""
        return not self.result.departures and self.reuse != NOT_RECORDED


@dataclass(frozen=True)
class LeftOut:
    """A run that cannot be compared.

    Args:
        run: What it is called.
        state: How it is doing, as `show` says it.
        reason: The same in words.
    """

    run: str
    state: str
    reason: str


@dataclass(frozen=True)
class Group:
    """Runs of one experiment, each with its own seed.

    Args:
        names: What the user named them.
        runs: By seed, at least one.
        diverged: Other seeds, which diverged.
    """

    names: tuple[str, ...]
    runs: tuple[ComparedRun, ...]
    diverged: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """What the group is called."""
        more = len(self.names) - 1
        return f"{self.names[0]} and {more} more" if more else self.names[0]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds."""
        return tuple(one.result.seed for one in self.runs)


def read_groups(runs_dir: Path, names: Sequence[str]) -> tuple[list[Group], list[LeftOut]]:
    """Reads the runs named and puts those together that differ only in their seed.

    One that departs from its experiment, because it was resumed with another plan or elsewhere, stays alone.

    A run is read only if it says that it is completed: it is written last, so that everything else is there then.

    Args:
        runs_dir: Folder of all run folders.
        names: Names or paths of runs, also of several seeds each.

    Returns:
        The groups, in the order in which they were named, and the runs that are in none.

    Raises:
        UsageError: There is no such run, one is named twice, or nothing that is named is a run.
        RunConflictError: A file of a run is missing or damaged.
    """
    folders, left_out = _find(runs_dir, names)
    _check_named_once(folders)
    groups: list[Group] = []
    for folder, called in zip(folders, _called(folders), strict=True):
        found, others = _read(folder, called)
        left_out += others
        for group in found:
            _add(group, groups)
    for folder in folders:
        if current_status(folder).state == "diverged" and not folder.seed_folders():
            _count_diverged(folder, groups)
    return groups, left_out


def _find(runs_dir: Path, names: Sequence[str]) -> tuple[list[RunFolder], list[LeftOut]]:
    """Returns the runs, and what else is there of those names, as where all of a folder is named."""
    folders: list[RunFolder] = []
    left_out: list[LeftOut] = []
    for name in names:
        try:
            folders.append(find_run(runs_dir, name))
        except (UsageError, RunConflictError) as error:
            there = any(os.path.lexists(path) for path in (runs_dir / name, Path(name)))
            if not there or len(names) == 1 + len(left_out):
                raise
            hint = error.problems[0].hint
            left_out.append(LeftOut(printable(name), NO_RUN, f"is no run{hint and f' ({printable(hint)})'}"))
    return folders, left_out


def _called(folders: Sequence[RunFolder]) -> list[str]:
    """The shortest names that tell the runs apart, which cannot forge a line of output."""
    names = [folder.path.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder.path) for folder in folders]
    return [printable(name) for name in names]


def _check_named_once(folders: Sequence[RunFolder]) -> None:
    seen: set[Path] = set()
    for folder in folders:
        paths = {one.path.resolve() for one in (folder, *folder.seed_folders())}
        if paths & seen:
            message = f"got the run {folder.path} twice; expected each once"
            raise UsageError(message, where="dtrain compare", hint="a run against itself shows nothing")
        seen |= paths


def _read(folder: RunFolder, called: str) -> tuple[list[Group], list[LeftOut]]:
    status = current_status(folder)
    planned, seeds = planned_seeds(folder), folder.seed_folders()
    names = {one: f"{called}/{one.path.name}" for one in seeds} if folder.kind() == "seeds" else {folder: called}
    found = [_read_run(member, name) for member, name in names.items()]
    runs = [one for one in found if isinstance(one, ComparedRun)]
    left_out = [one for one in found if isinstance(one, LeftOut)]
    if (planned or 0) > len(seeds):
        waiting = f"has begun {len(seeds)} of {planned} seeds and {STATES_IN_WORDS[status.state]}"
        left_out.append(LeftOut(called, status.state, waiting))
    plain = tuple(run for run in runs if not run.result.departures)
    _check_one_experiment(plain, called)
    states = {one.run: one.state for one in left_out}
    diverged = tuple(int(one.path.name.removeprefix("seed-")) for one in seeds if states.get(names[one]) == "diverged")
    groups = [Group((called,), plain, diverged)] if plain else []
    return groups + [Group((names[run.folder],), (run,)) for run in runs if run.result.departures], left_out


def _read_run(folder: RunFolder, name: str) -> ComparedRun | LeftOut:
    status = current_status(folder)
    if status.state != "completed":
        reason = f": {printable(status.reason)}" if status.reason else ""
        return LeftOut(name, status.state, STATES_IN_WORDS[status.state] + reason)
    summary = folder.read_summary()
    experiment = folder.read_experiment()
    return ComparedRun(
        folder=folder,
        experiment=experiment,
        result=read_result(folder),
        metrics=tuple(folder.read_metrics()),
        digest=_text(summary, DIGEST, folder),
        reuse=_reuse(summary, folder) if experiment.transfer else None,
    )


def _reuse(summary: Mapping[str, Any], folder: RunFolder) -> Reuse:
    if REUSE not in summary:
        return NOT_RECORDED
    found = summary[REUSE] if isinstance(summary[REUSE], Mapping) else {}
    return Reuse(_text(found, "arm", folder), _text(found, "base", folder))


def _text(found: Mapping[str, Any], key: str, folder: RunFolder) -> str:
    value = found.get(key)
    if not isinstance(value, str):
        message = f"summary is damaged at {key}: got {value!r}; expected text"
        raise RunConflictError(message, where=str(folder.path))
    return value


def _check_one_experiment(runs: Sequence[ComparedRun], called: str) -> None:
    seeds = {run.result.seed for run in runs}
    if len(seeds) < len(runs) or any(run.without_seed != runs[0].without_seed for run in runs):
        raise RunConflictError(
            "got seeds of different experiments, or a seed twice; expected each seed of one experiment once",
            where=called,
            hint="name the folders of the seeds one by one",
        )


def _add(group: Group, groups: list[Group]) -> None:
    """Joins the first group of the same experiment that has none of the seeds, or begins one."""
    for place, other in enumerate(groups):
        runs = other.runs[0], group.runs[0]
        same = runs[0].without_seed == runs[1].without_seed and all(run.can_be_pooled for run in runs)
        if same and not {*other.seeds, *other.diverged} & {*group.seeds, *group.diverged}:
            members = sorted((*other.runs, *group.runs), key=lambda run: run.result.seed)
            groups[place] = Group(other.names + group.names, tuple(members), other.diverged + group.diverged)
            return
    groups.append(group)


def _count_diverged(folder: RunFolder, groups: list[Group]) -> None:
    """Adds a run to the seeds that diverged of its experiment."""
    lost = folder.read_experiment()
    for place, group in enumerate(groups):
        run = group.runs[0]
        same = run.experiment == lost.model_copy(update={"seed": run.experiment.seed}) and run.can_be_pooled
        # which arm it was, and on which base, a run with a base says only at its end
        if same and not lost.transfer and lost.seed not in (*group.seeds, *group.diverged):
            groups[place] = replace(group, diverged=(*group.diverged, lost.seed))
            return

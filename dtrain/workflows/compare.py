"""`dtrain compare`: which of several experiments is better, by how much, and whether that is more than chance."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from csv import writer
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dtrain.experiment.config.differences import Settings, differing_settings
from dtrain.ground.errors import RunConflictError, UsageError
from dtrain.ground.files import check_new, write
from dtrain.ground.printable import printable
from dtrain.ground.result import Result
from dtrain.runs.results import ARM, SHOWN_DIGITS, Reuse, SplitResult
from dtrain.statistics.intervals import Interval, accuracy_interval
from dtrain.statistics.policy import Verdict
from dtrain.statistics.power import seeds_to_see
from dtrain.statistics.significance import LEVEL
from dtrain.studies.groups import NOT_RECORDED, ComparedRun, Group, LeftOut, read_groups
from dtrain.studies.ranking import ranked, verdicts
from dtrain.studies.same_images import check_same_images

WHERE = "dtrain compare"
ADVISED_EFFECT = 2.0
"""Seeds are advised to see a difference of twice the spread of the differences over seeds: about a point."""


@dataclass(frozen=True)
class Accuracy:
    """How good an experiment is on one split.

    Args:
        mean: Mean accuracy over the seeds.
        interval: Its 95% interval.
        chance_of: Whether that is Student's and covers the chance of the seed, or, with a single seed, Wilson's, which
            covers the chance of which images were held out.
    """

    mean: float
    interval: Interval
    chance_of: Literal["seeds", "images"]


@dataclass(frozen=True)
class Standing:
    """One experiment among those compared.

    Args:
        name: What it is called.
        folders: Its run folders.
        seeds: Their seeds.
        diverged: How many more seeds diverged, which the means leave out.
        validation: On the validation images; the ranking is by its mean.
        test: On the test images; the verdicts are by these.
        settings: What it has that not all have, by dotted key, and what its experiment does not say.
        reuse: Its arm and its base; None for a network of its own.
        departs: Whether it is not what its file would give again.
    """

    name: str
    folders: tuple[Path, ...]
    seeds: tuple[int, ...]
    diverged: int
    validation: Accuracy
    test: Accuracy
    settings: Settings
    reuse: Reuse | None
    departs: bool


@dataclass(frozen=True, repr=False)
class CompareReport(Result, brief="verdicts", tables="standings pairs"):
    """Several experiments compared.

    Args:
        images: How many test images.
        digest: SHA-256 of all images, the same for all runs.
        standings: The experiments, the best by validation first, and last those of which a seed diverged.
        pairs: The best against each other one, in the same order.
        left_out: Runs that were named but are not completed.
        warnings: What to know before believing it.
        advised_seeds: How many seeds of each see a difference of twice its spread in four of five cases.
        csv: The table of runs, if it was asked for.
        plot: The picture, if it was asked for.
    """

    images: int
    digest: str
    standings: tuple[Standing, ...]
    pairs: tuple[Verdict, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]
    advised_seeds: int | None
    csv: Path | None
    plot: Path | None

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What each pair says, in words."""
        return tuple(pair.words for pair in self.pairs)


def compare(
    runs_dir: Path,
    runs: Sequence[str],
    csv: Path | None = None,
    plot: Path | None = None,
    worth: float | None = None,
) -> CompareReport:
    """Compares experiments that were trained on the same data.

    Args:
        runs_dir: Folder of all run folders.
        runs: Names or paths of runs; those that differ only in their seed count as one experiment.
        csv: New file for a table of the runs.
        plot: New PNG file for a picture of them.
        worth: The smallest difference of accuracies that would matter, from 0 to 1.

    Raises:
        UsageError: There are not two experiments among the runs, one is named twice, they were not validated and tested
            on the same images, a file exists, or `worth` is out of its bounds.
        RunConflictError: Too few runs are completed, or a file of a run is missing or damaged.
    """
    _check_files(csv, plot)
    if worth is not None and not 0 < worth < 1:
        raise UsageError(f"got {100 * worth:g} points; expected more than 0 and less than 100", where="--worth")
    groups, left_out = read_groups(runs_dir, runs)
    _check_two(groups, left_out)
    check_same_images(groups)
    in_order = ranked(groups)
    report = CompareReport(
        images=groups[0].runs[0].result.test.images,
        digest=groups[0].runs[0].digest,
        standings=tuple(_standing(group, own) for group, own in zip(in_order, _settings(in_order), strict=True)),
        pairs=verdicts(in_order, worth),
        left_out=tuple(left_out),
        warnings=_warnings(groups, left_out),
        advised_seeds=seeds_to_see(ADVISED_EFFECT, LEVEL / math.comb(len(groups), 2)),
        csv=csv,
        plot=plot,
    )
    # the picture reads more of the runs: a table is not left behind where that fails
    if plot:
        _draw(report, groups, plot)
    if csv:
        write(csv, _table(report, groups).encode())
    return report


def _check_files(csv: Path | None, plot: Path | None) -> None:
    for path, option in ((csv, "--csv"), (plot, "--plot")):
        if path:
            check_new(path, f"{option} {path}")
    if plot and plot.suffix.lower() != ".png":
        raise UsageError("got a name that does not end in .png; expected a PNG file", where=f"--plot {plot}")
    if csv and plot and csv.absolute() == plot.absolute():
        raise UsageError("got the file of --csv; expected another", where=f"--plot {plot}")


def _check_two(groups: Sequence[Group], left_out: Sequence[LeftOut]) -> None:
    if len(groups) > 1:
        return
    found = f"only {groups[0].name}" if groups else "nothing"
    if left_out:
        reasons = ", ".join(f"{one.run} {one.reason}" for one in left_out)
        message = f"got {found} to compare, because {reasons}; expected two experiments with completed runs"
        hint = "wait until they have ended, go on with them by `dtrain resume RUN`, or train again"
        if all(one.state == "diverged" for one in left_out):
            hint = "train again with a change, such as a lower optimizer.learning_rate"
        raise RunConflictError(message, where=WHERE, hint=hint)
    what, hint = "one run", f"name another run too: `{WHERE} {groups[0].name} RUN`"
    if (seeds := len(groups[0].runs)) > 1:
        what = f"{seeds} runs of one experiment, which differ only in their seed"
        hint = "name runs of another experiment too"
    raise UsageError(f"got {what}; expected at least two experiments", where=WHERE, hint=hint)


def _settings(groups: Sequence[Group]) -> list[Settings]:
    """What differs, and first what the experiments do not say: arm, base, and whether the run departs from its file."""
    reuses = [group.runs[0].reuse for group in groups]
    arms = [one.arm if one else None for one in reuses]
    bases = [one.base[:SHOWN_DIGITS] if one else None for one in reuses]
    found: list[Settings] = [{} for _ in groups]
    departures = ["yes" if group.runs[0].result.departures else "no" for group in groups]
    for key, values in ((ARM, arms), ("base", bases), ("departs from its file", departures)):
        for settings, value in zip(found, values, strict=True):
            if value is not None and len(set(values)) > 1:
                settings[key] = value
    others = differing_settings([group.runs[0].experiment for group in groups])
    return [first | more for first, more in zip(found, others, strict=True)]


def _standing(group: Group, settings: Settings) -> Standing:
    return Standing(
        name=group.name,
        folders=tuple(run.folder.path for run in group.runs),
        seeds=group.seeds,
        diverged=len(group.diverged),
        validation=_accuracy(group, lambda run: run.result.validation),
        test=_accuracy(group, lambda run: run.result.test),
        settings=settings,
        reuse=group.runs[0].reuse,
        departs=bool(group.runs[0].result.departures),
    )


def _accuracy(group: Group, split: Callable[[ComparedRun], SplitResult]) -> Accuracy:
    mean, interval = accuracy_interval([split(run).accuracy for run in group.runs])
    if interval is None:
        return Accuracy(mean, split(group.runs[0]).accuracy_interval, "images")
    return Accuracy(mean, interval, "seeds")


def _warnings(groups: Sequence[Group], left_out: Sequence[LeftOut]) -> tuple[str, ...]:
    found = [f"{one.run} {one.reason}; it is left out" for one in left_out]
    for group in groups:
        if lost := len(group.diverged):
            seeds = f"{lost} of {lost + len(group.runs)} seeds of {group.name}"
            found.append(f"{seeds} diverged; the means leave them out, so they flatter")
        if departures := group.runs[0].result.departures:
            words = "is not what `dtrain run` on its config.yaml would give, so it counts as an experiment of its own"
            found.append(f"{group.name} {words}: {printable('; '.join(departures))}")
    if unknown := [group.name for group in groups if group.runs[0].reuse == NOT_RECORDED]:
        found.append(f"{' and '.join(unknown)}: nobody recorded the arm and the base, so look up what they are")
    return tuple(found)


def _table(report: CompareReport, groups: Sequence[Group]) -> str:
    """A line for each run, as a spreadsheet reads it: the experiments by rank, and their runs by seed."""
    by_name = {group.name: group for group in groups}
    keys = list(dict.fromkeys(key for one in report.standings for key in one.settings))
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    measures = ("validation_accuracy", "validation_loss", "test_accuracy", "test_loss")
    rows.writerow(["rank", "experiment", "run", "seed", *measures, "best_epoch", "epochs", "train_seconds", *keys])
    for rank, standing in enumerate(report.standings, start=1):
        for run in by_name[standing.name].runs:
            result = run.result
            splits = [value for one in (result.validation, result.test) for value in (one.accuracy, one.loss)]
            trained = [result.best_epoch, result.epochs, result.seconds.get("train", "")]
            settings = [standing.settings.get(key, "") for key in keys]
            # lists, booleans and null as YAML writes them too
            cells = [one if isinstance(one, str) else json.dumps(one) for one in settings]
            rows.writerow([rank, standing.name, run.folder.path, result.seed, *splits, *trained, *cells])
    return text.getvalue()


def _draw(report: CompareReport, groups: Sequence[Group], path: Path) -> None:
    from dtrain.plots.canvas import save
    from dtrain.plots.comparison import Curves, comparison_figure

    runs = {group.name: group.runs for group in groups}
    curves = [
        Curves(
            name=one.name,
            losses=[run.curve("val_loss") for run in runs[one.name]],
            accuracies=[run.curve("val_accuracy") for run in runs[one.name]],
            tests=[run.result.test.accuracy for run in runs[one.name]],
            interval=one.test.interval,
        )
        for one in report.standings
    ]
    save(comparison_figure(curves, f"{len(curves)} experiments, the best by validation first"), path)

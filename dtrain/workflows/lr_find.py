"""`dtrain lr-find`: train at rising rates, or briefly at each of several, and say which rate to trust."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from dtrain.experiment.config.learning_rate import rate_line, with_rate
from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import EnvironmentProblem, UsageError
from dtrain.ground.files import check_new, replace_file, write, writing
from dtrain.ground.result import Result
from dtrain.rates.rules import RULE_NAMES, FloatArray
from dtrain.rates.search_range import RateRange
from dtrain.rates.suggestion import Curve, Spread, Suggestion, spread
from dtrain.rates.verification import MULTIPLES, verdict_on
from dtrain.rates.verification import SEEDS as TRIAL_SEEDS
from dtrain.rates.verification import Trial as BriefTrial
from dtrain.runs.catalogue import check_run, create_run
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import true_status
from dtrain.runs.status import RATES
from dtrain.statistics.balance import are_imbalanced, chance_accuracy, majority_share
from dtrain.studies.rate_search import accuracies_at, rates_of, search_rates
from dtrain.trials.observer import RunObserver, drawn_if_possible
from dtrain.trials.request import RunOptions, check_seeds
from dtrain.trials.trial import Trial, prepare_trial
from dtrain.trials.workshop import Workshop

PICTURE = "lr_find.png"
STEM = "-lr-find"
AUTOMATIC_NAME = re.compile(rf".*{STEM}-\d+")
INNERMOST_LIST, LINE_BREAK = re.compile(r"\[[^][{}]*\]"), re.compile(r"\s*\n\s*")


@dataclass(frozen=True, repr=False)
class RateReport(Result, brief="folder suggestion reason", tables="rates trials"):
    """What a search found.

    Args:
        folder: The folder with picture and report.
        suggestion: The rate; None where no rate is safe to suggest.
        seeds: What each seed alone would suggest: mean and ends; None where one of them cannot say.
        reason: Why there is no suggestion; empty where there is one.
        rates: What each rule says: mean and ends over the seeds.
        edge: The lowest edge of divergence over the seeds; None where no seed had one.
        diverged: Seeds that diverged within the range.
        range: What was gone through, seeds included.
        line: The line of an experiment file that holds the suggestion; empty where there is none.
        written: The experiment file that was written; None where none was.
        trials: Brief trainings around the suggestion, where they were asked for.
        verdict: What they say of it.
    """

    folder: Path
    suggestion: float | None
    seeds: Spread | None
    reason: str
    rates: dict[str, Spread]
    edge: float | None
    diverged: int
    range: RateRange
    line: str
    written: Path | None = None
    trials: tuple[BriefTrial, ...] = ()
    verdict: str = ""


def lr_find(
    experiment: Experiment,
    search: RateRange,
    options: RunOptions,
    observer: RunObserver,
    *,
    write: Path | None = None,
    verify: bool = False,
) -> RateReport:
    """Searches the learning rate of an experiment with several seeds on one compiled epoch.

    Args:
        experiment: What to train, apart from its rate and its schedule.
        search: The rates to go through.
        options: Where, and on what.
        observer: Shown how it goes on.
        write: Where to write the experiment with the suggested rate.
        verify: Whether to train briefly around the suggestion.

    Raises:
        UsageError: The file to write cannot be a new one.
        DtrainError: Data, environment or run folder do not allow it.
    """
    check_seeds(experiment.seed, search.seeds)
    if write is not None:
        check_new(write, f"--write {write}")
        _check_place(write, options)
    check_run(options.runs_dir, name=options.name)
    search = search.planned(experiment)
    workshop = Workshop(options, observer)
    trial = prepare_trial(experiment, workshop)
    folder = create_run(options.runs_dir, name=options.name, stem=f"{options.stem}{STEM}", kind="lr-find")
    folder.write_config(dump_experiment(trial.experiment))
    with true_status(folder):
        report, curves = search_into(folder, trial, workshop, search)
        if report.suggestion is not None and verify:
            report = _verified(report, trial, workshop)
            _publish(report, curves, trial, workshop)
        if report.suggestion is not None and write is not None:
            _write_experiment(with_rate(experiment, report.suggestion), write)
            report = replace(report, written=write)
        elif write is not None:
            observer.on_warning(f"{write} was not written: there is no suggestion to write")
    return report


def search_into(
    folder: RunFolder, trial: Trial, workshop: Workshop, search: RateRange
) -> tuple[RateReport, tuple[Curve, ...]]:
    """Searches, writes report and picture into a folder, and returns the report with its curves.

    Args:
        folder: The folder of the search.
        trial: What to train.
        workshop: Where; its observer is told of each seed, and of what limits the suggestion.
        search: The rates to go through, and how many seeds.
    """
    experiment = trial.experiment
    curves, found = search_rates(trial, workshop, search)
    _warn_of_limits(found, experiment, search, workshop.observer)
    report = _report(folder, experiment, search, curves, found)
    _publish(report, curves, trial, workshop)
    return report, curves


def _publish(report: RateReport, curves: tuple[Curve, ...], trial: Trial, workshop: Workshop) -> None:
    """Writes report and picture, both of which say the same."""
    rates = rates_of(trial.experiment, report.range)
    write(report.folder / RATES, _to_json(_content(report, curves, rates)))
    with drawn_if_possible(workshop.observer):
        _draw(report, curves, rates)


def _draw(report: RateReport, curves: tuple[Curve, ...], rates: FloatArray) -> None:
    from dtrain.plots.canvas import save
    from dtrain.plots.rates import rates_figure

    found = Suggestion(report.suggestion, report.reason, report.edge)
    save(rates_figure(curves, rates, found, report.folder.name), report.folder / PICTURE)


def _check_place(path: Path, options: RunOptions) -> None:
    """Proves before the search that the file can be made after it."""
    place, runs_dir = path.absolute(), options.runs_dir.absolute()
    run = options.name or AUTOMATIC_NAME.fullmatch(place.name)
    if place in (runs_dir, *runs_dir.parents) or (run and place == runs_dir / (options.name or place.name)):
        raise UsageError("got the place of a run folder; expected one of its own", where=f"--write {path}")
    with _advised(path), writing(path), tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}"):
        pass


@contextmanager
def _advised(path: Path) -> Iterator[None]:
    """Says what to do about a file that cannot be written where the user wants it."""
    try:
        yield
    except EnvironmentProblem as problem:
        hint = "choose another file with --write: one in a folder that you may write to, on a disk with room"
        raise EnvironmentProblem(problem.problems[0].message, where=f"--write {path}", hint=hint) from None


def _write_experiment(experiment: Experiment, path: Path) -> None:
    with _advised(path), replace_file(path) as temporary:
        temporary.write_text(dump_experiment(experiment), encoding="utf-8")


def _report(
    folder: RunFolder, experiment: Experiment, search: RateRange, curves: tuple[Curve, ...], found: Suggestion
) -> RateReport:
    return RateReport(
        folder=folder.path,
        suggestion=found.rate,
        seeds=found.seeds,
        reason=found.reason,
        rates=_spreads(curves),
        edge=found.edge,
        diverged=sum(curve.diverged for curve in curves),
        range=search,
        line="" if found.rate is None else rate_line(with_rate(experiment, found.rate)),
    )


def _spreads(curves: tuple[Curve, ...]) -> dict[str, Spread]:
    marks = [curve.marks for curve in curves if curve.marks]
    return {name: spread([getattr(one, name) for one in marks]) for name in RULE_NAMES} if marks else {}


def _verified(report: RateReport, trial: Trial, workshop: Workshop) -> RateReport:
    """Returns the report with trials around its suggestion, which it takes back where training diverges there."""
    assert report.suggestion is not None
    trials = []
    for multiple in MULTIPLES:
        rate = multiple * report.suggestion
        workshop.observer.on_phase(f"training briefly at {rate:.2g} with {TRIAL_SEEDS} seeds")
        trials.append(BriefTrial(rate, multiple, accuracies_at(rate, trial, workshop, report.range.seeds)))
    labels, classes = trial.data.validation.labels, len(trial.data.class_names)
    # where classes are not equally frequent, accuracy does not tell whether anything was learnt
    unequal = are_imbalanced(labels, classes)
    chance = 0.0 if unequal else chance_accuracy(majority_share(labels), len(labels))
    verdict = verdict_on(trials, chance)
    report = replace(report, trials=verdict.trials, verdict=verdict.words)
    return report if verdict.safe else replace(report, suggestion=None, reason=verdict.words, line="")


def _warn_of_limits(found: Suggestion, experiment: Experiment, search: RateRange, observer: RunObserver) -> None:
    if found.rate is None:
        return
    end = experiment.optimizer.highest_rate
    if end is not None and search.highest > end:
        kind = experiment.optimizer.kind
        observer.on_warning(f"rates of {kind} above {end:g} draw the weights anew: leave out --max {search.highest:g}")
    if found.learnt:
        seeds = f"{found.learnt} of {search.seeds} seeds learnt their images within the search"
        observer.on_warning(f"{seeds}: the suggestion is cautious, and the edge of divergence may be far lower")
    elif found.edge is None and (experiment.optimizer.sweepable or _best_is_highest(found, search)):
        observer.on_warning(f"no seed diverged up to {search.highest:g}: a higher rate may be better; raise --max")


def _best_is_highest(found: Suggestion, search: RateRange) -> bool:
    """Whether some seed of a grid was best at its end, so that nobody knows what comes after it."""
    return found.seeds is not None and bool(np.isclose(found.seeds.high, search.highest))


def _content(report: RateReport, curves: tuple[Curve, ...], rates: FloatArray) -> dict[str, object]:
    """Returns the report with every curve and without paths, so that the folder can be moved."""
    content = {name: value for name, value in asdict(report).items() if name not in ("folder", "written")}
    plain = [asdict(one) | {"losses": one.losses.tolist(), "smoothed": one.smoothed.tolist()} for one in curves]
    return content | {"learning_rates": rates.tolist(), "curves": plain}


def _to_json(content: dict[str, object]) -> bytes:
    """Returns indented JSON whose lists of numbers take one line each."""
    text = json.dumps(content, indent=2, allow_nan=False)
    return INNERMOST_LIST.sub(lambda found: LINE_BREAK.sub(" ", found[0]), text).encode() + b"\n"

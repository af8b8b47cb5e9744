"""`dtrain evaluate`: what a trained model gets right and wrong, class by class, with pictures of its worst mistakes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from dtrain.data.images import visible
from dtrain.data.prepare import Data, Split
from dtrain.engine import backend
from dtrain.ground.result import Result
from dtrain.runs.folder import CONFUSION, MISTAKES, RunFolder
from dtrain.runs.results import SplitResult, split_result
from dtrain.statistics.intervals import Interval, wilson_interval
from dtrain.trials.observer import RunObserver, drawn_if_possible
from dtrain.trials.request import RunOptions
from dtrain.trials.trained_run import TrainedRun, find_trained_run

if TYPE_CHECKING:
    from dtrain.engine.evaluation import Evaluation

SHOWN_MISTAKES = 24
"""As many as fit on one page of pictures."""


@dataclass(frozen=True)
class ClassResult:
    """How good the model is on the images of one class.

    Args:
        name: The class.
        images: How many there are.
        correct: How many of them are predicted right.
        accuracy: Their share; None where there are no images.
        accuracy_interval: Wilson's 95% interval of it.
    """

    name: str
    images: int
    correct: int
    accuracy: float | None
    accuracy_interval: Interval | None


@dataclass(frozen=True)
class Mistake:
    """One image that is predicted wrong.

    Args:
        image: Its number in the split, from 0.
        label: Its class.
        prediction: The class predicted.
        probability: How sure the model is of that.
    """

    image: int
    label: str
    prediction: str
    probability: float

    @property
    def sureness(self) -> str:
        """The probability in per cent, which is never rounded to certainty."""
        percent = round(100 * self.probability)
        return f"{percent}%" if percent < 100 else ">99%"


@dataclass(frozen=True, repr=False)
class EvaluationReport(Result, brief="run split overall.accuracy", tables="classes mistakes"):
    """A model on one split of its data.

    Args:
        run: The run folder.
        folder: Where the pictures and this report are.
        split: ``test`` or ``validation``.
        images: How many there are.
        overall: Loss and accuracy on all of them.
        classes: The same class by class.
        confusion: How many images of each class (row) were taken for each class (column).
        mistakes: The wrong predictions that the model is surest of.
    """

    run: Path
    folder: Path
    split: str
    images: int
    overall: SplitResult
    classes: tuple[ClassResult, ...]
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]


def evaluate(
    run: str | None, split: Literal["test", "validation"], options: RunOptions, observer: RunObserver
) -> EvaluationReport:
    """Evaluates the model of a run and writes pictures and report into a folder of their own beside it.

    The model is built from the run's config; of the model file only the arrays are read, so that a run folder may
    come from a stranger.

    Args:
        run: Name or path of the run; None for the latest. Of several seeds the first is taken.
        split: Which images.
        options: Folder of all runs, device and data folder.
        observer: Shown how it goes on.

    Raises:
        ModelFileError: The model is missing, damaged or does not fit the config.
        DtrainError: There is no such run, its data is missing or another, or the machine does not allow it.
    """
    backend.check_device(options.device)
    trained = find_trained_run(options.runs_dir, run, observer)
    data = trained.read_data(options.data_dir, observer)
    observer.on_phase("starting TensorFlow")
    backend.start(options.device)
    images = data.test if split == "test" else data.validation
    evaluation = _predict(trained, data, images)
    report = _report(trained.folder, split, data.class_names, evaluation)
    _write(report)
    observer.on_phase("drawing")
    with drawn_if_possible(observer):
        _draw(report, images, data.class_names)
    return report


def _predict(trained: TrainedRun, data: Data, split: Split) -> Evaluation:
    from dtrain.engine.evaluation import Evaluator
    from dtrain.engine.objectives import Classification

    model, output = trained.load(data)
    return Evaluator(model, Classification(output), data.scaling).evaluate(split)


def _report(folder: RunFolder, split: str, names: tuple[str, ...], evaluation: Evaluation) -> EvaluationReport:
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (evaluation.labels, evaluation.predictions), 1)
    return EvaluationReport(
        run=folder.path,
        folder=folder.evaluation_folder(split),
        split=split,
        images=len(evaluation.labels),
        overall=split_result(evaluation),
        classes=tuple(
            _class_result(name, int(confusion[label].sum()), int(confusion[label, label]))
            for label, name in enumerate(names)
        ),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        mistakes=_worst_mistakes(evaluation, names),
    )


def _class_result(name: str, images: int, correct: int) -> ClassResult:
    if images == 0:
        return ClassResult(name, 0, 0, None, None)
    return ClassResult(name, images, correct, correct / images, wilson_interval(correct, images))


def _worst_mistakes(evaluation: Evaluation, names: tuple[str, ...]) -> tuple[Mistake, ...]:
    """The wrong predictions by falling probability; of equal ones the first image comes first."""
    predictions = evaluation.predictions
    wrong = np.flatnonzero(predictions != evaluation.labels)
    confidence = evaluation.probabilities[wrong, predictions[wrong]]
    worst = wrong[np.argsort(-confidence, kind="stable")][:SHOWN_MISTAKES]
    return tuple(
        Mistake(
            image=int(image),
            label=names[evaluation.labels[image]],
            prediction=names[predictions[image]],
            probability=float(evaluation.probabilities[image, predictions[image]]),
        )
        for image in worst
    )


def _write(report: EvaluationReport) -> None:
    report.folder.mkdir(exist_ok=True)
    content = asdict(report)
    del content["run"], content["folder"]
    RunFolder(report.run).write_evaluation(report.split, content)


def _draw(report: EvaluationReport, split: Split, names: tuple[str, ...]) -> None:
    from dtrain.plots.canvas import save
    from dtrain.plots.mistakes import confusion_figure, gallery_figure

    title = f"{report.run.name}, {report.split} images"
    save(confusion_figure(np.asarray(report.confusion), names, title), report.folder / CONFUSION)
    if report.mistakes:
        images = visible(split.images[[one.image for one in report.mistakes]])
        captions = [
            (one.label, f"taken for {one.prediction}", f"{one.sureness} sure, #{one.image}") for one in report.mistakes
        ]
        save(gallery_figure(images, captions, f"{title}: the worst mistakes"), report.folder / MISTAKES)

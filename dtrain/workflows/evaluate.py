"""`dtrain evaluate`: what a trained model gets right and wrong, class by class, with pictures of its worst mistakes."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from dtrain import backend
from dtrain.config import parse_experiment
from dtrain.data.prepare import Data, Split, prepare
from dtrain.data.sources import load_images
from dtrain.errors import DataError, ModelFileError
from dtrain.run_interface import RunObserver, SplitResult
from dtrain.runs import CONFIG, CONFUSION, MISTAKES, RunFolder, find_run
from dtrain.session import split_result
from dtrain.spec import Experiment
from dtrain.statistics import Interval, wilson_interval
from dtrain.storage import DAMAGE
from dtrain.workflows.show import STATES_IN_WORDS, current_status

if TYPE_CHECKING:
    import keras

    from dtrain.evaluation import Evaluation

SHOWN_MISTAKES = 24
"""As many as fit on one page of pictures."""
BYTES_PER_PARAMETER = 4
ARCHIVE_OVERHEAD = 2**24
"""Bytes that names and attributes may take in a file of weights."""


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


@dataclass(frozen=True)
class EvaluationReport:
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


@dataclass(frozen=True)
class EvaluationOptions:
    """What to evaluate on.

    Args:
        split: Which part of the data.
        device: ``auto``, ``cpu`` or ``gpu:N``.
        data_dir: Folder to look for full data sets in first.
    """

    split: Literal["test", "validation"] = "test"
    device: str = "auto"
    data_dir: Path | None = None


def evaluate(runs_dir: Path, run: str | None, options: EvaluationOptions, observer: RunObserver) -> EvaluationReport:
    """Evaluates the model of a run and writes pictures and report into a folder of their own beside it.

    The model is built from the run's config; of the model file only the arrays are read, so that a run folder may
    come from a stranger.

    Args:
        runs_dir: Folder of all run folders.
        run: Name or path of the run; None for the latest. Of several seeds the first is taken.
        options: What to evaluate on.
        observer: Shown how it goes on.

    Raises:
        ModelFileError: The model is missing, damaged or does not fit the config.
        DtrainError: There is no such run, its data is missing or another, or the machine does not allow it.
    """
    backend.check_device(options.device)
    folder = _one_run(find_run(runs_dir, run), observer)
    experiment = parse_experiment(folder.read_config(), str(folder.path / CONFIG))
    _check_model_is_there(folder)
    observer.on_phase(f"reading {experiment.dataset.name}")
    data = prepare(experiment.dataset, load_images(experiment.dataset.name, options.data_dir, observer.on_download))
    _check_digest(folder, data)
    observer.on_phase("starting TensorFlow")
    backend.start(options.device)
    split = data.test if options.split == "test" else data.validation
    evaluation = _predict(folder, experiment, data, split)
    report = _report(folder, options.split, data.class_names, evaluation)
    observer.on_phase("drawing")
    _write(report, split, data.class_names)
    return report


def _one_run(folder: RunFolder, observer: RunObserver) -> RunFolder:
    seeds = folder.seed_folders()
    if not seeds:
        return folder
    ended = [seed for seed in seeds if seed.model_path("keras").exists()]
    chosen = ended[0] if ended else seeds[0]
    if len(seeds) > 1:
        observer.on_warning(f"{folder.path} holds {len(seeds)} seeds; this is {chosen.path.name}")
    return chosen


def _check_model_is_there(folder: RunFolder) -> None:
    path = folder.model_path("keras")
    if not path.is_file():
        raise ModelFileError(
            f"is missing; the run {STATES_IN_WORDS[current_status(folder).state]}",
            where=str(path),
            hint="a run has its model when it is completed, unless training.save leaves keras out",
        )


def _check_digest(folder: RunFolder, data: Data) -> None:
    trained_on = folder.read_summary().get("dataset_digest")
    if trained_on != data.digest:
        raise DataError(
            f"got images with digest {data.digest[:12]}; expected {str(trained_on)[:12]}, those of the training",
            where=str(folder.path),
            hint="use the data set that the run was trained on, or train again",
        )


def _predict(folder: RunFolder, experiment: Experiment, data: Data, split: Split) -> Evaluation:
    from dtrain.evaluation import Evaluator
    from dtrain.model import build_model, output_kind, stock_model

    classes = len(data.class_names)
    model = stock_model(build_model(experiment, data.image_shape, classes, experiment.seed))
    _load_weights(model, folder.model_path("keras"))
    return Evaluator(model, output_kind(experiment, classes), data.scaling).evaluate(split)


def _load_weights(model: keras.Model, path: Path) -> None:
    """Fills in the arrays of a model file; nothing else in it is looked at."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        limit = BYTES_PER_PARAMETER * model.count_params() + ARCHIVE_OVERHEAD
        if unpacked > limit:
            raise ModelFileError(f"unpacks to {unpacked:,} bytes; expected at most {limit:,}", where=str(path))
        # Keras warns where it finds nothing for a layer, and leaves the layer as it was
        with warnings.catch_warnings(action="error", category=UserWarning):
            model.load_weights(path)
    except (UserWarning, OSError, RuntimeError, *DAMAGE) as error:
        reason = str(error).strip().splitlines()
        raise ModelFileError(
            f"damaged, incomplete or of another network: {reason[0] if reason else type(error).__name__}",
            where=str(path),
            hint="train again; the run's config.yaml repeats it",
        ) from error
    broken = [variable.path for variable in model.weights if not np.isfinite(variable.numpy()).all()]
    if broken:
        raise ModelFileError(f"weights of {broken[0]} are not finite", where=str(path), hint="train again")


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


def _write(report: EvaluationReport, split: Split, names: tuple[str, ...]) -> None:
    """Writes the pictures and the report; each file is replaced as a whole."""
    from dtrain.plots import plot_confusion, plot_gallery

    report.folder.mkdir(exist_ok=True)
    title = f"{report.run.name}, {report.split} images"
    plot_confusion(np.asarray(report.confusion), names, report.folder / CONFUSION, title)
    if report.mistakes:
        images = _visible(split.images[[one.image for one in report.mistakes]])
        captions = [
            (one.label, f"taken for {one.prediction}", f"{one.sureness} sure, #{one.image}") for one in report.mistakes
        ]
        plot_gallery(images, captions, report.folder / MISTAKES, f"{title}: the worst mistakes")
    content = asdict(report)
    del content["run"], content["folder"]
    RunFolder(report.run).write_evaluation(report.split, content)


def _visible(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Brings images as they are stored to [0, 1]."""
    if images.dtype == np.uint8:
        return (images / 255).astype(np.float32)
    low, high = float(images.min()), float(images.max())
    return ((images - low) / (high - low or 1.0)).astype(np.float32)

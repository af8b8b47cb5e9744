"""What `dtrain mc-predict` works on: a model with dropout, of a run or of a file, and images that fit it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from dtrain.data.own import load_some
from dtrain.data.prepare import Data, prepare
from dtrain.data.scaling import Scaling, fit_scaling
from dtrain.data.sources import load_images
from dtrain.engine import backend
from dtrain.experiment.config.loading import load_experiment
from dtrain.experiment.dataset import Dataset
from dtrain.experiment.draft import LARGEST_SEED
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.regularizers import Noise
from dtrain.ground.errors import ConfigError, DataError, ModelFileError, UsageError
from dtrain.reuse.base import build_base, read_outline
from dtrain.reuse.files import read_model_file
from dtrain.runs.status import STATUS
from dtrain.statistics.uncertainty import check_rates
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.trials.trained_run import find_trained_run

if TYPE_CHECKING:
    import keras

    from dtrain.engine.model import Output

Array = npt.NDArray[Any]

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
COMMAND = "dtrain mc-predict"
MOST_SAMPLES = 1_000_000
"""The error of a mean falls with the root of the passes: a million leave a thousandth of one pass's."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Args:
        target: Name or path of a run, or a model file; None for the latest run.
        samples: Passes for each image.
        split: ``test`` or ``validation``; None for ``test``.
        images: An .npz file with images, and labels where there are any, instead of a split.
        seed: Seeds the masks.
        dataset: For a model file, the data set as an experiment file would say it.
        scaling: For a model file, how its images were scaled in training.
        index: The image to show with dropout off and on.
        save_model: Whether to write the model with its dropout always on.
        save_passes: Whether to write the probabilities of every pass.

    Raises:
        UsageError: It cannot be.
    """

    target: str | None = None
    samples: int = 100
    split: Literal["test", "validation"] | None = None
    images: Path | None = None
    seed: int = 42
    dataset: str | None = None
    scaling: str | None = None
    index: int | None = None
    save_model: bool = False
    save_passes: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.samples <= MOST_SAMPLES:
            hint = "one pass has no variance; 100 is usual"
            raise UsageError(f"got {self.samples}; expected 2 to {MOST_SAMPLES:,}", where="--samples", hint=hint)
        if not 0 <= self.seed <= LARGEST_SEED:
            raise UsageError(f"got {self.seed}; expected 0 to {LARGEST_SEED}", where="--seed")
        if self.images and self.split:
            raise UsageError("got --images and --split; expected one of them", where=COMMAND)
        if not self.is_file and (self.dataset or self.scaling):
            option = "--dataset" if self.dataset else "--scaling"
            hint = "a run has its own data set and scaling; these options are for model files"
            raise UsageError(f"got {option} with a run; expected it with a model file only", where=COMMAND, hint=hint)

    @property
    def is_file(self) -> bool:
        """Whether a model file is meant."""
        return self.target is not None and self.target.lower().endswith(MODEL_SUFFIXES)


@dataclass(frozen=True, eq=False)
class Source:
    """A model and images.

    Args:
        model: From scaled images to probabilities.
        output: What its probabilities come from.
        scaling: How the images are scaled.
        images: As stored [images, ...].
        labels: int32 [images]; None where nobody knows.
        class_names: In the order of the labels.
        split: What to call the images.
        name: What to call the model.
        path: The run folder or the model file.
        foreign: Whether dtrain does not know what it was trained on.
    """

    model: keras.Model
    output: Output
    scaling: Scaling
    images: Array
    labels: npt.NDArray[np.int32] | None
    class_names: tuple[str, ...]
    split: str
    name: str
    path: Path
    foreign: bool

    @property
    def stem(self) -> str:
        """What to name a folder of results after: the run with its group, or the file without its suffix."""
        return Path(self.name).stem if self.foreign else self.name.replace("/", "-")


def find_source(request: Request, options: RunOptions, observer: RunObserver) -> Source:
    """Returns the model and the images that a user asks for.

    Raises:
        ConfigError: The model has no dropout, or was never trained.
        DataError: The images are missing or do not fit.
        ModelFileError: The model is missing, unsafe or damaged.
    """
    backend.check_device(options.device)
    source = _of_file(request, options, observer) if request.is_file else _of_run(request, options, observer)
    if request.index is not None and not 0 <= request.index < len(source.images):
        expected = f"expected 0 to {len(source.images) - 1}, the {source.split} images"
        raise UsageError(f"got {request.index}; {expected}", where="--index")
    return source


def _of_run(request: Request, options: RunOptions, observer: RunObserver) -> Source:
    trained = find_trained_run(options.runs_dir, request.target, observer)
    path = trained.folder.path
    if not trained.folder.read_metrics():
        raise ConfigError("took no training step; expected a trained model", where=str(path))
    check_rates(_rates(trained.experiment), str(path))
    data = trained.read_data(options.data_dir, observer)
    images, labels, split = _images(request, data)
    _start(options, observer)
    model, output = trained.load(data)
    # one of several seeds is known by its group
    name = f"{path.parent.name}/{path.name}" if (path.parent / STATUS).is_file() else path.name
    return Source(model, output, data.scaling, images, labels, data.class_names, split, name, path, foreign=False)


def _rates(experiment: Experiment) -> list[float]:
    """The rates of a run's noise layers, so that nobody waits for TensorFlow to be told that there are none."""
    noise = [one for one in experiment.regularizer if isinstance(one, Noise)]
    return [rate for one in noise for rate in one.rates(experiment.network.hidden_layers)]


def _images(request: Request, data: Data) -> tuple[Array, Array | None, str]:
    if request.images is None:
        split = data.validation if request.split == "validation" else data.test
        return split.images, split.labels, request.split or "test"
    images, labels = load_some(request.images)
    _check_images(request.images, images, data.train.images.dtype, data.image_shape)
    return images, _fitting(labels, len(data.class_names), f"{request.images} labels"), request.images.name


def _check_images(path: Path, images: Array, dtype: np.dtype[Any] | None, shape: tuple[int, ...]) -> None:
    got, expected = images.shape[1:], shape
    # a grey image may have its one channel or leave it out, and a model may want the values in a row
    fitting = (expected, (*expected, 1), expected[:-1] if expected[-1] == 1 else expected)
    if got not in fitting and expected != (math.prod(got),):
        raise DataError(f"got images of shape {got}; expected {expected}, as in training", where=f"{path} images")
    if dtype is not None and images.dtype != dtype:
        message = f"got {images.dtype} images; expected {dtype}, as the training images are"
        raise DataError(message, where=f"{path} images", hint="save them in the type and range of the training images")


def _fitting(labels: Array | None, classes: int, where: str) -> npt.NDArray[np.int32] | None:
    """Returns labels as int32 where they are classes of the model."""
    if labels is None:
        return None
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        first = int(wrong[0])
        expected = f"expected 0 to {classes - 1}, the classes of the model"
        raise DataError(f"got label {labels[first]} at index {first}; {expected}", where=where)
    return labels.astype(np.int32)


def _start(options: RunOptions, observer: RunObserver) -> None:
    observer.on_phase("starting TensorFlow")
    backend.start(options.device)


def _of_file(request: Request, options: RunOptions, observer: RunObserver) -> Source:
    assert request.target is not None
    path = Path(request.target)
    if not path.is_file():
        hint = "give the path of a .keras or .h5 file, or the name of a run without a suffix"
        raise ModelFileError("got no such file; expected a model file of Keras", where=str(path), hint=hint)
    # before anything is asked about it, and read only once
    file = read_model_file(path)
    dataset = _dataset(request)
    outline = read_outline(file)
    data = None
    if dataset is not None:
        observer.on_phase(f"reading {dataset.name}")
        data = prepare(dataset, load_images(dataset.name, options.data_dir, observer.on_download))
    if data is None:
        images, labels, split, scaling = _unrelated_images(request)
    else:
        images, labels, split = _images(request, data)
        scaling = data.scaling
    _check_images(request.images or path, images, None, outline.architecture.input_shape)
    _start(options, observer)
    base = build_base(outline.taking(images.shape[1:]))
    names = data.class_names if data else tuple(map(str, range(base.classes)))
    if len(names) != base.classes:
        hint = "keep the model's classes, in their order: --dataset '{name: ..., classes: [0, 1, ...]}'"
        raise DataError(f"got {len(names)} classes; expected {base.classes}, the model's", where="--dataset", hint=hint)
    labels = _fitting(labels, base.classes, f"{request.images} labels")
    images = images.reshape(len(images), *base.input_shape)
    output: Output = "sigmoid" if base.model.output_shape[-1] == 1 else "softmax"
    return Source(base.model, output, scaling, images, labels, names, split, path.name, path, foreign=True)


def _unrelated_images(request: Request) -> tuple[Array, Array | None, str, Scaling]:
    """Returns the images of a file for a model whose own nobody knows."""
    assert request.images is not None
    images, labels = load_some(request.images)
    return images, labels, request.images.name, fit_scaling("none" if request.scaling == "none" else "unit", images)


def _dataset(request: Request) -> Dataset | None:
    """Returns the data set that a model file was trained on, which only the user knows; None where it is not needed."""
    if request.dataset is None:
        if not request.images or request.scaling == "standardize":
            hint = "name the images it was trained on, for example --dataset fashion_mnist; a file does not say"
            raise UsageError("got a model file without --dataset", where=COMMAND, hint=hint)
        return None
    scaling = [f"dataset.scaling={request.scaling}"] if request.scaling else []
    return load_experiment(None, [f"dataset={request.dataset}", *scaling]).dataset

"""A run whose model is there: the same images again, and the model, without trusting the model file."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dtrain.data.prepare import Data, prepare
from dtrain.data.sources import load_images
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DataError, ModelFileError
from dtrain.ground.reading import DAMAGE
from dtrain.runs.catalogue import find_run
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import STATES_IN_WORDS, current_status
from dtrain.trials.observer import RunObserver

if TYPE_CHECKING:
    import keras

    from dtrain.engine.model import Output

BYTES_PER_PARAMETER = 4
ARCHIVE_OVERHEAD = 2**24
"""Bytes that names and attributes may take in a file of weights."""


@dataclass(frozen=True)
class TrainedRun:
    """A run with a model.

    The model is built from the run's config; of the model file only the arrays are read, so that a run folder may
    come from a stranger.

    Args:
        folder: Its folder.
        experiment: What was trained.
    """

    folder: RunFolder
    experiment: Experiment

    def read_data(self, data_dir: Path | None, observer: RunObserver) -> Data:
        """Returns the data that the run was trained on.

        Raises:
            DataError: It is missing, or another.
        """
        dataset = self.experiment.dataset
        observer.on_phase(f"reading {dataset.name}")
        data = prepare(dataset, load_images(dataset.name, data_dir, observer.on_download))
        _check_digest(self.folder, data)
        return data

    def load(self, data: Data) -> tuple[keras.Model, Output]:
        """Returns the model, of stock Keras layers, and what its probabilities come from.

        Raises:
            ModelFileError: It is damaged or does not fit the config.
        """
        from dtrain.engine.model import build_model, output_kind, stock_model

        classes = len(data.class_names)
        model = stock_model(build_model(self.experiment, data.image_shape, classes, self.experiment.seed))
        _load_weights(model, self.folder.model_path("keras"))
        return model, output_kind(self.experiment, classes)


def find_trained_run(runs_dir: Path, run: str | None, observer: RunObserver) -> TrainedRun:
    """Returns the run that a user means, which has a model.

    Args:
        runs_dir: Folder of all run folders.
        run: Name or path of the run; None for the latest. Of several seeds the first is taken.
        observer: Told which seed that is.

    Raises:
        ModelFileError: It has no model.
        DtrainError: There is no such run.
    """
    folder = _one_run(find_run(runs_dir, run), observer)
    experiment = folder.read_experiment()
    _check_model_is_there(folder)
    return TrainedRun(folder, experiment)


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

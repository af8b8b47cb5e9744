"""A run whose model is there: the same images again, and the model, without trusting the model file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dtrain.data.prepare import Data, prepare
from dtrain.data.sources import load_images
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DataError, ModelFileError
from dtrain.reuse.contents import read_contents
from dtrain.reuse.files import read_model_file
from dtrain.reuse.recorded import check_recorded
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
            ModelFileError: It is damaged, does not fit the config, or is that of another run.
        """
        from dtrain.engine.model import build_model, output_kind, stock_model
        from dtrain.reuse.building import fill

        classes = len(data.class_names)
        model = stock_model(build_model(self.experiment, data.image_shape, classes, self.experiment.seed))
        path, most = self.folder.model_path("keras"), BYTES_PER_PARAMETER * model.count_params() + ARCHIVE_OVERHEAD
        try:
            fill(model, read_contents(read_model_file(path, most), most), path)
        except ModelFileError as error:
            hint = "train again; the run's config.yaml repeats it"
            raise ModelFileError(error.problems[0].message, where=str(path), hint=hint) from error
        check_recorded(model, path)
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

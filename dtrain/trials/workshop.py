"""The workshop: a device, data sets and compiled networks, used again by every trial that may use them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dtrain.data.images import ImageSet
from dtrain.data.prepare import Data, prepare
from dtrain.data.sources import load_images
from dtrain.engine.backend import Backend, check_device, start
from dtrain.experiment.dataset import Dataset, is_path
from dtrain.experiment.spec import Experiment
from dtrain.trials.compiled import Compiled, fingerprint
from dtrain.trials.observer import Phases, RunObserver
from dtrain.trials.request import RunOptions

if TYPE_CHECKING:
    from dtrain.trials.network import Network

KEPT = 4
"""Of each kind the last few are kept: they may be large, and who compares experiments takes turns with a few."""
DEEP_ENOUGH_TO_WAIT = 10
"""Hidden layers from which compiling takes so long that a user should be told."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Workshop:
    """What trials share.

    Args:
        options: Device and data folder.
        observer: Shown what takes a while.

    Raises:
        UsageError: There is no such kind of device.
    """

    def __init__(self, options: RunOptions, observer: RunObserver) -> None:
        check_device(options.device)
        self.options, self.observer = options, observer
        self._phases = Phases(observer)
        self._started: Backend | None = None
        self._images: dict[str, ImageSet] = {}
        self._data: dict[Dataset, Data] = {}
        self._compiled: dict[str, Compiled] = {}

    def images(self, name: str, why: str = "") -> ImageSet:
        """Returns all images of a data set.

        Args:
            name: Its name or path.
            why: What to say of it where it has to be read.

        Raises:
            DtrainError: They are missing or damaged.
        """
        return _kept(self._images, name, partial(self._read, name, why), most=1)

    def data(self, dataset: Dataset) -> Data:
        """Returns the images that a section asks for, split and scaled.

        Raises:
            DtrainError: They are missing, damaged or do not allow it.
        """
        images = self.images(dataset.name)
        return _kept(self._data, dataset, partial(self._prepare, dataset, images))

    def start(self) -> Backend:
        """Returns the device in use and the versions; TensorFlow starts when somebody asks first.

        Raises:
            DtrainError: There is no such device, or the environment does not allow it.
        """
        if self._started is None:
            with self._phases.of("start", "starting TensorFlow"):
                self._started = start(self.options.device)
        return self._started

    def resolved(self, experiment: Experiment, *, convolutional: bool) -> Experiment:
        """Returns the experiment with nothing left to choose, so that running it anywhere again repeats the run.

        Args:
            experiment: What to train.
            convolutional: Whether there is a convolution in its network.
        """
        device = self.start().device
        from dtrain.engine.epoch import choose_compiler

        compiler = choose_compiler(experiment.training.engine, convolutional=convolutional, device=device)
        training, dataset = experiment.training.model_copy(update={"engine": compiler}), experiment.dataset
        if is_path(dataset.name):
            dataset = dataset.model_copy(update={"name": str(Path(dataset.name).expanduser().absolute())})
        return experiment.model_copy(update={"training": training, "dataset": dataset})

    def take_seconds(self) -> dict[str, float]:
        """Returns how long it took to read data and to start; each second is told once, to whoever asks first."""
        phases, self._phases = self._phases, Phases(self.observer)
        return phases.seconds

    def compiled(self, experiment: Experiment, network: Network, data: Data) -> Compiled:
        """Returns what is compiled for an experiment and for all that differ from it in `RUNTIME_INPUTS` alone.

        Args:
            experiment: What to train, with nothing left to choose.
            network: Builds its network.
            data: Its images.
        """
        key = fingerprint(experiment, network, data)
        return _kept(self._compiled, key, partial(self._compile, experiment, network, data))

    def _read(self, name: str, why: str) -> ImageSet:
        with self._phases.of("data", f"reading {name}{why}"):
            return load_images(name, self.options.data_dir, self.observer.on_download)

    def _prepare(self, dataset: Dataset, images: ImageSet) -> Data:
        with self._phases.of("data"):
            return prepare(dataset, images)

    def _compile(self, experiment: Experiment, network: Network, data: Data) -> Compiled:
        if (layers := experiment.network.hidden_layers) >= DEEP_ENOUGH_TO_WAIT:
            self.observer.on_phase(f"compiling {layers} hidden layers, which takes a while before the first step")
        return Compiled(experiment, network, data)


def _kept(shelf: dict[Key, Value], key: Key, make: Callable[[], Value], most: int = KEPT) -> Value:
    """Returns what is on a shelf or is made for it; what has not been asked for the longest goes."""
    found = shelf.pop(key) if key in shelf else make()
    shelf[key] = found
    for oldest in list(shelf)[:-most]:
        del shelf[oldest]
    return found

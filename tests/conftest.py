"""What tests share: TensorFlow on the CPU, and a few hundred real images of the bundled sample."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import pytest

from dtrain.data.images import ImageSet
from dtrain.data.prepare import Data, prepare
from dtrain.data.sources import load_images
from dtrain.experiment.dataset import Dataset
from dtrain.ground.signals import WATCHED


@pytest.fixture(scope="session", autouse=True)
def heard_signals() -> Iterator[None]:
    """A suite started in the background ignores Ctrl-C, and under nohup a closed terminal, which its tests send."""
    ignored = [number for number in WATCHED if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session")
def image_set() -> ImageSet:
    """The bundled Fashion-MNIST sample as it is stored."""
    return load_images("fashion_mnist_sample", None)


@pytest.fixture(scope="session")
def data(image_set: ImageSet) -> Data:
    """70 training images: at batch size 16 four whole batches and a partial one."""
    return prepare(Dataset(name="fashion_mnist_sample", train_limit=70), image_set)


@pytest.fixture
def hasty_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes files without waiting for the disk: tests that make up many runs need not survive a loss of power."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)

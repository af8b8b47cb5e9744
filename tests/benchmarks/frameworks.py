"""Seconds per epoch of dtrain, Keras and whatever other framework is installed: python -m tests.benchmarks.frameworks

Everybody trains 784-300-100-10 with ReLU and momentum on the same 55,000 images in batches of 32, in the way that the
framework's own introduction shows; PyTorch and JAX get the data as one array in memory, as dtrain does. Each framework
has a process of its own, and the processes take turns; the first epoch of each, which compiles, does not count.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.data.prepare import Data, prepare
from dtrain.data.sources import load_images
from dtrain.experiment.spec import Experiment

ROUNDS, EPOCHS, BATCH, RATE, MOMENTUM = 3, 4, 32, 0.01, 0.9
SIZES = (784, 300, 100, 10)

Epoch = Callable[[], object]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def main() -> None:
    """Prints seconds per epoch, median and spread over the rounds, and the ratio to dtrain's."""
    installed = {name: package for name, (package, _) in FRAMEWORKS.items() if importlib.util.find_spec(package)}
    seconds: dict[str, list[float]] = {name: [] for name in installed}
    for _ in range(ROUNDS):
        for name in installed:
            seconds[name].append(_in_a_process(name))
    print(f"{os.cpu_count()} cores, {ROUNDS} processes each, {EPOCHS - 1} epochs in each")
    print("| framework | s per epoch (smallest to largest) | of dtrain's |")
    print("|---|---|---|")
    ours = statistics.median(seconds["dtrain"])
    for name, each in seconds.items():
        median = statistics.median(each)
        print(
            f"| {name} {_version(installed[name])} | {median:.2f} ({min(each):.2f} to {max(each):.2f}) "
            f"| {median / ours:.1f} x |"
        )


def _version(package: str) -> str:
    return importlib.metadata.version(package)


def _in_a_process(name: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.frameworks", name]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return float(printed.split()[-1])


def measure(name: str) -> float:
    """Returns the median of the seconds that an epoch takes in this process, the first one left out."""
    data_dir = os.environ.get("DTRAIN_DATA_DIR")
    experiment = Experiment.model_validate(
        {
            "dataset": "fashion_mnist",
            "activation": "relu",
            "schedule": "constant",
            "regularizer": [],
            "optimizer": {"kind": "sgd", "learning_rate": RATE, "momentum": MOMENTUM},
        }
    )
    data = prepare(experiment.dataset, load_images("fashion_mnist", Path(data_dir) if data_dir else None))
    epoch = FRAMEWORKS[name][1](experiment, data)
    seconds = []
    for _ in range(EPOCHS):
        began = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def _arrays(data: Data) -> tuple[Images, Labels]:
    images = data.scaling.apply(data.train.images)
    return images.reshape(len(images), -1), data.train.labels.astype(np.int64)


def _dtrain(experiment: Experiment, data: Data) -> Epoch:
    from dtrain.engine import backend
    from tests.benchmarks.speed import our_epoch

    backend.start("cpu")
    return our_epoch(experiment, data)


def _keras(experiment: Experiment, data: Data) -> Epoch:
    from dtrain.engine import backend
    from tests.benchmarks.speed import fit_epoch

    backend.start("cpu")
    return fit_epoch(experiment, data)


def _torch_network() -> Any:
    import torch

    layers: list[Any] = []
    for before, after in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def _pytorch(experiment: Experiment, data: Data) -> Epoch:
    import torch

    images, labels = (torch.from_numpy(array) for array in _arrays(data))
    network = _torch_network()
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM)
    measure_loss = torch.nn.CrossEntropyLoss()

    def epoch() -> None:
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = measure_loss(network(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


def _lightning(experiment: Experiment, data: Data) -> Epoch:
    import lightning
    import torch

    class Classifier(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = _torch_network()

        def training_step(self, batch: Any, number: int) -> Any:
            return torch.nn.functional.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=RATE, momentum=MOMENTUM)

    examples = torch.utils.data.TensorDataset(*(torch.from_numpy(array) for array in _arrays(data)))
    loader = torch.utils.data.DataLoader(examples, batch_size=BATCH, shuffle=True)
    classifier = Classifier()

    def epoch() -> None:
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **quiet)
        trainer.fit(classifier, loader)

    return epoch


def _fastai(experiment: Experiment, data: Data) -> Epoch:
    import torch
    from fastai.basics import SGD, DataLoader, DataLoaders, Learner
    from fastai.callback.progress import ProgressCallback

    images, labels = (torch.from_numpy(array) for array in _arrays(data))
    examples = list(zip(images, labels, strict=True))
    # fastai validates after each epoch, which is not measured elsewhere: one batch costs nothing
    training, validation = (
        DataLoader(some, bs=BATCH, shuffle=True, num_workers=0) for some in (examples, examples[:BATCH])
    )
    loaders = DataLoaders(training, validation)
    learner = Learner(loaders, _torch_network(), loss_func=torch.nn.CrossEntropyLoss(), opt_func=SGD, lr=RATE)

    learner.remove_cb(ProgressCallback)

    def epoch() -> None:
        with learner.no_logging():
            learner.fit(1)

    return epoch


def _jax(experiment: Experiment, data: Data) -> Epoch:
    import jax
    import jax.numpy as jnp

    images, labels = (jnp.asarray(array) for array in _arrays(data))
    generator = np.random.default_rng(0)
    state = [
        (jnp.asarray(generator.normal(size=shape) * (2 / shape[0]) ** 0.5, jnp.float32), jnp.zeros(shape[1]))
        for shape in itertools.pairwise(SIZES)
    ]

    def loss(layers: Any, batch: Any) -> Any:
        signal = images[batch]
        for kernel, bias in layers[:-1]:
            signal = jax.nn.relu(signal @ kernel + bias)
        scores = jax.nn.log_softmax(signal @ layers[-1][0] + layers[-1][1])
        return -scores[jnp.arange(BATCH), labels[batch]].mean()

    def step(carried: Any, batch: Any) -> Any:
        layers, velocities = carried
        gradients = jax.grad(loss)(layers, batch)
        velocities = jax.tree.map(lambda velocity, one: MOMENTUM * velocity - RATE * one, velocities, gradients)
        return (jax.tree.map(jnp.add, layers, velocities), velocities), None

    scan = jax.jit(lambda carried, batches: jax.lax.scan(step, carried, batches)[0])
    carried = [state, jax.tree.map(jnp.zeros_like, state)]

    def epoch() -> None:
        whole = len(images) // BATCH * BATCH
        order = generator.permutation(len(images))[:whole].reshape(-1, BATCH)
        carried[:] = jax.block_until_ready(scan(tuple(carried), order))

    return epoch


FRAMEWORKS: dict[str, tuple[str, Callable[[Experiment, Data], Epoch]]] = {
    "dtrain": ("dtrain", _dtrain),
    "Keras `model.fit`": ("keras", _keras),
    "JAX `lax.scan`": ("jax", _jax),
    "PyTorch": ("torch", _pytorch),
    "Lightning": ("lightning", _lightning),
    "fastai": ("fastai", _fastai),
}
"""The name, the package that it is installed as, and what makes its epoch."""


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(sys.argv[1]))
    else:
        main()

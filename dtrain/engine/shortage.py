"""What to say where a device cannot do what is asked: too little memory, or no way to repeat an operation exactly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dtrain.data.prepare import Data
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.networks import TRAINING_BYTES_PER_PARAMETER
from dtrain.ground.errors import EnvironmentProblem


def device_problem(error: BaseException) -> EnvironmentProblem | None:
    """Returns what a device could not do, or None where something else is wrong.

    Args:
        error: What Python, NumPy or TensorFlow raised.
    """
    if _is_shortage(error):
        return EnvironmentProblem(
            "ran out of memory", hint="take smaller batches or fewer images, or end other programs"
        )
    if _is_from_tensorflow(error, "UnimplementedError") and "deterministic" in str(error).lower():
        message = f"cannot be repeated exactly: {str(error).splitlines()[0]}"
        return EnvironmentProblem(message, where="--device", hint="every operation can be on the CPU: use --device cpu")
    return None


def _is_shortage(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or _is_from_tensorflow(error, "ResourceExhaustedError")


def _is_from_tensorflow(error: BaseException, name: str) -> bool:
    """Whether it is TensorFlow's error of this name; without TensorFlow there is none, and none is loaded."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, getattr(tensorflow.errors, name))


@contextmanager
def shortage_explained(experiment: Experiment, data: Data, device: str) -> Iterator[None]:
    """Turns a shortage of memory inside into an estimate of what the experiment needs, and what to make smaller.

    Args:
        experiment: What is trained.
        data: Its images.
        device: Where: ``cpu`` or ``gpu:N``.

    Raises:
        EnvironmentProblem: There was not enough memory.
    """
    try:
        yield
    except Exception as error:
        if not _is_shortage(error):
            raise
        batch_size = experiment.training.batch_size
        message = f"ran out of memory with batches of {batch_size}; expected at least {_needs(experiment, data)}"
        smaller = f"make training.batch_size smaller than {batch_size}, the layers fewer or smaller"
        others = "end what else uses the GPU" if device.startswith("gpu") else "end what else uses memory"
        raise EnvironmentProblem(message, where=device, hint=f"{smaller}, or {others}") from error


def _needs(experiment: Experiment, data: Data) -> str:
    parameters = experiment.network.parameters(data.image_shape, len(data.class_names))
    weights = parameters * TRAINING_BYTES_PER_PARAMETER
    images = sum(part.images.nbytes for part in (data.train, data.validation, data.test))
    total, weights_in_gb, images_in_gb = (f"{size / 1e9:.2g} GB" for size in (weights + images, weights, images))
    return f"{total}: {weights_in_gb} for {parameters:,} parameters in training, {images_in_gb} for the images"

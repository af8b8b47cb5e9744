"""The start of TensorFlow and Keras: refuse settings that would silently change a run, be quiet, choose the device."""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtrain.ground.errors import EnvironmentProblem, UsageError
from dtrain.ground.version import __version__

KERAS_DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
"""What a run must not inherit differently from the machine that it happens on."""
PYTHONS = "3.11, 3.12 or 3.13"
"""Those that TensorFlow is built for."""


@dataclass(frozen=True)
class Backend:
    """What the run trains on.

    Args:
        device: ``cpu`` or ``gpu:N``.
        versions: Versions of Python, TensorFlow, Keras, NumPy and dtrain.
        processor: What computes, and on how many cores: sums are taken in another order on others.
    """

    device: str
    versions: dict[str, str]
    processor: str

    @property
    def surroundings(self) -> dict[str, str]:
        """What equal bytes depend on, beside experiment and data."""
        return self.versions | {"device": self.device, "processor": self.processor}


def check_device(device: str) -> None:
    """Refuses a device that is none of ``auto``, ``cpu``, ``gpu`` and ``gpu:N``, without starting TensorFlow.

    Raises:
        UsageError: The name is none of these.
    """
    if not re.fullmatch(r"auto|cpu|gpu(:\d+)?", device):
        raise UsageError(f"got {device!r}; expected auto, cpu, gpu or gpu:N", where="--device")


def start(device: str = "auto") -> Backend:
    """Imports TensorFlow and Keras, which takes seconds, and makes one device visible.

    Args:
        device: ``auto`` takes the first GPU where there is one, else the CPU; ``cpu``; or ``gpu:N``.

    Returns:
        The device in use and the versions.

    Raises:
        EnvironmentProblem: A setting outside dtrain would change the run, or the device is not there.
    """
    check_device(device)
    _refuse_foreign_settings()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _quiet_descriptor(), _import_explained():
        import keras
        import tensorflow
    import numpy

    # neither compiling several epochs on purpose nor writing .h5, which a user asked for, is a reason to warn
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    chosen = _choose_device(device)
    versions = {
        "python": sys.version.split()[0],
        "tensorflow": tensorflow.__version__,
        "keras": keras.__version__,
        "numpy": numpy.__version__,
        "dtrain": __version__,
    }
    return Backend(chosen, versions, _processor())


@contextmanager
def _quiet_descriptor() -> Iterator[None]:
    """Keeps back what C++ code writes to standard error while it starts; it is shown where starting fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept_back, open(os.dup(2), "wb") as standard_error:
        os.dup2(kept_back.fileno(), 2)
        try:
            yield
        except BaseException:
            kept_back.seek(0)
            standard_error.write(kept_back.read())
            raise
        finally:
            os.dup2(standard_error.fileno(), 2)


def _refuse_foreign_settings() -> None:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise EnvironmentProblem(
            f"got {backend!r}; expected 'tensorflow'", where="KERAS_BACKEND", hint="unset KERAS_BACKEND"
        )
    if os.environ.get("TF_USE_LEGACY_KERAS", "0").lower() not in ("", "0", "false"):
        raise EnvironmentProblem(
            "is set; dtrain trains with Keras 3", where="TF_USE_LEGACY_KERAS", hint="unset TF_USE_LEGACY_KERAS"
        )
    if "KERAS_MAX_EPOCHS" in os.environ:
        raise EnvironmentProblem(
            "is set and would cut runs short", where="KERAS_MAX_EPOCHS", hint="unset KERAS_MAX_EPOCHS"
        )
    settings = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "keras.json"
    found = _keras_settings(settings)
    for name, expected in KERAS_DEFAULTS.items():
        received = found.get(name, expected)
        if received != expected:
            message = f"got {received!r}; expected {expected!r}"
            raise EnvironmentProblem(message, where=f"{settings} {name}", hint=f"remove {name} from this file")


def _keras_settings(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _import_explained() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        message = f"cannot be imported: {str(error).splitlines()[0]}"
        this = f"this is Python {platform.python_version()}"
        hint = f"{this}; dtrain needs Python {PYTHONS}: install it in a new environment of one of them"
        if "failed to map" in message or "cannot allocate memory" in message.lower():
            hint = "there is too little memory for it: end other programs, or raise the limit of `ulimit -v`"
        raise EnvironmentProblem(message, where=error.name or "TensorFlow", hint=hint) from error


def _processor() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = None
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{found[1] if found else platform.processor() or platform.machine()}, {cores} cores"


def _choose_device(device: str) -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if device == "cpu" or (device == "auto" and not gpus):
        tf.config.set_visible_devices([], "GPU")
        return "cpu"
    number = int(device.partition(":")[2] or 0)
    if number >= len(gpus):
        raise EnvironmentProblem(
            f"got {device!r}; TensorFlow sees {len(gpus)} GPUs", where="--device", hint="use --device cpu"
        )
    tf.config.set_visible_devices(gpus[number], "GPU")
    tf.config.experimental.set_memory_growth(gpus[number], True)
    # the CPU's operations give equal bytes without being asked
    tf.config.experimental.enable_op_determinism()
    return f"gpu:{number}"

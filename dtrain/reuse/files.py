"""The bytes of a model file, read once, and what they are by their first letters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dtrain.ground.errors import DtrainError, ModelFileError
from dtrain.ground.reading import read_whole
from dtrain.runs.folder import CONFIG, RunFolder
from dtrain.runs.status import STATUS

LARGEST_FILE = 2 * 2**30
"""Bytes; a model of the most parameters with two optimizer slots takes 1.2 GB."""
HDF5_MAGIC, ZIP_MAGIC = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
SUPPORTED = "expected a .h5 or .keras file of Keras, or the folder of a dtrain run"
OTHER_KINDS = {".pkl": "a pickle", ".pickle": "a pickle", ".pt": "a PyTorch file", ".pth": "a PyTorch file"}
OTHER_KINDS |= {".onnx": "an ONNX file", ".pb": "a TensorFlow graph", ".tflite": "a TensorFlow Lite file"}
SUFFIXES = {"hdf5": (".h5", ".hdf5"), "zip": (".keras",)}
NAMES = {"hdf5": "an HDF5 file", "zip": "a zip archive"}


@dataclass(frozen=True)
class ModelFile:
    """A model file in memory.

    Args:
        path: Where it was.
        content: All of it.
        kind: What its first bytes say.
    """

    path: Path
    content: bytes
    kind: Literal["hdf5", "zip"]


def read_model_file(path: Path, most: int = LARGEST_FILE) -> ModelFile:
    """Reads a model file, or the model of a run folder, as a whole.

    Args:
        path: The file or folder.
        most: Bytes that the file may have.

    Raises:
        ModelFileError: There is no such file, or it is no model of a supported kind.
    """
    if path.is_dir():
        path = _model_in(path)
    content = _read(path, most)
    return ModelFile(path, content, _kind(path, content))


def run_behind(path: Path) -> dict[str, Any] | None:
    """Returns how the dtrain run that a model file lies in scaled its images, as `Base.scaling`; None if in none."""
    folder = path.parent
    if not (folder / STATUS).is_file() or not (folder / CONFIG).is_file():
        return None
    try:
        experiment = RunFolder(folder).read_experiment()
        dataset = experiment.dataset
        found = {"kind": dataset.scaling, "dataset": dataset.model_dump(mode="json")}
        if dataset.scaling != "standardize" and dataset.known:
            return found
        # the images that decided in a transfer were those of its own base
        digest = None if experiment.transfer else RunFolder(folder).read_summary().get("dataset_digest")
    except DtrainError:
        return None
    return found | {"digest": digest} if digest else None


def _model_in(folder: Path) -> Path:
    if (folder / "saved_model.pb").exists():
        raise ModelFileError(f"got a SavedModel folder; {SUPPORTED}", where=str(folder), hint="save it as .keras")
    candidates = [folder, *sorted(folder.glob("seed-*"), key=lambda one: (len(one.name), one.name))]
    for candidate in candidates if (folder / STATUS).is_file() else ():
        for name in ("model.keras", "model.h5"):
            if (candidate / name).is_file():
                return candidate / name
    found = "a run without a model" if (folder / STATUS).is_file() else "a folder"
    raise ModelFileError(f"got {found}; {SUPPORTED}", where=str(folder))


def _read(path: Path, most: int) -> bytes:
    try:
        return read_whole(path, most)
    except FileNotFoundError:
        raise ModelFileError(f"does not exist; {SUPPORTED}", where=str(path)) from None
    except OSError as error:
        raise ModelFileError(f"cannot be read: {error.strerror}; {SUPPORTED}", where=str(path)) from None
    except ValueError as error:
        raise ModelFileError(str(error), where=str(path)) from None


def _kind(path: Path, content: bytes) -> Literal["hdf5", "zip"]:
    suffix = path.suffix.lower()
    if not content:
        raise ModelFileError(f"got an empty file; {SUPPORTED}", where=str(path))
    if suffix in OTHER_KINDS:
        message = f"got {OTHER_KINDS[suffix]}, which is not a supported base; {SUPPORTED}"
        raise ModelFileError(message, where=str(path))
    kind: Literal["hdf5", "zip"] | None = None
    if content.startswith(HDF5_MAGIC):
        kind = "hdf5"
    elif content.startswith(ZIP_MAGIC):
        kind = "zip"
    if kind is None:
        raise ModelFileError(f"got {_seen(content)}, which is not a supported base; {SUPPORTED}", where=str(path))
    if suffix not in SUFFIXES[kind]:
        other = " or ".join(SUFFIXES[kind])
        message = f"got {NAMES[kind]} named {suffix or 'without a suffix'!r}; expected {other} for that"
        raise ModelFileError(message, where=str(path), hint=f"rename it to {path.stem}{SUFFIXES[kind][0]}")
    return kind


def _seen(content: bytes) -> str:
    try:
        content[:1024].decode()
    except UnicodeDecodeError:
        return f"bytes that begin with {content[:4].hex(' ')}"
    return "a text file"

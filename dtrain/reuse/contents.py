"""What a model file holds: the text of its architecture and its arrays, as plain data."""

from __future__ import annotations

import io
import json
import math
import re
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dtrain.experiment.techniques.networks import MAXIMUM_PARAMETERS
from dtrain.ground.errors import ModelFileError
from dtrain.ground.printable import clipped
from dtrain.reuse import hdf5_reader
from dtrain.reuse.files import ModelFile

Layout = Literal["model", "weights"]

LARGEST_ARRAYS = 4 * 4 * MAXIMUM_PARAMETERS
"""Bytes: the most weights, and an optimizer's three slots for each, which are not read."""
LARGEST_CONFIGURATION = 8 * 2**20
READER_SECONDS = 120
LONGEST_REASON = 200
DAMAGED = "damaged or incomplete"
AGAIN = "get the file again, or save the model again"


@dataclass(frozen=True)
class StoredLayer:
    """The arrays of one layer.

    Args:
        group: Where the file keeps them: in .h5 the layer's name, in .keras a number of its class.
        name: The layer's name; empty where the file does not say.
        weights: The name of each array, as the file has it.
        arrays: float32, one for each weight.
    """

    group: str
    name: str
    weights: tuple[str, ...]
    arrays: tuple[npt.NDArray[np.float32], ...]


@dataclass(frozen=True)
class Contents:
    """A model file as plain data.

    Args:
        configuration: The architecture, parsed from JSON and not looked at.
        layout: ``model`` where one .h5 holds all, ``weights`` where a .keras keeps the arrays by class and number.
        layers: The layers that have arrays.
        written_by: Keras's version; empty where the file does not say.
    """

    configuration: dict[str, Any]
    layout: Layout
    layers: tuple[StoredLayer, ...]
    written_by: str = ""


def read_contents(file: ModelFile, largest: int | None = None) -> Contents:
    """Takes a model file to pieces.

    Args:
        file: Its bytes.
        largest: Bytes that its arrays may take; None for as many as any model's.

    Raises:
        ModelFileError: It is damaged, unsafe, too large, or holds no architecture.
    """
    largest = largest or LARGEST_ARRAYS
    if file.kind == "hdf5":
        head, layers = _read_hdf5(file.content, "model", file.path, largest)
        if not head["configuration"]:
            kind = "weights without an architecture" if layers or head["has_weights"] else "no Keras model"
            hint = "save the whole model: `model.save(...)`, not `model.save_weights(...)`"
            raise ModelFileError(f"holds {kind}", where=str(file.path), hint=hint)
        return Contents(_parse(head["configuration"], file.path), "model", layers, _version(head["written_by"]))
    configuration, weights, metadata = _unpack(file, largest)
    _, layers = _read_hdf5(weights, "weights", file.path, largest)
    written_by = _parse(metadata, file.path).get("keras_version", "")
    return Contents(_parse(configuration, file.path), "weights", layers, _version(written_by))


def _version(text: object) -> str:
    return text if isinstance(text, str) and re.fullmatch(r"[0-9][0-9a-z.+-]{,20}", text) else ""


def _unpack(file: ModelFile, largest: int) -> tuple[bytes, bytes, bytes]:
    """Returns architecture, arrays and what is said of them."""
    try:
        with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
            names = archive.namelist()
            for name in ("config.json", "model.weights.h5"):
                if name not in names:
                    found = ", ".join(map(clipped, names[:5])) or "nothing"
                    message = f"got an archive of {found}; expected config.json and model.weights.h5"
                    raise ModelFileError(message, where=str(file.path), hint="save it with Keras 3 as .keras")
            metadata = b"{}"
            if "metadata.json" in names:
                metadata = _member(archive, "metadata.json", LARGEST_CONFIGURATION, file.path)
            configuration = _member(archive, "config.json", LARGEST_CONFIGURATION, file.path)
            return configuration, _member(archive, "model.weights.h5", largest, file.path), metadata
    except ModelFileError:
        raise
    # a zip archive fails in many ways: encrypted, of an unknown compression, with names that are no text
    except Exception as error:
        raise ModelFileError(f"{DAMAGED}: {str(error)[:LONGEST_REASON]}", where=str(file.path), hint=AGAIN) from None


def _member(archive: zipfile.ZipFile, name: str, largest: int, path: Path) -> bytes:
    with archive.open(name) as member:
        return _bounded(member, largest, path)


def _bounded(member: Any, largest: int, path: Path) -> bytes:
    """Reads at most so many bytes, whatever the archive declares."""
    content: bytes = member.read(largest + 1)
    if len(content) > largest:
        raise ModelFileError(f"{member.name} unpacks to more than {largest:,} bytes", where=str(path))
    return content


def _parse(configuration: str | bytes, path: Path) -> dict[str, Any]:
    if len(configuration) > LARGEST_CONFIGURATION:
        raise ModelFileError(f"an architecture of {len(configuration):,} bytes", where=str(path))
    try:
        parsed = json.loads(configuration, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        message = f"{DAMAGED}: the architecture is no JSON: {error}"[:LONGEST_REASON]
        raise ModelFileError(message, where=str(path), hint=AGAIN) from None
    if not isinstance(parsed, dict):
        raise ModelFileError(f"{DAMAGED}: the architecture is no mapping", where=str(path), hint=AGAIN)
    return parsed


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _read_hdf5(
    content: bytes, layout: Layout, path: Path, largest: int
) -> tuple[dict[str, Any], tuple[StoredLayer, ...]]:
    output = _run_reader(content, layout, path, largest)
    line, _, stream = output.partition(b"\n")
    try:
        head = json.loads(line)
    except ValueError:
        raise ModelFileError(f"{DAMAGED}: its HDF5 reader gave no answer", where=str(path), hint=AGAIN) from None
    if "refused" in head:
        raise ModelFileError(f"unsafe or no model: {head['refused']}", where=str(path), hint="nothing of it was loaded")
    if "damaged" in head:
        raise ModelFileError(f"{DAMAGED}: {head['damaged']}", where=str(path), hint=AGAIN)
    arrays, start = {}, 0
    for name, one in head["arrays"].items():
        stored, shape = np.dtype(one["dtype"]), tuple(one["shape"])
        array = np.frombuffer(stream, stored, math.prod(shape), start)
        start += array.nbytes
        # what is too large becomes infinite, and is refused as such
        with np.errstate(over="ignore"):
            arrays[name] = array.reshape(shape).astype(np.float32)
    layers = (
        StoredLayer(one["group"], one["name"], tuple(one["arrays"]), tuple(arrays[name] for name in one["arrays"]))
        for one in head["layers"]
    )
    return head, tuple(one for one in layers if one.arrays)


def _run_reader(content: bytes, layout: Layout, path: Path, largest: int) -> bytes:
    """Parses in a child: the HDF5 library is written in C, and some damaged files crash it."""
    command = [sys.executable, "-P", str(Path(hdf5_reader.__file__)), layout, str(largest)]
    try:
        finished = subprocess.run(command, input=content, capture_output=True, timeout=READER_SECONDS)
    except subprocess.TimeoutExpired:
        message = f"{DAMAGED}: reading it took more than {READER_SECONDS} seconds"
        raise ModelFileError(message, where=str(path), hint=AGAIN) from None
    if finished.returncode < 0:
        number = -finished.returncode
        name = signal.Signals(number).name if number in {one.value for one in signal.Signals} else "unknown"
        message = f"{DAMAGED}: the process that read it died by signal {number} ({name})"
        raise ModelFileError(message, where=str(path), hint=AGAIN)
    if finished.returncode:
        reason = (finished.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise ModelFileError(f"{DAMAGED}: {reason[:LONGEST_REASON]}", where=str(path), hint=AGAIN)
    return finished.stdout

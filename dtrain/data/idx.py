"""Read and write IDX, the file format of MNIST, raw or gzip-compressed."""

from __future__ import annotations

import gzip
import hashlib
import os
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import IO, Any

import numpy as np

from dtrain.data.bounded import (
    DEFLATE_RATIO,
    Readable,
    check_claim,
    check_regular,
    damage_reported,
    expect_end,
    read_bytes,
)
from dtrain.data.images import Array
from dtrain.ground.errors import DataError

IDX_NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_MAX_DIMENSIONS = 4


@dataclass(frozen=True, eq=False)
class IdxContent:
    """What an IDX file holds.

    Args:
        array: The items in native byte order, in the shape that the header gives.
        sha256: The hash of the decompressed file, so that raw and .gz copies compare equal.
    """

    array: Array
    sha256: str


def find_idx_files(folder: Path) -> dict[str, Path]:
    """Finds the four files of a data set under their usual names, raw or .gz, dashed or dotted.

    Args:
        folder: Where to look.

    Returns:
        Part (`train_images`, ...) to file, for those that exist; a raw file goes before its .gz.
    """
    found = {}
    for part, usual in IDX_NAMES.items():
        stem, _ = usual.split("-idx")
        dimensions = (3, 4) if part.endswith("images") else (1,)
        for suffix, count, separator in product(("", ".gz"), dimensions, "-."):
            path = folder / f"{stem}{separator}idx{count}-ubyte{suffix}"
            if os.path.isfile(path):  # unlike Path.is_file, False where the folder may not be read
                found[part] = path
                break
    return found


def read_idx(path: Path) -> IdxContent:
    """Reads one IDX file; whether it is compressed is seen from its first bytes, not from its name.

    Args:
        path: The file.

    Returns:
        Its array and the hash of its decompressed bytes.

    Raises:
        DataError: The file is missing, damaged, not IDX, or claims more than it holds.
    """
    where = str(path)
    check_regular(path)
    with damage_reported(where), path.open("rb") as stored:
        compressed = stored.read(2) == b"\x1f\x8b"
        stored.seek(0)
        available = path.stat().st_size * (DEFLATE_RATIO if compressed else 1)
        if not compressed:
            return _read_stream(where, stored, available)
        with gzip.GzipFile(fileobj=stored) as stream:
            return _read_stream(where, stream, available)


def write_idx(stream: IO[bytes], array: Array, level: int = 6) -> None:
    """Writes a gzip-compressed IDX file whose bytes depend on `array` alone (no time, no name).

    Args:
        stream: Where to write.
        array: uint8, one to four dimensions.
        level: gzip's compression level.
    """
    with gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=level, mtime=0) as compressed:
        compressed.write(_header(array))
        compressed.write(np.ascontiguousarray(array).data.cast("B"))


def idx_sha256(array: Array) -> str:
    """The hash of the IDX file that would hold this uint8 array, to verify content stored otherwise."""
    hasher = hashlib.sha256(_header(array))
    hasher.update(np.ascontiguousarray(array).data.cast("B"))
    return hasher.hexdigest()


def _header(array: Array) -> bytes:
    if array.dtype != np.uint8:
        raise ValueError(f"only uint8 is written as IDX; got {array.dtype}")
    return bytes([0, 0, 0x08, array.ndim]) + np.array(array.shape, ">u4").tobytes()


def _read_stream(where: str, stream: Readable, available: int) -> IdxContent:
    magic = stream.read(4)
    dtype = _element_type(where, magic)
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"ends within its header; expected {magic[3]} dimensions", where=where)
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    payload = read_bytes(where, stream, check_claim(where, shape, dtype.itemsize, available - 4 - len(sizes)))
    expect_end(where, stream)
    hasher = hashlib.sha256(magic + sizes)
    hasher.update(payload.data)
    array = payload.view(dtype).reshape(shape)
    return IdxContent(array.astype(dtype.newbyteorder("="), copy=False), hasher.hexdigest())


def _element_type(where: str, magic: bytes) -> np.dtype[Any]:
    expected = "expected 00 00, a type byte and the number of dimensions"
    hint = "this is not an IDX file" + (", but a web page" if magic.lstrip().startswith(b"<") else "")
    if len(magic) < 4 or magic[:2] != b"\x00\x00":
        raise DataError(f"got magic bytes {magic.hex(' ') or 'none'}; {expected}", where=where, hint=hint)
    if magic[2] not in _TYPES:
        known = ", ".join(f"{code:#04x}" for code in _TYPES)
        raise DataError(f"got type byte {magic[2]:#04x}; expected one of {known}", where=where)
    if not 1 <= magic[3] <= _MAX_DIMENSIONS:
        raise DataError(f"got {magic[3]} dimensions; expected 1 to {_MAX_DIMENSIONS}", where=where)
    return _TYPES[magic[2]]

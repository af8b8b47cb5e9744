"""Read a Keras-style .npz without running pickles and without trusting its sizes."""

from __future__ import annotations

import tokenize
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

import numpy as np
from numpy.lib import format as npy

from dtrain.data.bounded import DEFLATE_RATIO, check_claim, check_regular, damage_reported, expect_end, read_bytes
from dtrain.data.images import Array
from dtrain.ground.errors import DataError
from dtrain.ground.printable import clipped

NPZ_KEYS = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}
# What NumPy's header parser lets out for headers made to upset it.
_BAD_HEADER = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError)


def read_npz(
    path: Path, keys: Mapping[str, str] = NPZ_KEYS, optional: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Array]:
    """Reads some arrays, if nothing else is said `x_train`, `y_train`, `x_test` and `y_test`.

    Args:
        path: The .npz file.
        keys: Part to the key that it has in the file.
        optional: The same for parts that may be missing.

    Returns:
        Part (`train_images`, ...) to array, as stored, in native byte order.

    Raises:
        DataError: The file is missing, damaged, lacks a key, holds pickles, or claims more than it holds.
    """
    check_regular(path)
    with damage_reported(str(path)), path.open("rb") as stored:
        if stored.read(2) != b"PK":
            raise DataError("not an .npz file: it does not begin as a zip archive does", where=str(path))
        with zipfile.ZipFile(stored) as archive:
            members = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
            _check_keys(path, list(members), list(keys.values()))
            there = {part: key for part, key in optional.items() if key in members}
            return {part: _read_member(path, archive, key, members[key]) for part, key in {**keys, **there}.items()}


def unused_keys(path: Path, used: Iterable[str]) -> list[str]:
    """Returns what else is in an .npz file that was read."""
    with damage_reported(str(path)), zipfile.ZipFile(path) as archive:
        return sorted({name.removesuffix(".npy") for name in archive.namelist()} - set(used))


def _check_keys(path: Path, found: list[str], keys: list[str]) -> None:
    missing = [key for key in keys if key not in found]
    if missing:
        raise DataError(
            f"lacks {', '.join(missing)}; found {clipped(', '.join(found)) or 'nothing'}",
            where=str(path),
            hint=f"save it with numpy.savez(path, {', '.join(f'{key}=...' for key in keys)})",
        )


def _read_member(path: Path, archive: zipfile.ZipFile, key: str, member: zipfile.ZipInfo) -> Array:
    where = f"{path} {key}"
    # Other methods have no such bound on how far they expand, and NumPy writes neither them nor passwords.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
        raise DataError("compressed in a way that NumPy does not use, or encrypted", where=where)
    available = min(member.file_size, member.compress_size * DEFLATE_RATIO)
    with damage_reported(where), archive.open(member) as stream:
        shape, by_columns, dtype = _read_header(where, stream)
        size = check_claim(where, shape, dtype.itemsize, available - stream.tell())
        payload = read_bytes(where, stream, size)
        expect_end(where, stream)
    array = payload.view(dtype).reshape(shape[::-1] if by_columns else shape)
    array = np.ascontiguousarray(array.T) if by_columns else array
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(where: str, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        version = npy.read_magic(stream)
        if version not in readers:
            raise ValueError(f"version {version} of the .npy format is for named fields")
        shape, by_columns, dtype = readers[version](stream)
    except _BAD_HEADER as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"not a plain array: {reason}", where=where) from error
    if dtype.hasobject:
        raise DataError(
            "pickle refused: the array holds Python objects; expected numbers",
            where=where,
            hint="a pickle can run any code: convert with array.astype('uint8') and save again",
        )
    if dtype.kind not in "buif":
        hint = "number the classes: np.unique(labels, return_inverse=True)[1]" if dtype.kind in "US" else ""
        raise DataError(f"got elements of type {dtype}; expected numbers", where=where, hint=hint)
    if not shape:
        raise DataError("got a single number; expected an array with one item an image", where=where)
    return shape, by_columns, dtype

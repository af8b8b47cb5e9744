"""Files that somebody else may have put there: read without waiting, without trust in their sizes, or refused."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.ground.errors import RunConflictError
from dtrain.ground.printable import shown

Array = npt.NDArray[Any]

LARGEST_TEXT = 64 * 2**20
LARGEST_ARRAYS = 2**30
LARGEST_WHOLE_NUMBER = 2**63
DAMAGE = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
"""What parsing raises on bytes that are not those written; errors of JSON and UTF-8 are ValueErrors."""


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """Opens a file to read; where it is none, such as a pipe or device, which may never end, raises an OSError."""
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        yield file


def _open_at_once(path: str, flags: int) -> int:
    """A pipe that nobody writes to would otherwise be waited for."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def read_whole(path: Path, most: int = LARGEST_TEXT) -> bytes:
    """Returns what is in a regular file; a ValueError if that is more than `most` bytes."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"got {size:,} bytes; expected at most {most:,}")
        return file.read(size)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what reading `path` raises inside into a RunConflictError that says what to do."""
    hint = "the run folder is not complete: copy the file from a backup, or run the experiment again"
    try:
        yield
    except OSError as problem:
        raise RunConflictError(f"cannot be read: {problem.strerror}", where=str(path), hint=hint) from None
    except DAMAGE as problem:
        reason = next(iter(str(problem).splitlines()), "")
        message = f"is damaged: {type(problem).__name__} {reason}; expected it as dtrain wrote it"
        raise RunConflictError(message, where=str(path), hint=hint) from None


def parse(text: bytes) -> dict[str, Any]:
    """Returns the mapping that JSON text holds, whose numbers are finite; a ValueError if it holds none."""
    parsed = json.loads(text.decode(), parse_float=_finite, parse_constant=_finite, parse_int=_bounded)
    if not isinstance(parsed, dict):
        raise ValueError(f"got {text[:40]!r}; expected a mapping")
    if b"\\u" in text:
        # halves of letters can be neither shown nor written
        json.dumps(parsed, ensure_ascii=False).encode()
    return parsed


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"got {shown(text)}; expected a finite number")
    return number


def _bounded(text: str) -> int:
    number = int(text)
    if abs(number) >= LARGEST_WHOLE_NUMBER:
        raise ValueError(f"got {shown(text)}; expected a number of 64 bits")
    return number


def check_types(found: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Raises a ValueError unless each of these is in a mapping, of its type; ``float`` takes whole numbers too.

    Args:
        found: What JSON held.
        kinds: The type of each; that of what may be missing takes None.
    """
    for name, kind in kinds.items():
        value = found.get(name)
        of_kind = isinstance(value, kind) or (isinstance(value, int) and isinstance(0.0, kind))
        if not of_kind or isinstance(value, bool):
            raise ValueError(f"got {name} {shown(value)}; expected {getattr(kind, '__name__', kind)}")


def read_json(path: Path, most: int = LARGEST_TEXT) -> dict[str, Any]:
    """Returns the mapping in a JSON file."""
    with reading(path):
        return parse(read_whole(path, most))


def read_arrays(path: Path, most: int = LARGEST_ARRAYS) -> dict[str, Array]:
    """Returns the arrays that `dtrain.ground.files.write_arrays` wrote: numbers or names, as large as the file."""
    with reading(path), open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"got {size:,} bytes; expected at most {most:,}")
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            claimed = sum(one.file_size for one in members)
            if claimed > size or any(one.compress_type != zipfile.ZIP_STORED for one in members):
                raise ValueError(f"got arrays of {claimed:,} bytes, or compressed ones, in {size:,} bytes")
            return {one.filename.removesuffix(".npy"): _array(archive, one) for one in members}


def _array(archive: zipfile.ZipFile, one: zipfile.ZipInfo) -> Array:
    with archive.open(one) as member, warnings.catch_warnings(action="ignore"):
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
        if array.dtype.kind not in "fiubU" or member.read(1):
            raise ValueError(f"got {array.dtype} in {one.file_size:,} bytes; expected plain numbers or names alone")
        return array

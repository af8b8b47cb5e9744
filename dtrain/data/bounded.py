"""Never trust what a file claims: check sizes before memory is taken, and read no more than was promised."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dtrain.ground.errors import DataError
from dtrain.ground.reading import DAMAGE

MAX_ITEMS = 10_000_000
MAX_BYTES = 4 * 2**30
# Deflate cannot expand a stored byte any further, so a larger claim is a lie that needs no reading.
DEFLATE_RATIO = 1032
CHUNK_BYTES = 1 << 20

_DAMAGE = (*DAMAGE, gzip.BadGzipFile)


class Readable(Protocol):
    """A file or a decompressor."""

    def read(self, size: int, /) -> bytes:
        """Returns up to `size` bytes; none at the end."""


class UnreadableError(DataError):
    """The system refuses to read a file, which says nothing about its content."""


def check_claim(where: str, shape: tuple[int, ...], item_bytes: int, available: int) -> int:
    """Refuses a header whose array is empty, too large to be wanted, or larger than the file could hold.

    Args:
        where: The file, and the array in it, for the message.
        shape: The claimed shape, items first.
        item_bytes: Bytes of one element.
        available: The most bytes that the file can yield.

    Returns:
        The bytes of the array.

    Raises:
        DataError: The claim is refused; nothing was allocated.
    """
    size = item_bytes
    for length in shape:
        size *= length
    claim = f"its header claims {shape[0]:,} items, {size:,} bytes (shape {shape})"
    if min(shape) <= 0:
        raise DataError(f"{claim}; expected at least one item", where=where)
    if shape[0] > MAX_ITEMS or size > MAX_BYTES:
        message = f"{claim}; expected at most {MAX_ITEMS:,} items and {MAX_BYTES:,} bytes"
        raise DataError(message, where=where, hint="split the data set, or repair the file")
    if size > available:
        raise DataError(
            f"{claim}, but the file can hold at most {available:,}; expected a header that fits its data",
            where=where,
            hint="the file is cut short or its header is damaged: get it again",
        )
    return size


@contextmanager
def damage_reported(where: str, state: str = "") -> Iterator[None]:
    """Turns the errors of reading a damaged file into one `DataError` that names the file.

    Args:
        where: The file, for the message.
        state: What had been read by then, for the message.
    """
    hint = "get the file again; if it is fine elsewhere, the copy is incomplete"
    state = f" ({state})" if state else ""
    try:
        yield
    except _DAMAGE as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"damaged or incomplete{state}: {reason}", where=where, hint=hint) from error
    except OSError as error:
        raise UnreadableError(f"cannot be read{state}: {error.strerror or error}", where=where) from error


def read_bytes(where: str, stream: Readable, size: int) -> npt.NDArray[np.uint8]:
    """Reads exactly `size` bytes, in chunks.

    Args:
        where: The file, for the message.
        stream: What to read from; may be a decompressor.
        size: How many bytes the header promised, already passed by `check_claim`.

    Returns:
        The bytes, shape [size].

    Raises:
        DataError: The stream is damaged or ends early.
    """
    buffer = np.empty(size, np.uint8)
    view = buffer.data
    done = 0
    while done < size:
        with damage_reported(where, f"expected {size:,} bytes, read {done:,}"):
            chunk = stream.read(min(CHUNK_BYTES, size - done))
            if not chunk:
                raise EOFError("the data ends early")
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return buffer


def expect_end(where: str, stream: Readable) -> None:
    """Checks that nothing follows; for gzip and zip this is also where the checksum is compared.

    Args:
        where: The file, for the message.
        stream: A stream whose promised bytes were all read.

    Raises:
        DataError: More bytes follow, or the checksum is wrong.
    """
    with damage_reported(where):
        following = stream.read(1)
    if following:
        raise DataError(
            "holds more bytes than its header promises; expected nothing after the last item",
            where=where,
            hint="the header's sizes and the data do not belong together: get the file again",
        )


def check_regular(path: Path) -> None:
    """Refuses what is not an ordinary file, so that reading cannot block on a pipe or a device.

    Raises:
        DataError: `path` is missing or something other than a file.
    """
    with damage_reported(str(path)):
        regular, present = path.is_file(), path.exists()
    if not regular:
        raise DataError("not a file" if present else "no such file", where=str(path))

"""Download one file into the cache: with a time-out, verified before it gets its name, once for all."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from dtrain.data.cache import OTHER_WAYS, locked, make_writable, set_aside_unsound
from dtrain.ground.errors import DataError
from dtrain.ground.files import replace_file

Progress = Callable[[str, int, int | None], None]

TIMEOUT_SECONDS = 30.0
# Several times the largest known file; a server that sends more is not sending a data set.
MAX_DOWNLOAD_BYTES = 256 * 2**20
_CHUNK_BYTES = 1 << 18


def download(
    address: str,
    path: Path,
    check: Callable[[Path], None],
    progress: Progress | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> None:
    """Brings the file at `address` to `path`, unless a sound one is there by then.

    A damaged file that was there before is kept as `.corrupt`. Nothing unverified ever has the final name.

    Args:
        address: http or https address.
        path: Where the file goes, in the Keras cache.
        check: Raises `DataError` when a file's content is not right.
        progress: Called with a label, the bytes received and the bytes expected (None when not announced).
        timeout: Seconds without a byte after which the download is given up.

    Raises:
        DataError: The server cannot be reached, refuses, stalls, ends early or sends something else.
        EnvironmentProblem: The cache cannot be written.
    """
    make_writable(path.parent)
    with locked(path):
        if set_aside_unsound(path, check):
            return
        with replace_file(path, OTHER_WAYS) as temporary:
            with temporary.open("wb") as stream:
                _transfer(address, path.name, stream, progress, timeout)
            _check_received(address, temporary, check)


def _transfer(address: str, label: str, stream: BinaryIO, progress: Progress | None, timeout: float) -> None:
    done, total = 0, None
    with closing(_received(address, timeout)) as received:
        for chunk, total in received:
            stream.write(chunk)
            done += len(chunk)
            if done > MAX_DOWNLOAD_BYTES:
                raise DataError(f"sent over {MAX_DOWNLOAD_BYTES:,} bytes; given up", where=address)
            if progress:
                progress(f"downloading {label}", done, total)
    if total is not None and done != total:
        raise DataError(f"download ended early: received {done:,} bytes; expected {total:,}", where=address)


def _received(address: str, timeout: float) -> Generator[tuple[bytes, int | None]]:
    """Yields chunks and the announced size; a generator, so that only network errors are caught here."""
    try:
        with urllib.request.urlopen(address, timeout=timeout) as response:
            total = int(response.headers.get("Content-Length") or 0) or None
            while chunk := response.read(_CHUNK_BYTES):
                yield chunk, total
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"the server answered {error.code} {error.reason}", where=address) from error
    except OSError as error:
        raise DataError(f"download failed: {_reason(error, timeout)}", where=address) from error
    except (http.client.HTTPException, ValueError) as error:
        # the error's own words may quote the address of a proxy, and with it a password
        message, hint = f"download failed: {type(error).__name__}", "look at the proxy that the environment names"
        raise DataError(message, where=address, hint=hint) from None


def _reason(error: Exception, timeout: float) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no byte for {timeout:g} seconds"
    return str(cause) or type(cause).__name__


def _check_received(address: str, path: Path, check: Callable[[Path], None]) -> None:
    with path.open("rb") as stream:
        start = stream.read(64).lstrip()
    if start.startswith(b"<"):
        raise DataError(
            "the server sent a web page; expected a data file",
            where=address,
            hint="a proxy or a login page may answer in its place: open the address in a browser",
        )
    try:
        check(path)
    except DataError as error:
        problem = error.problems[0]
        raise DataError(f"the received file is refused: {problem.message}", where=address) from error

"""The Keras cache on disk: where it is, whether it can be written, and how files get into it whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from dtrain.data.bounded import UnreadableError
from dtrain.ground.errors import DataError, EnvironmentProblem

LOCK_SECONDS = 600.0
_OTHER_WAYS = "set KERAS_HOME to a folder you can write, or keep the data elsewhere and pass --data-dir"


def keras_cache() -> Path:
    """The folder where Keras keeps data sets: ``$KERAS_HOME/datasets``, else ``~/.keras/datasets``.

    Raises:
        EnvironmentProblem: The home folder cannot be determined.
    """
    try:
        home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    except RuntimeError as error:
        raise EnvironmentProblem(f"no home folder: {error}", where="KERAS_HOME", hint=_OTHER_WAYS) from error
    return home / "datasets"


def make_writable(folder: Path) -> None:
    """Makes a folder inside the Keras cache and proves that it can be written; falls back to nothing else.

    Args:
        folder: `keras_cache()` or a folder in it.

    Raises:
        EnvironmentProblem: KERAS_HOME names a missing folder, or writing is refused.
    """
    home = os.environ.get("KERAS_HOME")
    if home and not Path(home).expanduser().is_dir():
        raise EnvironmentProblem(
            f"got {home!r}; expected a folder that exists",
            where="KERAS_HOME",
            hint=f"mkdir -p {home!r}, or {_OTHER_WAYS}",
        )
    with write_problems(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextmanager
def write_problems(path: Path) -> Iterator[None]:
    """Turns a refused write into an `EnvironmentProblem` that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise EnvironmentProblem(f"cannot be written: {reason}", where=str(path), hint=_OTHER_WAYS) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of one cache file, so that two first-time downloads make one file.

    Args:
        path: The file that is about to be written; its folder must exist.

    Raises:
        DataError: Another process held the lock for too long.
        EnvironmentProblem: The file system has no locks.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        message = f"another process has been writing it for over {LOCK_SECONDS:.0f} seconds"
        raise DataError(message, where=str(path), hint="wait for it, or end it") from error
    except (OSError, NotImplementedError) as error:
        message = f"cannot be locked: {error}; the file system at {_mount(path)} may have no locks"
        raise EnvironmentProblem(message, where=str(path), hint=_OTHER_WAYS) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Writes a sibling `.part` file that becomes `path` only when the block ends well. Hold `locked(path)`.

    Args:
        path: The final file; replaced in one step, so that a reader never sees half of it.

    Yields:
        The open temporary file.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def set_aside_unsound(path: Path, check: Callable[[Path], None]) -> bool:
    """Renames a file of ours to `.corrupt` when `check` refuses it. Hold `locked(path)`.

    Args:
        path: A file in the cache, which may be missing.
        check: Raises `DataError` when the content is not right.

    Returns:
        Whether a sound file is there.

    Raises:
        UnreadableError: The file cannot be read, so that nothing is known about it.
        EnvironmentProblem: The damaged file cannot be renamed.
    """
    if not path.exists():
        return False
    try:
        check(path)
    except UnreadableError:
        raise
    except DataError:
        with write_problems(path):
            os.replace(path, corrupt_name(path))
        return False
    return True


def corrupt_name(path: Path) -> Path:
    """The name under which a damaged file is kept."""
    return path.with_name(f"{path.name}.corrupt")


def _mount(path: Path) -> Path:
    return next(folder for folder in path.absolute().parents if folder.is_mount())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

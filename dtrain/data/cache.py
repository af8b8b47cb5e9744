"""The Keras cache on disk: where it is, whether it can be written, and how files get into it whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from dtrain.data.bounded import UnreadableError
from dtrain.ground.errors import DataError, EnvironmentProblem
from dtrain.ground.files import check_writable, held_lock, remove_leftovers, writing

LOCK_SECONDS = 600.0
OTHER_WAYS = "set KERAS_HOME to a folder you can write, or keep the data elsewhere and pass --data-dir"


def keras_cache() -> Path:
    """The folder where Keras keeps data sets: ``$KERAS_HOME/datasets``, else ``~/.keras/datasets``.

    Raises:
        EnvironmentProblem: The home folder cannot be determined.
    """
    try:
        home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    except RuntimeError as error:
        raise EnvironmentProblem(f"no home folder: {error}", where="KERAS_HOME", hint=OTHER_WAYS) from error
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
            hint=f"mkdir -p {home!r}, or {OTHER_WAYS}",
        )
    # a file in its place is found by the probe
    with suppress(FileExistsError), writing(folder, OTHER_WAYS):
        folder.mkdir(parents=True, exist_ok=True)
    check_writable(folder, OTHER_WAYS)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of one cache file, so that two first-time downloads make one file.

    Args:
        path: The file that is about to be written; its folder must exist.

    Raises:
        DataError: Another process held the lock for too long.
        EnvironmentProblem: The file system has no locks.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held_lock(path.with_name(f".{path.name}.lock"), LOCK_SECONDS, OTHER_WAYS))
        except Timeout as error:
            message = f"another process has been writing it for over {LOCK_SECONDS:.0f} seconds"
            raise DataError(message, where=str(path), hint="wait for it, or end it") from error
        remove_leftovers(path.parent, path.stem)
        yield


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
        with writing(path, OTHER_WAYS):
            os.replace(path, corrupt_name(path))
        return False
    return True


def corrupt_name(path: Path) -> Path:
    """The name under which a damaged file is kept."""
    return path.with_name(f"{path.name}.corrupt")

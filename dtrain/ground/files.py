"""Files that are written as a whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from dtrain.ground.errors import EnvironmentProblem, UsageError
from dtrain.ground.printable import printable
from dtrain.ground.reading import Array

PROBE_BYTES = 64 * 1024
"""About what a run writes before its first epoch has ended."""

RUNS_ELSEWHERE = "choose another --runs-dir"
LEFTOVER = re.compile(r"\.[\w-]+-\d+-[0-9a-f]{8}(\.\w+)?")
"""The name of a file or folder that is being written."""


@contextmanager
def replace_file(path: Path, elsewhere: str = RUNS_ELSEWHERE) -> Iterator[Path]:
    """Gives a new name beside `path`, with its suffix, to write to: at the end that file takes the place of `path`.

    Args:
        path: The file to make or replace.
        elsewhere: What to do where it cannot be written.

    Raises:
        EnvironmentProblem: Writing failed; what was at `path` is still there.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        with writing(path, elsewhere):
            yield temporary
            _flush_to_disk(temporary)
            temporary.replace(path)
            # Some network file systems cannot flush a folder; the file is in its place all the same.
            with suppress(OSError):
                _flush_to_disk(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Gives a new folder beside `path` to write files into: at the end, all of it on disk, it becomes `path`.

    Args:
        path: The folder to make, which does not exist.

    Raises:
        EnvironmentProblem: Writing failed; nothing of it is left.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with writing(path):
            temporary.mkdir()
            yield temporary
            for file in temporary.iterdir():
                _flush_to_disk(file)
            _flush_to_disk(temporary)
            temporary.rename(path)
            _flush_to_disk(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path, stem: str = "") -> None:
    """Removes what processes that were killed had begun to write.

    Args:
        folder: The folder, which need not exist.
        stem: Of the file that no other process writes to; empty where that holds for all of the folder.
    """
    for path in folder.glob(f".{stem}*") if folder.is_dir() else ():
        if LEFTOVER.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):
                path.unlink()


@contextmanager
def held_lock(path: Path, seconds: float, elsewhere: str = RUNS_ELSEWHERE) -> Iterator[None]:
    """Holds the lock of a file, which the system lets go of when the process dies, however it does.

    Args:
        path: The file; made if it is missing.
        seconds: How long to wait for another process.
        elsewhere: What to do where there can be no lock.

    Raises:
        Timeout: Another process holds it.
        EnvironmentProblem: The file cannot be made, or the file system has no locks.
    """
    lock = FileLock(path, timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise
    except (OSError, NotImplementedError) as error:
        with writing(path, elsewhere):
            raise error if isinstance(error, OSError) else OSError(errno.ENOLCK, str(error)) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(path: Path, elsewhere: str = RUNS_ELSEWHERE) -> Iterator[None]:
    """Turns what the system refuses inside into an EnvironmentProblem that says what to do.

    Args:
        path: What is written.
        elsewhere: What to do where it cannot be written.
    """
    try:
        yield
    except FileExistsError:
        raise
    except OSError as problem:
        message = f"cannot be written: {problem.strerror or problem} (errno {problem.errno})"
        raise EnvironmentProblem(message, where=str(path), hint=_way_out(path, problem.errno, elsewhere)) from problem


def _way_out(path: Path, number: int | None, elsewhere: str) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) and path.parent.exists():
        return f"{shutil.disk_usage(path.parent).free:,} bytes are free there: make room, or {elsewhere}"
    if number == errno.ENOLCK:
        mount = next(folder for folder in path.absolute().parents if folder.is_mount())
        return f"the file system at {mount} has no locks: set HDF5_USE_FILE_LOCKING=FALSE, or {elsewhere}"
    if number == errno.ENOENT and not path.parent.exists():
        return "the run folder was deleted or moved while the run was going on"
    return elsewhere


def check_writable(folder: Path, elsewhere: str = RUNS_ELSEWHERE) -> None:
    """Proves that files can be written in a folder; leaves nothing behind.

    Permissions alone say nothing of quotas, full disks and file systems that only look as if they had folders.

    Args:
        folder: The folder.
        elsewhere: What to do where it cannot be written.

    Raises:
        EnvironmentProblem: They cannot.
    """
    with writing(folder, elsewhere), tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(PROBE_BYTES))
        probe.flush()


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_new(path: Path, where: str) -> None:
    """Raises a `UsageError` unless a file can be made at `path` without taking another's place.

    Args:
        path: The file to make.
        where: What asks for it, for the message.
    """
    if os.path.lexists(path):
        got = "a folder; expected a new file" if path.is_dir() else "a file that exists; expected a new one"
        raise UsageError(f"got {got}", where=where)
    if not path.parent.is_dir():
        message = "got a file in a folder that does not exist; expected a folder that does"
        raise UsageError(message, where=where, hint=f"make {printable(str(path.parent))} first")


def write(path: Path, content: bytes, modified: int | None = None) -> None:
    """Puts `content` in the place of what was at `path`.

    Args:
        path: The file.
        content: What it is to hold.
        modified: When it shall say it was modified, in nanoseconds since 1970; None for now.
    """
    with replace_file(path) as temporary:
        temporary.write_bytes(content)
        if modified is not None:
            os.utime(temporary, ns=(modified, modified))


def append_line(path: Path, mapping: Mapping[str, Any]) -> None:
    """Adds a whole line or none, in place of any torn last line."""
    line = to_json(mapping)
    with writing(path), open(path, "a+b", buffering=0) as file:
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
        try:
            while line:
                line = line[file.write(line) :]
        except OSError:
            file.truncate(whole)
            raise


def to_json(mapping: Mapping[str, Any], indent: int | None = None) -> bytes:
    """Returns equal bytes for equal mappings; a ValueError if a number is not finite."""
    return json.dumps(mapping, sort_keys=True, allow_nan=False, indent=indent).encode() + b"\n"


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes what `numpy.savez` writes, but equal bytes for equal arrays: sorted, and without the time."""
    with replace_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(arrays):
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(arrays[name], order="C"), allow_pickle=False)

"""The places where a known data set may lie, and how the files in one of them are read and verified."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.data.cache import keras_cache
from dtrain.data.idx import IDX_NAMES, find_idx_files, idx_sha256, read_idx
from dtrain.data.images import Array, ImageSet
from dtrain.data.npz import read_npz
from dtrain.data.official import OFFICIAL, SAMPLES_FOLDER, KnownSet, known_sets, verify
from dtrain.experiment.config.suggestions import guess
from dtrain.ground.errors import ConfigError, DataError

DATA_FOLDER, CACHE, SYSTEM, BUNDLED = "data folder", "Keras cache", "system folder", "bundled"
ARCHIVE = "archive"


@dataclass(frozen=True)
class Place:
    """A place where a known data set may lie, and what of it is there.

    Args:
        path: A folder of IDX files, or one .npz.
        origin: `data folder`, `Keras cache`, `system folder` or `bundled`.
        files: What is there: part (`train_images`, ...) to IDX file; the .npz alone under `archive`.
        missing: The names of the files that are not there.
    """

    path: Path
    origin: str
    files: dict[str, Path]
    missing: tuple[str, ...]

    @property
    def status(self) -> str:
        """`complete`, `absent`, or what it lacks."""
        if not self.missing:
            return "complete"
        return f"lacks {', '.join(self.missing)}" if self.files else "absent"


def locate(name: str, data_dir: Path | None = None) -> list[Place]:
    """Looks where a known data set may lie, in the order of the search; reads and verifies nothing.

    Args:
        name: A known data set.
        data_dir: The user's data folder, which holds `mnist/` and `fashion-mnist/`.

    Returns:
        Every place, whether or not something is there.

    Raises:
        ConfigError: The name is not known.
    """
    known = find_known(name)
    if name not in OFFICIAL:
        return [folder_place(SAMPLES_FOLDER / known.folder, BUNDLED)]
    cache = keras_cache()
    places = [folder_place(data_dir.expanduser() / known.folder, DATA_FOLDER)] if data_dir else []
    if known.archive:
        places.append(archive_place(cache / known.archive))
    places.append(folder_place(cache / known.folder, CACHE))
    if known.system_folder:
        places.append(folder_place(Path(known.system_folder), SYSTEM))
    return places


def find_known(name: str) -> KnownSet:
    """Returns the data set of this name.

    Raises:
        ConfigError: The name is not known.
    """
    known = known_sets()
    if name in known:
        return known[name]
    raise ConfigError(
        f"got {name!r}; expected one of {', '.join(known)}, or a path{guess(name, known, 'dataset=')}",
        where="dataset.name",
        hint=f"a folder or file of your own named {name!r} was not found here; a path may begin with ./",
    )


def folder_place(path: Path, origin: str) -> Place:
    """Looks for the four IDX files in a folder."""
    files = find_idx_files(path)
    return Place(path, origin, files, tuple(name for part, name in IDX_NAMES.items() if part not in files))


def archive_place(path: Path, origin: str = CACHE) -> Place:
    """Looks for one .npz file."""
    if os.path.isfile(path):
        return Place(path, origin, {ARCHIVE: path}, ())
    return Place(path, origin, {}, (path.name,))


def read_place(known: KnownSet, place: Place) -> ImageSet:
    """Reads a complete place and verifies every array by its hash.

    Raises:
        DataError: A file is damaged or its content is not the official one.
    """
    arrays: dict[str, Any] = {}
    for file, path in place.files.items():
        for part, array, sha256 in _contents(file, path):
            verify(known, part, sha256, str(path))
            arrays[part] = array.astype(np.int32) if part.endswith("labels") else array
    return ImageSet(name=known.name, class_names=known.class_names, **arrays)


def archive_contents(path: Path) -> Iterator[tuple[str, Array, str]]:
    """Yields part, uint8 array and the hash of its IDX form for each array of an .npz.

    Raises:
        DataError: The file is damaged, or holds something other than numbers from 0 to 255.
    """
    for part, array in read_npz(path).items():
        whole = array.dtype.kind in "ui" and array.min() >= 0 and array.max() <= 255
        if not whole or array.ndim > 4:
            message = f"got {part} of type {array.dtype}, shape {array.shape}; expected whole numbers to 255"
            raise DataError(message, where=str(path))
        small = array.astype(np.uint8, copy=False)
        yield part, small, idx_sha256(small)


def check_file(known: KnownSet, file: str, path: Path) -> None:
    """Reads one file of a known data set and verifies it.

    Args:
        known: The data set.
        file: What it is: one of the four parts, or `archive` for the .npz.
        path: The file.

    Raises:
        DataError: It is damaged or its content is not the official one.
    """
    for part, _, sha256 in _contents(file, path):
        verify(known, part, sha256, str(path))


def _contents(file: str, path: Path) -> Iterator[tuple[str, Array, str]]:
    if file == ARCHIVE:
        yield from archive_contents(path)
        return
    content = read_idx(path)
    yield file, content.array, content.sha256

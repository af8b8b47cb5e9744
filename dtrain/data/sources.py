"""From a data set's name to its verified images, downloaded if they are nowhere."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from dtrain.data.cache import corrupt_name, keras_cache, locked, set_aside_unsound
from dtrain.data.download import Progress, download
from dtrain.data.idx import IDX_NAMES
from dtrain.data.images import ImageSet
from dtrain.data.official import KnownSet
from dtrain.data.own import load_own
from dtrain.data.places import ARCHIVE, CACHE, Place, check_file, find_known, read_place
from dtrain.data.places import locate as locate
from dtrain.experiment.dataset import is_path
from dtrain.ground.errors import DataError


def load_images(name: str, data_dir: Path | None = None, progress: Progress | None = None) -> ImageSet:
    """Returns the images of a data set; official ones are verified, and downloaded when they are nowhere.

    Args:
        name: A known data set, or a path to a folder of four IDX files or an .npz.
        data_dir: The user's data folder, searched first.
        progress: Called during a download with a label, the bytes received and the bytes expected.

    Returns:
        The images, whose `digest` identifies their content.

    Raises:
        ConfigError: The name is neither known nor a path.
        DataError: The images cannot be found, or are not what they should be.
        EnvironmentProblem: A download is needed and the Keras cache cannot be written.
    """
    if is_path(name):
        try:
            return load_own(Path(name).expanduser())
        except RuntimeError as error:  # `~someone` without such a user
            raise DataError(str(error), where=name) from error
    known = find_known(name)
    for place in locate(name, data_dir):
        if place.missing:
            continue
        try:
            return read_place(known, place)
        except DataError:
            # Only what lies in the cache is ours to put aside; elsewhere the user has to know.
            if place.origin != CACHE:
                raise
            _set_aside_unsound_files(known, place)
    return _download_and_read(known, data_dir, progress)


def _set_aside_unsound_files(known: KnownSet, place: Place) -> None:
    for file, path in place.files.items():
        with locked(path):
            set_aside_unsound(path, partial(check_file, known, file))


def _download_and_read(known: KnownSet, data_dir: Path | None, progress: Progress | None) -> ImageSet:
    if not known.address:
        raise DataError("the bundled sample is missing", where=known.name, hint="install dtrain again")
    cache = keras_cache()
    files = {part: cache / known.folder / f"{name}.gz" for part, name in IDX_NAMES.items()}
    if known.archive:
        files = {ARCHIVE: cache / known.archive}
    for file, path in files.items():
        try:
            download(f"{known.address}/{path.name}", path, partial(check_file, known, file), progress)
        except DataError as error:
            raise _not_found(known, locate(known.name, data_dir), error) from error
    return read_place(known, Place(cache, CACHE, files, ()))


def _not_found(known: KnownSet, places: list[Place], error: DataError) -> DataError:
    looked = [f"{place.origin} {place.path} ({_state(known, place)})" for place in places]
    ways = [
        f"pass --data-dir with a folder that holds {known.folder}/ and its four IDX files",
        f"run `dtrain data import PATH` on a copy from another machine ({known.address})",
        *([f"install Debian's package {known.package}"] if known.package else []),
        f"use the bundled `dataset: {known.name}_sample`",
    ]
    return DataError(
        f"not found: {'; '.join([*looked, f'download: {error}'])}",
        where=known.name,
        hint=f"{'; or '.join(ways)}",
    )


def _state(known: KnownSet, place: Place) -> str:
    if place.origin != CACHE:
        return place.status
    paths = [place.path / f"{name}.gz" for name in IDX_NAMES.values()]
    if place.path.name == known.archive:
        paths = [place.path]
    kept = [path.name for path in map(corrupt_name, paths) if os.path.isfile(path)]
    return f"{place.status}; damaged, kept as {', '.join(kept)}" if kept else place.status

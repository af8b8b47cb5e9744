"""What `dtrain data` does: say where the known data sets are, bring one here, or take one from a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dtrain.data.cache import OTHER_WAYS, keras_cache, locked, make_writable, set_aside_unsound
from dtrain.data.download import Progress
from dtrain.data.idx import IDX_NAMES, read_idx, write_idx
from dtrain.data.images import ImageSet
from dtrain.data.official import OFFICIAL, KnownSet, identify, known_sets
from dtrain.data.places import (
    ARCHIVE,
    CACHE,
    Place,
    archive_contents,
    archive_place,
    check_file,
    find_known,
    folder_place,
    locate,
    read_place,
)
from dtrain.data.sources import load_images
from dtrain.ground.errors import DataError
from dtrain.ground.files import replace_file


@dataclass(frozen=True)
class SetStatus:
    """Where a known data set is, and whether its content is right.

    Args:
        name: The data set.
        path: The folder or .npz that a run would read; None when it is nowhere.
        origin: `data folder`, `Keras cache`, `system folder`, `bundled`, or empty.
        size: Bytes on disk.
        verified: Whether every array has the hash it should have.
        problem: Why it is not verified; empty when it is.
    """

    name: str
    path: Path | None
    origin: str
    size: int
    verified: bool
    problem: str = ""


def status(data_dir: Path | None = None) -> tuple[SetStatus, ...]:
    """Looks for every known data set and verifies those that are there; downloads nothing.

    Args:
        data_dir: The user's data folder, searched first.

    Returns:
        One entry a known data set.
    """
    return tuple(_status(known, data_dir) for known in known_sets().values())


def fetch(name: str, data_dir: Path | None = None, progress: Progress | None = None) -> SetStatus:
    """Makes sure that a known data set is here and verified, downloading it if needed.

    Args:
        name: A known data set.
        data_dir: The user's data folder, searched first.
        progress: Called during a download with a label, the bytes received and the bytes expected.

    Returns:
        Where it is.

    Raises:
        ConfigError: The name is not known.
        DataError: It cannot be found or downloaded.
        EnvironmentProblem: The Keras cache cannot be written.
    """
    find_known(name)
    load_images(name, data_dir, progress)
    return _found(name, next(place for place in locate(name, data_dir) if not place.missing))


def import_images(path: Path) -> tuple[SetStatus, ...]:
    """Copies official data sets from a folder or .npz into the Keras cache, for machines without a network.

    Args:
        path: A folder of four IDX files, a folder that holds `mnist/`, `fashion-mnist/` or `mnist.npz`, or an
            official set as .npz. Which set it is, is told from its content.

    Returns:
        Where each set found is now; sets that were there already stay as they are.

    Raises:
        DataError: There is no official data set at `path`, or it is damaged.
        EnvironmentProblem: The Keras cache cannot be written.
    """
    path = path.expanduser()
    places = [place for place in _candidates(path) if place.files]
    if not places:
        raise DataError(
            f"no data set found; expected four IDX files ({', '.join(IDX_NAMES.values())}; raw or .gz), "
            "a folder that holds mnist/ or fashion-mnist/, or an .npz",
            where=str(path),
        )
    imported = {}
    for place in places:
        if place.missing:
            raise DataError(f"{place.status}; expected all four IDX files", where=str(place.path))
        known = _recognise(place)
        imported[known.name] = _store(known, read_place(known, place))
    return tuple(imported.values())


def _status(known: KnownSet, data_dir: Path | None) -> SetStatus:
    places = locate(known.name, data_dir)
    for place in places:
        if place.missing:
            continue
        try:
            read_place(known, place)
        except DataError as error:
            return _found(known.name, place, problem=str(error))
        return _found(known.name, place)
    looked = "; ".join(f"{place.origin} {place.path} ({place.status})" for place in places)
    return SetStatus(known.name, None, "", 0, verified=False, problem=f"not found: {looked}")


def _found(name: str, place: Place, problem: str = "") -> SetStatus:
    size = sum(path.stat().st_size for path in place.files.values())
    return SetStatus(name, place.path, place.origin, size, verified=not problem, problem=problem)


def _candidates(path: Path) -> Iterator[Place]:
    if path.is_file():
        yield archive_place(path)
        return
    yield folder_place(path, "")
    for known in OFFICIAL.values():
        yield folder_place(path / known.folder, "")
        if known.archive:
            yield archive_place(path / known.archive)


def _recognise(place: Place) -> KnownSet:
    if ARCHIVE in place.files:
        hashes = [sha256 for _, _, sha256 in archive_contents(place.files[ARCHIVE])]
    else:
        hashes = [read_idx(path).sha256 for path in place.files.values()]
    for found in map(identify, hashes):
        if found and found[0].name in OFFICIAL:
            return found[0]
    raise DataError(
        f"not an official data set: the first array has SHA-256 {hashes[0]}",
        where=str(place.path),
        hint=f"data of your own needs no import: use `dataset: {place.path}`",
    )


def _store(known: KnownSet, images: ImageSet) -> SetStatus:
    folder = keras_cache() / known.folder
    make_writable(folder)
    for part, name in IDX_NAMES.items():
        path = folder / f"{name}.gz"
        with locked(path):
            if set_aside_unsound(path, partial(check_file, known, part)):
                continue
            with replace_file(path, OTHER_WAYS) as temporary, temporary.open("wb") as stream:
                write_idx(stream, getattr(images, part).astype("uint8", copy=False))
    return _found(known.name, folder_place(folder, CACHE))

"""What other programs leave in the place of a data set, and the next step from there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from dtrain.ground.errors import DataError
from dtrain.ground.printable import clipped

MOST_ENTRIES = 10_000
LONGEST_NAME = 255
KINDS = {
    ".csv": "a table of text",
    ".tsv": "a table of text",
    ".txt": "a text file",
    ".pkl": "a pickle, which can run any code",
    ".pickle": "a pickle, which can run any code",
    ".pt": "a PyTorch file",
    ".npy": "one array",
    ".mat": "a MATLAB file",
    ".h5": "an HDF5 file",
    ".parquet": "a Parquet file",
    ".zip": "an archive of files",
    ".tar": "an archive of files",
    ".tgz": "an archive of files",
    ".gz": "a compressed file",
}
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
EXPECTED = "expected a folder of four IDX files, or an .npz of x_train, y_train, x_test and y_test"
SAVE = "numpy.savez('data.npz', x_train=..., y_train=..., x_test=..., y_test=...)"


def check_kind(path: Path) -> None:
    """Refuses what is not there, or is by its name no data set, with the next step.

    Raises:
        DataError: It is so.
    """
    suffix = path.suffix.lower()
    if len(path.name.encode()) > LONGEST_NAME:
        raise DataError(f"got a name of {len(path.name):,} letters; {EXPECTED}", where=clipped(str(path)))
    if not os.path.exists(path):
        base = "" if path.is_absolute() else f" in {Path.cwd()}, from where relative paths count"
        cut_off = "" if suffix else "where the name goes on with a # or a colon, put all of it in quotes"
        raise DataError(f"no such file{base}; {EXPECTED}", where=str(path), hint=cut_off)
    kind = "a picture" if suffix in PICTURES else KINDS.get(suffix)
    if kind:
        raise DataError(f"got {kind}; {EXPECTED}", where=str(path), hint=f"read it with Python, then {SAVE}")


def what_is_in(folder: Path) -> str:
    """Returns how many files of which kinds a folder holds, as ``20 .png, 3 folders``."""
    counts: Counter[str] = Counter()
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in islice(entries, MOST_ENTRIES):
            counts["folders" if entry.is_dir() else Path(entry.name).suffix.lower() or "without a suffix"] += 1
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common(4)) or "nothing"


def next_step(folder: Path, usual: Sequence[str]) -> str:
    """Returns what to do with a folder that holds no data set as it is.

    Args:
        folder: The folder.
        usual: What its four files should be called.
    """
    with suppress(OSError):
        names = sorted(islice(os.listdir(folder), MOST_ENTRIES))
        renamed = [(name, one) for name in names for one in usual if _is_like(name, one)]
        if renamed:
            more = ", ".join(f"{name} to {one}{'.gz' * name.endswith('.gz')}" for name, one in renamed)
            return f"rename {more}"
        if any(name.endswith("-imgs.npz") for name in names):
            return f"each of these holds one array, arr_0: put the four into one file, {SAVE}"
        if any(name.lower().endswith(PICTURES) or (folder / name).is_dir() for name in names):
            return f"read the pictures into arrays with Python, then {SAVE}"
    return "name the files as MNIST's are, or save all four arrays as one .npz"


def _is_like(name: str, usual: str) -> bool:
    """Whether a file has a usual name behind that of its data set, ``test`` being another word for ``t10k``."""
    stem = name.removesuffix(".gz").replace("-test-", "-t10k-")
    return stem != usual and stem.endswith(f"-{usual}")

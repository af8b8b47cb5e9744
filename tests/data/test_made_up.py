"""Data files that are made up at random: each gives images or a refusal in clean lines, soon and with little memory."""

from __future__ import annotations

import gzip
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from dtrain.data.idx import IDX_NAMES
from dtrain.data.npz import NPZ_KEYS
from dtrain.data.prepare import prepare
from dtrain.data.sources import load_images
from dtrain.experiment.dataset import Dataset
from dtrain.ground.errors import ConfigError, DataError
from dtrain.ground.printable import printable
from tests.data.helpers import tiny_arrays, write_folder, write_npz
from tests.limits import within_limits

TINY = tiny_arrays()
KEYS = [*NPZ_KEYS.values(), "x_val", "y_val", "class_names", "", "a/b", "k" * 5000, "\x1b[31m\nerror: forged"]
KINDS = ["u1", "b1", "i2", "i8", ">u4", "f2", "f4", ">f8", "c8", "U3", "O"]
SHAPES = [(), (0,), (10,), (20,), (20, 1), (20, 3), (1, 4, 4), (20, 4, 4), (10, 0, 4), (20, 4, 4, 3), (20, 4, 4, 9)]
NUMBERS = [0, 1, 2, -1, 16, 255, 2.0**40, 1e30, 1e300, np.nan, np.inf]
NAMES = ["own.npz", "hash #1.npz", "[b].npz", "colon: x.npz", "\x1b[31m.npz", "own.csv", "own.npy", "own.PNG", "own"]
SIZES = [0, 1, 4, 20, 255, 2**16, 2**31, 2**32 - 1]
WRITTEN = "label,pixel0,pixel1\n3,0,255\n7,12,0\n"
CASES = pytest.mark.parametrize("cases", [40, pytest.param(500, marks=pytest.mark.slow)])
Array = npt.NDArray[Any]


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    """Numbers of some type and shape: in turn 0, 1 and 2, or all one number."""
    shape, number = draw(st.sampled_from(SHAPES)), draw(st.none() | st.sampled_from(NUMBERS))
    plain = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 3 if number is None else np.full(shape, number)
    with np.errstate(all="ignore"):
        return plain.astype(draw(st.sampled_from(KINDS)))


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of which some are others, or cut off, or something else."""
    way = draw(st.sampled_from(["none", "none", "bytes", "cut", "table", "any"]))
    if way == "bytes":
        changed = bytearray(content)
        for place in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=9)):
            changed[place] = draw(st.integers(0, 255))
        return bytes(changed)
    others = {"cut": content[: draw(st.integers(0, len(content)))], "table": WRITTEN.encode()}
    return draw(st.binary(max_size=99)) if way == "any" else others.get(way, content)


def headers(numbers: list[int]) -> bytes:
    """The beginning of an IDX file that claims these sizes."""
    return bytes([0, 0, 8, len(numbers)]) + b"".join(one.to_bytes(4, "big") for one in numbers)


def check_answered(path: Path, asked: dict[str, Any]) -> None:
    with within_limits():
        try:
            data = prepare(Dataset(name=str(path), **asked), load_images(str(path)))
            answers = [f"{len(data.train.labels)} images", *data.warnings]
        except (ConfigError, DataError) as error:
            answers = [part for one in error.problems for part in (str(one), one.hint) if part]
    note("\n".join(answers))
    # as they are shown: only a table of classes has lines of its own
    lines = [line for one in answers for line in printable(one).split("\n")]
    assert all(line.isprintable() and len(line) < 1000 for line in lines)
    assert not any(line.startswith("error: ") for line in lines)


ASKED = st.fixed_dictionaries(
    {"scaling": st.sampled_from(["unit", "standardize", "none"])},
    optional={"validation": st.integers(1, 30), "train_limit": st.integers(1, 30), "classes": st.just((0, 2))},
)


@CASES
def test_every_archive_is_taken_or_refused(cases: int, tmp_path: Path) -> None:
    @settings(max_examples=cases, deadline=None)
    @given(st.dictionaries(st.sampled_from(KEYS), st.none() | arrays(), max_size=3), ASKED, st.data())
    def answered(changes: dict[str, Array | None], asked: dict[str, Any], data: st.DataObject) -> None:
        whole = {NPZ_KEYS[part]: array for part, array in TINY.items()} | changes
        path = tmp_path / data.draw(st.sampled_from(NAMES))
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=True, **{key: one for key, one in whole.items() if one is not None})
        path.write_bytes(data.draw(damaged(path.read_bytes())))
        check_answered(path, asked)

    answered()


@CASES
def test_every_header_in_an_archive_is_taken_or_refused(cases: int, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "own.npz", TINY)
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}

    @settings(max_examples=cases, deadline=None)
    @given(st.data())
    def answered(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(members)))
        content = data.draw(damaged(members[name]))
        content = content.replace(b"(20,", f"({data.draw(st.sampled_from(SIZES))},".encode())
        with zipfile.ZipFile(path, "w") as archive:
            for one, usual in members.items():
                archive.writestr(one, content if one == name else usual)
        check_answered(path, {})

    answered()


@CASES
def test_every_folder_is_taken_or_refused(cases: int, tmp_path: Path) -> None:
    @settings(max_examples=cases, deadline=None)
    @given(st.sampled_from(["", ".gz"]), st.sampled_from(sorted(IDX_NAMES)), ASKED, st.data())
    def answered(suffix: str, part: str, asked: dict[str, Any], data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path) as temporary:
            folder = write_folder(Path(temporary) / "own [1] #2", TINY, suffix)
            path = folder / f"{IDX_NAMES[part]}{suffix}"
            way = data.draw(st.sampled_from(["damage", "sizes", "other", "pipe", "device", "folder", "missing"]))
            if way == "other":
                other = data.draw(st.sampled_from(list(IDX_NAMES.values())))
                path.write_bytes((folder / f"{other}{suffix}").read_bytes())
            elif way in ("damage", "sizes"):
                sizes = data.draw(st.lists(st.sampled_from(SIZES), max_size=5))
                content = path.read_bytes() if way == "damage" else headers(sizes) + bytes(320)
                content = gzip.compress(content) if suffix and way == "sizes" else content
                path.write_bytes(data.draw(damaged(content)))
            else:
                path.unlink()
                {"pipe": os.mkfifo, "folder": os.mkdir}.get(way, lambda _: None)(path)
                if way == "device":
                    path.symlink_to("/dev/zero")
            check_answered(folder, asked)

    answered()

"""What somebody else put in the place of a file is read at once and within bounds, or refused at once."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dtrain.ground.errors import RunConflictError
from dtrain.ground.files import write_arrays
from dtrain.ground.reading import parse, read_arrays, read_json, read_whole


@pytest.fixture(params=["pipe", "device", "link to a device", "folder"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "status.json"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "device":
        return Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize("read", [read_json, read_arrays])
def test_what_is_no_file_is_refused_at_once(no_file: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(RunConflictError, match=r"cannot be read: (not a regular file|Is a directory)"):
        read(no_file)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(2**40)
    for read in (read_json, read_arrays):
        with pytest.raises(RunConflictError, match=r"got 1,099,511,627,776 bytes; expected at most"):
            read(tmp_path / "huge")
    with pytest.raises(ValueError, match="expected at most 10"):
        read_whole(tmp_path / "huge", 10)


@pytest.mark.parametrize(
    "text",
    ["[]", '{"a": NaN}', '{"a": 1e999}', '{"a": 9223372036854775808}', '{"a": "\\ud800"}', '{"a": ' + "[" * 10_000],
)
def test_json_that_holds_no_mapping_of_plain_values_is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse(text.encode())


def test_a_bomb_of_arrays_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    np.savez_compressed(path, probabilities=np.zeros(10**6))
    with pytest.raises(RunConflictError, match=r"is damaged: .*arrays of 8,000,128 bytes, or compressed ones"):
        read_arrays(path)


@pytest.mark.parametrize(
    "shape", ["(9999999999999,)", "(-1,)", "(1 << 70,)", "(2000000000,)", "(", "(1, 2", "(True,)", "([],)"]
)
def test_headers_that_lie_are_refused_unread(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    path = tmp_path / "steps.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("loss.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8))
    with pytest.raises(RunConflictError, match="is damaged"):
        read_arrays(path)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "steps.npz"
    write_arrays(path, {"loss": np.ones(1000)})
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunConflictError, match="is damaged: BadZipFile Bad CRC-32"):
        read_arrays(path)

"""An .npz is read without pickles, and its sizes are checked first."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numpy.lib import format as npy

from dtrain.data.npz import read_npz
from dtrain.ground.errors import DataError
from tests.data.helpers import tiny_arrays, write_npz
from tests.peak_memory import peak_memory


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_npz(path)
    return str(caught.value)


def npy_bytes(array: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    npy.write_array(stream, array)
    return stream.getvalue()


def header_bytes(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": dtype})
    return stream.getvalue()


def archive_with(tmp_path: Path, x_train: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """An .npz whose x_train member holds these bytes."""
    path = tmp_path / "odd.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x_train.npy", x_train)
        for key in ("y_train", "x_test", "y_test"):
            archive.writestr(f"{key}.npy", npy_bytes(np.zeros(3, "u1")))
    return path


def test_reads_the_four_arrays(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    read = read_npz(write_npz(tmp_path / "tiny.npz", arrays))
    for part, array in arrays.items():
        np.testing.assert_array_equal(read[part], array)


@pytest.mark.parametrize("dtype", [">f4", "<i8", ">u2"])
def test_column_order_and_byte_order_are_undone(tmp_path: Path, dtype: str) -> None:
    array = np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype(dtype))
    read = read_npz(archive_with(tmp_path, npy_bytes(array)))["train_images"]
    assert read.flags.c_contiguous and read.dtype.isnative
    np.testing.assert_array_equal(read, array)


def test_row_29_pickled_arrays_are_refused_and_do_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (canary,)

    pickled = {"test_labels": np.array([Malicious()], object)}
    path = write_npz(tmp_path / "pickled.npz", tiny_arrays() | pickled)
    message = refusal(path)
    assert "pickle refused" in message and "y_test" in message
    assert not canary.exists()


def test_row_30_missing_key_lists_the_keys_found(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", images=np.zeros(3), y_train=np.zeros(3))
    message = refusal(tmp_path / "other.npz")
    assert "lacks x_train, x_test, y_test; found images, y_train" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not a plain array"),
        (b"\x93NUMPY\x01\x00\x05\x00{'a':", "not a plain array"),
        (b"\x93NUMPY\x03\x00" + bytes(60), "version (3, 0)"),
        (header_bytes((3,), "|S5") + bytes(15), "expected numbers"),
        (header_bytes(()) + bytes(1), "got a single number"),
        (header_bytes((-3, -4)) + bytes(12), "expected at least one item"),
        (header_bytes((5, 4)) + bytes(12), "but the file can hold at most"),
        (header_bytes((5, 4)) + bytes(24), "holds more bytes than its header promises"),
        (b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118, "not a plain array"),
    ],
    ids=["empty", "cut", "version", "strings", "scalar", "negative", "too short", "too long", "nested"],
)
def test_row_26_odd_members_are_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    assert expected in refusal(archive_with(tmp_path, content))


def test_row_24_damaged_archives(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "tiny.npz", tiny_arrays())
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    assert "damaged or incomplete" in refusal(path)
    path.write_bytes(b"<html>")
    assert "not an .npz file" in refusal(path)
    stored = archive_with(tmp_path, npy_bytes(np.full(1000, 77, "u1")), zipfile.ZIP_STORED)
    stored.write_bytes(stored.read_bytes().replace(b"\x4d" * 1000, b"\x4d" * 999 + b"\x4e"))
    assert "Bad CRC-32" in refusal(stored)


def test_row_27_a_billion_items_are_refused_before_allocation(tmp_path: Path) -> None:
    path = archive_with(tmp_path, header_bytes((10**9, 28, 28)) + bytes(100))
    with peak_memory() as peak:
        message = refusal(path)
        assert peak() < 2**20
    assert "claims 1,000,000,000 items" in message


def test_row_28_zip_bomb_is_read_no_further_than_promised(tmp_path: Path) -> None:
    path = archive_with(tmp_path, header_bytes((5, 4)) + bytes(64 * 2**20))
    with peak_memory() as peak:
        message = refusal(path)
        assert peak() < 4 * 2**20
    assert "holds more bytes than its header promises" in message


def test_row_28_methods_that_expand_without_bound_are_refused(tmp_path: Path) -> None:
    path = archive_with(tmp_path, npy_bytes(np.zeros(1000, "u1")), zipfile.ZIP_LZMA)
    assert "compressed in a way that NumPy does not use" in refusal(path)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = archive_with(tmp_path, npy_bytes(np.zeros(3, "u1")))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "or encrypted" in refusal(path)


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bytes_are_read_or_refused_but_never_crash(tmp_path: Path, seed: int) -> None:
    path = write_npz(tmp_path / "tiny.npz", tiny_arrays())
    whole = path.read_bytes()
    generator = np.random.default_rng(seed)
    for _ in range(100):
        content = bytearray(whole)
        for position in generator.integers(0, len(whole), 3):
            content[position] = generator.integers(256)
        path.write_bytes(content)
        with suppress(DataError):
            read_npz(path)

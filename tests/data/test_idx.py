"""IDX files are read exactly, and nothing that they claim is believed before it is checked."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest

from dtrain.data.idx import find_idx_files, idx_sha256, read_idx, write_idx
from dtrain.ground.errors import DataError
from tests.data.helpers import idx_bytes, tiny_arrays, write_folder
from tests.peak_memory import peak_memory

IMAGES = tiny_arrays()["train_images"]
CONTENT = idx_bytes(IMAGES)
HEADER_BYTES = 16
BILLION = (10**9).to_bytes(4, "big")


def saved(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert caught.value.problems[0].where == str(path)
    return str(caught.value)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_reads_images_and_hashes_the_decompressed_bytes(tmp_path: Path, compress: type[bytes]) -> None:
    read = read_idx(saved(tmp_path, compress(CONTENT)))
    np.testing.assert_array_equal(read.array, IMAGES)
    assert read.sha256 == hashlib.sha256(CONTENT).hexdigest() == idx_sha256(IMAGES)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_every_element_type_comes_back_in_native_order(tmp_path: Path, dtype: str) -> None:
    array = np.array([[0, 1], [2, 100]], dtype)
    read = read_idx(saved(tmp_path, idx_bytes(array))).array
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, array)


def test_written_bytes_depend_on_the_array_alone() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    write_idx(first, IMAGES)
    write_idx(second, IMAGES)
    assert first.getvalue() == second.getvalue()
    assert first.getvalue()[4:8] == bytes(4), "gzip's time stamp"
    assert gzip.decompress(first.getvalue()) == CONTENT


def test_only_uint8_is_written() -> None:
    with pytest.raises(ValueError, match="only uint8"):
        write_idx(io.BytesIO(), IMAGES.astype("f4"))


@pytest.mark.parametrize(
    "name",
    [
        "train-images-idx3-ubyte",
        "train-images-idx3-ubyte.gz",
        "train-images.idx3-ubyte",
        "train-images.idx3-ubyte.gz",
        "train-images-idx4-ubyte",
        "train-images.idx4-ubyte.gz",
    ],
)
def test_finds_every_usual_spelling(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(CONTENT)
    assert find_idx_files(tmp_path) == {"train_images": tmp_path / name}


def test_a_raw_file_goes_before_its_compressed_copy(tmp_path: Path) -> None:
    write_folder(tmp_path, tiny_arrays(), ".gz")
    write_folder(tmp_path, tiny_arrays(), "")
    assert {path.suffix for path in find_idx_files(tmp_path).values()} == {""}


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none")
    assert "not a file" in refusal(tmp_path)


def test_row_24_truncated_gzip_tells_expected_and_read_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 28, 28)).astype("u1")
    message = refusal(saved(tmp_path, gzip.compress(idx_bytes(noise))[:40_000]))
    assert "damaged or incomplete (expected 78,400 bytes, read " in message


def test_row_24_gzip_with_wrong_checksum(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(CONTENT))
    content[-8] ^= 1
    assert "CRC check failed" in refusal(saved(tmp_path, bytes(content)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "got magic bytes none"),
        (b"<!DOCTYPE html>", "got magic bytes 3c 21 44 4f"),
        (b"\x00\x00\x07" + CONTENT[3:], "got type byte 0x07; expected one of 0x08, 0x09"),
        (b"\x00\x00\x08\x09" + CONTENT[4:], "got 9 dimensions; expected 1 to 4"),
        (CONTENT[:10], "ends within its header; expected 3 dimensions"),
        (CONTENT[:4] + bytes(4) + CONTENT[8:], "claims 0 items"),
        (CONTENT[:-1], "claims 20 items, 320 bytes (shape (20, 4, 4)), but the file can hold at most 319"),
        (CONTENT + b"\x00", "holds more bytes than its header promises"),
    ],
    ids=["empty", "web page", "type", "dimensions", "header", "no items", "too short", "too long"],
)
def test_row_26_header_and_payload_must_agree(tmp_path: Path, content: bytes, expected: str) -> None:
    assert expected in refusal(saved(tmp_path, content))


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["raw", "gzip"])
@pytest.mark.parametrize(
    "header",
    [b"\x00\x00\x08\x03" + BILLION + CONTENT[8:HEADER_BYTES], b"\x00\x00\x08\x01" + BILLION],
    ids=["images", "labels"],
)
def test_row_27_a_billion_items_are_refused_before_allocation(
    tmp_path: Path, header: bytes, compress: type[bytes]
) -> None:
    path = saved(tmp_path, compress(header + bytes(100)))
    with peak_memory() as peak:
        message = refusal(path)
        assert peak() < 2**20
    assert "claims 1,000,000,000 items" in message


def test_row_27_a_small_file_cannot_claim_more_than_gzip_can_expand(tmp_path: Path) -> None:
    header = b"\x00\x00\x08\x01" + (9_000_000).to_bytes(4, "big")
    assert "but the file can hold at most" in refusal(saved(tmp_path, gzip.compress(header)))


def test_row_28_well_formed_bomb_of_too_many_items(tmp_path: Path) -> None:
    path = saved(tmp_path, gzip.compress(idx_bytes(np.zeros(20_000_000, "u1"))))
    assert path.stat().st_size < 2**15
    assert "claims 20,000,000 items, 20,000,000 bytes (shape (20000000,)); expected at most" in refusal(path)


def test_row_28_gzip_bomb_is_read_no_further_than_promised(tmp_path: Path) -> None:
    path = saved(tmp_path, gzip.compress(CONTENT + bytes(64 * 2**20)))
    with peak_memory() as peak:
        message = refusal(path)
        assert peak() < 4 * 2**20
    assert "holds more bytes than its header promises" in message

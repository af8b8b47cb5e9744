"""Tiny data sets on disk, one that stands in for an official set, and a web server that misbehaves."""

from __future__ import annotations

import gzip
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dtrain.data import official
from dtrain.data.idx import IDX_NAMES, idx_sha256
from dtrain.data.images import ImageSet
from dtrain.data.npz import NPZ_KEYS
from dtrain.data.official import KnownSet

Arrays = dict[str, npt.NDArray[Any]]
UNREACHABLE = "http://127.0.0.1:1"
IDX_TYPE_BYTES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def tiny_arrays(train: int = 20, test: int = 10, image_shape: tuple[int, ...] = (4, 4)) -> Arrays:
    """Three classes in turn; every image is different."""
    pixels = np.arange(train * math.prod(image_shape)).astype("u1").reshape(train, *image_shape)
    return {
        "train_images": pixels,
        "train_labels": (np.arange(train) % 3).astype("u1"),
        "test_images": pixels[:test] + 1,
        "test_labels": (np.arange(test) % 3).astype("u1"),
    }


def image_set(arrays: Arrays | None = None, classes: int = 3) -> ImageSet:
    """The tiny arrays as loading them would give them."""
    arrays = tiny_arrays() if arrays is None else arrays
    return ImageSet(
        name="tiny",
        train_images=arrays["train_images"],
        train_labels=arrays["train_labels"].astype(np.int32),
        test_images=arrays["test_images"],
        test_labels=arrays["test_labels"].astype(np.int32),
        class_names=tuple(str(label) for label in range(classes)),
    )


def idx_bytes(array: npt.NDArray[Any]) -> bytes:
    """An IDX file, written independently of the code under test."""
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    header = bytes([0, 0, IDX_TYPE_BYTES[array.dtype.str[1:]], array.ndim])
    return header + b"".join(size.to_bytes(4, "big") for size in array.shape) + big_endian.tobytes()


def write_folder(folder: Path, arrays: Arrays, suffix: str = ".gz") -> Path:
    """Four IDX files, compressed unless `suffix` is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in IDX_NAMES.items():
        content = idx_bytes(arrays[part])
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix == ".gz" else content)
    return folder


def write_npz(path: Path, arrays: Arrays) -> Path:
    """A Keras-style .npz."""
    np.savez_compressed(path, allow_pickle=True, **{NPZ_KEYS[part]: array for part, array in arrays.items()})
    return path


def pretend_official(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, archive: str = "", address: str = UNREACHABLE
) -> KnownSet:
    """Makes the tiny arrays the official Fashion-MNIST, with a cache and a system folder under `tmp_path`."""
    known = KnownSet(
        name="fashion_mnist",
        folder="fashion-mnist",
        class_names=("a", "b", "c"),
        sha256={part: idx_sha256(array) for part, array in tiny_arrays().items()},
        archive=archive,
        address=address,
        system_folder=str(tmp_path / "system"),
        package="a-package",
    )
    monkeypatch.setitem(official.OFFICIAL, "fashion_mnist", known)
    (tmp_path / "keras").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return known


@dataclass
class Server:
    """A server on the loopback address, and the paths that it was asked for."""

    address: str
    requests: list[str] = field(default_factory=list)


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serve(answers: Mapping[str, bytes | Answer]) -> Iterator[Server]:
    """Serves each path's bytes, or lets its function answer; 404 for any other."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(self.path)
            answer = answers.get(self.path)
            if answer is None:
                self.send_error(404)
            elif isinstance(answer, bytes):
                send(self, answer)
            else:
                answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{web.server_port}")
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, content: bytes, announced: int | None = None) -> None:
    """Sends a whole answer, or announces more bytes than come."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) if announced is None else announced))
    handler.end_headers()
    handler.wfile.write(content)

"""`dtrain data` says what is there, fetches what is not, and imports copies by their content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtrain.data.idx import read_idx
from dtrain.data.manage import fetch, import_images, status
from dtrain.data.official import SAMPLES_FOLDER
from dtrain.data.sources import load_images
from dtrain.experiment.dataset import NAMED_DATASETS
from dtrain.ground.errors import ConfigError, DataError, EnvironmentProblem
from tests.data.helpers import pretend_official, serve, tiny_arrays, write_folder, write_npz

NAME = "fashion_mnist"


def tiny_status(data_dir: Path | None = None) -> tuple[bool, str, str]:
    found = next(one for one in status(data_dir) if one.name == NAME)
    return found.verified, found.origin, found.problem


def test_status_covers_every_known_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    found = {one.name: one for one in status()}
    assert set(found) == set(NAMED_DATASETS)
    sample = found["mnist_sample"]
    assert sample.verified and sample.origin == "bundled" and sample.size > 1_000_000
    assert not found["mnist"].verified and found["mnist"].path is None


def test_status_tells_absent_verified_and_damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    verified, _, problem = tiny_status(tmp_path)
    assert not verified and "not found: data folder" in problem
    folder = write_folder(tmp_path / "fashion-mnist", tiny_arrays())
    assert tiny_status(tmp_path) == (True, "data folder", "")
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(b"damaged")
    verified, origin, problem = tiny_status(tmp_path)
    assert not verified and origin == "data folder" and "got magic bytes" in problem


def test_status_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    cache = write_folder(tmp_path / "keras" / "datasets" / "fashion-mnist", tiny_arrays())
    (cache / "t10k-images-idx3-ubyte.gz").write_bytes(b"damaged")
    before = sorted(tmp_path.rglob("*"))
    tiny_status()
    assert sorted(tmp_path.rglob("*")) == before


def test_fetch_downloads_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = write_npz(tmp_path / "web.npz", tiny_arrays()).read_bytes()
    with serve({"/tiny.npz": content}) as server:
        pretend_official(monkeypatch, tmp_path, archive="tiny.npz", address=server.address)
        first, second = fetch(NAME), fetch(NAME)
    assert first == second
    assert first.verified and first.path == tmp_path / "keras" / "datasets" / "tiny.npz"
    assert server.requests == ["/tiny.npz"]


def test_fetch_of_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of mnist"):
        fetch(str(tmp_path))


def test_import_recognises_folders_and_archives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    copies = [
        write_folder(tmp_path / "plain", tiny_arrays(), ""),
        write_folder(tmp_path / "both" / "fashion-mnist", tiny_arrays()).parent,
        write_npz(tmp_path / "copy.npz", tiny_arrays()),
    ]
    for copy in copies:
        (imported,) = import_images(copy)
        assert imported.name == NAME and imported.verified
        assert imported.path == tmp_path / "keras" / "datasets" / "fashion-mnist"
        np.testing.assert_array_equal(load_images(NAME).test_images, tiny_arrays()["test_images"])
        for file in imported.path.glob("*.gz"):
            file.unlink()


def test_import_replaces_only_damaged_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    copy = write_folder(tmp_path / "copy", tiny_arrays())
    import_images(copy)
    cache = tmp_path / "keras" / "datasets" / "fashion-mnist"
    images, labels = cache / "train-images-idx3-ubyte.gz", cache / "train-labels-idx1-ubyte.gz"
    untouched = images.stat().st_mtime_ns
    labels.write_bytes(b"damaged")
    import_images(copy)
    assert images.stat().st_mtime_ns == untouched
    assert len(read_idx(labels).array) == 20
    assert labels.with_name(f"{labels.name}.corrupt").read_bytes() == b"damaged"


def test_import_refuses_other_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    own = write_folder(tmp_path / "own", tiny_arrays(train=30, test=12))
    with pytest.raises(DataError, match="not an official data set") as caught:
        import_images(own)
    assert f"`dataset: {own}`" in caught.value.problems[0].hint
    assert not (tmp_path / "keras" / "datasets").exists()


def test_import_refuses_the_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    with pytest.raises(DataError, match="not an official data set"):
        import_images(SAMPLES_FOLDER)


def test_import_of_nothing_and_of_half_a_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    with pytest.raises(DataError, match="no data set found"):
        import_images(tmp_path / "missing")
    half = write_folder(tmp_path / "half", tiny_arrays())
    (half / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="lacks train-labels-idx1-ubyte"):
        import_images(half)


def test_row_25_import_of_an_altered_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = pretend_official(monkeypatch, tmp_path)
    altered = tiny_arrays()
    altered["test_images"] = altered["test_images"] + 1
    with pytest.raises(DataError, match=known.sha256["test_images"]):
        import_images(write_folder(tmp_path / "altered", altered))


def test_row_37_import_needs_a_keras_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    (tmp_path / "keras").rmdir()
    with pytest.raises(EnvironmentProblem, match="KERAS_HOME"):
        import_images(write_folder(tmp_path / "copy", tiny_arrays()))

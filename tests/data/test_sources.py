"""A known data set is searched in order, verified, repaired in the cache, and downloaded last."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dtrain.data import places
from dtrain.data.idx import IDX_NAMES
from dtrain.data.sources import load_images, locate
from dtrain.ground.errors import ConfigError, DataError, EnvironmentProblem
from tests.data.helpers import pretend_official, serve, tiny_arrays, write_folder, write_npz

NAME = "fashion_mnist"
MakePlace = Callable[[Path], Path]
FILES = [f"{name}.gz" for name in IDX_NAMES.values()]


def refusal(data_dir: Path | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        load_images(NAME, data_dir)
    return caught.value


def served(folder: Path) -> dict[str, bytes]:
    """What a server needs to answer for the four files of the tiny set."""
    return {f"/{path.name}": path.read_bytes() for path in write_folder(folder, tiny_arrays()).iterdir()}


def as_data_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "data" / "fashion-mnist", tiny_arrays())


def as_cache_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "keras" / "datasets" / "fashion-mnist", tiny_arrays())


def as_cache_archive(tmp_path: Path) -> Path:
    (tmp_path / "keras" / "datasets").mkdir(parents=True, exist_ok=True)
    return write_npz(tmp_path / "keras" / "datasets" / "tiny.npz", tiny_arrays())


def as_system_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "system", tiny_arrays(), "")


PLACES = [as_data_folder, as_cache_archive, as_cache_folder, as_system_folder]


@pytest.mark.parametrize("place", PLACES)
def test_found_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: MakePlace) -> None:
    pretend_official(monkeypatch, tmp_path, archive="tiny.npz")
    place(tmp_path)
    images = load_images(NAME, tmp_path / "data")
    np.testing.assert_array_equal(images.train_images, tiny_arrays()["train_images"])
    assert images.class_names == ("a", "b", "c")
    assert images.train_labels.dtype == np.int32


def test_places_are_searched_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path, archive="tiny.npz")
    paths = [place(tmp_path) for place in PLACES]
    found = locate(NAME, tmp_path / "data")
    assert [place.path for place in found] == paths
    origins = ["data folder", "Keras cache", "Keras cache", "system folder"]
    assert [place.origin for place in found] == origins
    assert {place.status for place in found} == {"complete"}


def test_equal_content_has_one_digest_in_every_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path, archive="tiny.npz")
    as_cache_archive(tmp_path)
    from_archive = load_images(NAME).digest
    as_data_folder(tmp_path)
    assert load_images(NAME, tmp_path / "data").digest == from_archive


def test_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'fashion_mnist"):
        load_images("fashion_mnits")


def test_row_23_names_every_place_and_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = pretend_official(monkeypatch, tmp_path)
    error = refusal(tmp_path / "data")
    message, hint = str(error), error.problems[0].hint
    assert len(error.problems) == 1 and "\n" not in message
    for place in ("data", "keras/datasets", "system"):
        assert str(tmp_path / place) in message
    assert f"{known.address}/train-images-idx3-ubyte.gz" in message
    ways = ("--data-dir", "`dtrain data import PATH`", "a-package", "`dataset: fashion_mnist_sample`")
    assert all(way in hint for way in ways)


def test_row_23_incomplete_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    (as_data_folder(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    assert "data/fashion-mnist (lacks t10k-labels-idx1-ubyte)" in str(refusal(tmp_path / "data"))


def test_downloads_files_and_finds_them_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    labels: list[str] = []
    with serve(served(tmp_path / "web")) as server:
        pretend_official(monkeypatch, tmp_path, address=server.address)
        first = load_images(NAME, progress=lambda label, done, total: labels.append(label))
        again = load_images(NAME)
    assert sorted(server.requests) == sorted(f"/{name}" for name in FILES)
    assert labels == [f"downloading {name}" for name in FILES]
    assert first.digest == again.digest


def test_downloads_an_archive_and_finds_it_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = write_npz(tmp_path / "web.npz", tiny_arrays()).read_bytes()
    with serve({"/tiny.npz": content}) as server:
        pretend_official(monkeypatch, tmp_path, archive="tiny.npz", address=server.address)
        assert load_images(NAME).digest == load_images(NAME).digest
    assert server.requests == ["/tiny.npz"]


def test_row_24_damaged_cache_is_downloaded_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serve(served(tmp_path / "web")) as server:
        pretend_official(monkeypatch, tmp_path, address=server.address)
        damaged = as_cache_folder(tmp_path) / FILES[0]
        damaged.write_bytes(damaged.read_bytes()[:50])
        load_images(NAME)
    assert server.requests == [f"/{FILES[0]}"]
    assert damaged.with_name(f"{FILES[0]}.corrupt").stat().st_size == 50


def test_row_24_damaged_cache_without_network_says_where_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_official(monkeypatch, tmp_path, archive="tiny.npz")
    as_cache_archive(tmp_path).write_bytes(b"PK damaged")
    assert "tiny.npz (absent; damaged, kept as tiny.npz.corrupt)" in str(refusal())


def test_row_24_damaged_cache_but_sound_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    (as_cache_folder(tmp_path) / FILES[1]).write_bytes(b"damaged")
    as_system_folder(tmp_path)
    assert len(load_images(NAME).train_labels) == 20
    assert (tmp_path / "keras" / "datasets" / "fashion-mnist" / f"{FILES[1]}.corrupt").exists()


@pytest.mark.parametrize("place", [as_data_folder, as_system_folder])
def test_row_25_wrong_content_outside_the_cache_is_an_error_and_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: MakePlace
) -> None:
    known = pretend_official(monkeypatch, tmp_path)
    arrays = tiny_arrays()
    arrays["train_images"][0] += 1
    folder = write_folder(place(tmp_path), arrays, ".gz" if place is as_data_folder else "")
    before = sorted(folder.iterdir())
    assert known.sha256["train_images"] in str(refusal(tmp_path / "data"))
    assert sorted(folder.iterdir()) == before


def test_row_25_wrong_archive_is_not_trained_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path, archive="tiny.npz")
    as_cache_archive(tmp_path)
    arrays = tiny_arrays()
    wide = arrays | {"train_labels": arrays["train_labels"].astype("i8") + 256}
    write_npz(tmp_path / "keras" / "datasets" / "tiny.npz", wide)
    assert "tiny.npz.corrupt" in str(refusal())


def test_row_32_files_of_another_set_are_recognised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    folder = as_data_folder(tmp_path)
    (folder / FILES[1]).write_bytes((folder / FILES[3]).read_bytes())
    assert "test_labels of fashion_mnist" in refusal(tmp_path / "data").problems[0].hint


def test_row_37_download_needs_a_keras_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_official(monkeypatch, tmp_path)
    (tmp_path / "keras").rmdir()
    with pytest.raises(EnvironmentProblem, match="keras"):
        load_images(NAME)
    as_data_folder(tmp_path)
    assert len(load_images(NAME, tmp_path / "data").train_labels) == 20


def test_own_images_are_loaded_by_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_folder(tmp_path / "photos", tiny_arrays())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    names = ("photos", "./photos", "~/photos", str(tmp_path / "photos"))
    assert len({load_images(name).digest for name in names}) == 1


def test_home_of_a_user_who_does_not_exist() -> None:
    with pytest.raises(DataError, match="~no-such-user/photos"):
        load_images("~no-such-user/photos")


def test_lost_sample_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "SAMPLES_FOLDER", tmp_path)
    with pytest.raises(DataError, match="mnist_sample: the bundled sample is missing"):
        load_images("mnist_sample")


@pytest.mark.parametrize("name", ["mnist_sample", "fashion_mnist_sample"])
def test_bundled_samples_load_verified(name: str) -> None:
    images = load_images(name)
    assert images.train_images.shape == (10_000, 28, 28)
    assert np.bincount(images.train_labels).tolist() == [1_000] * 10
    assert np.bincount(images.test_labels).tolist() == [200] * 10


@pytest.mark.slow
@pytest.mark.skipif("DTRAIN_DATA_DIR" not in os.environ, reason="DTRAIN_DATA_DIR is not set")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_full_sets_load_verified(name: str) -> None:
    images = load_images(name, Path(os.environ["DTRAIN_DATA_DIR"]))
    assert images.train_images.shape == (60_000, 28, 28)
    assert images.test_images.shape == (10_000, 28, 28)

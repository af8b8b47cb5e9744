"""`data`: where the data sets are; the bundled samples are always here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dtrain.display.console import stderr
from dtrain.display.progress import QuietProgress
from dtrain.experiment.dataset import NAMED_DATASETS
from dtrain.ground.errors import ConfigError, DataError
from dtrain.workflows.data import fetch, import_copy, status


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keras").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def test_status_knows_every_named_data_set_and_verifies_the_samples() -> None:
    sets = {one.name: one for one in status().sets}
    assert sets.keys() == NAMED_DATASETS.keys()
    assert sets["mnist_sample"].verified and sets["fashion_mnist_sample"].verified


def test_fetching_what_is_here_downloads_nothing() -> None:
    (found,) = fetch("mnist_sample", None, QuietProgress(stderr(), seeds=1)).sets
    assert found.verified and found.origin == "bundled"


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mnist_sample'"):
        fetch("mnist_samples", None, QuietProgress(stderr(), seeds=1))


def test_nothing_to_import(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set found"):
        import_copy(tmp_path)


@pytest.mark.slow
def test_an_imported_copy_is_found_in_the_cache(tmp_path: Path) -> None:
    data_dir = os.environ.get("DTRAIN_DATA_DIR")
    if not data_dir:
        pytest.skip("DTRAIN_DATA_DIR is not set")
    assert {one.name for one in import_copy(Path(data_dir)).sets} == {"mnist", "fashion_mnist"}
    sets = {one.name: one for one in status().sets}
    assert sets["mnist"].verified and sets["mnist"].path == tmp_path / "keras" / "datasets" / "mnist"

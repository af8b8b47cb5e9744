"""What the name of a data set means: one that is known, or a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.cli import main
from dtrain.data.official import known_sets
from dtrain.experiment.config.loading import load_experiment
from dtrain.experiment.dataset import NAMED_DATASETS, Dataset, is_path

PATHS = ["./x", "../x", ".hidden", "~/x", "~someone", "/x", "a/b", "images.npz", "foo\\bar", "C:\\images", "C:/images"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", PATHS)
def test_what_is_a_path_before_it_exists(name: str) -> None:
    assert is_path(name)
    assert load_experiment(None, [f"dataset={name}"]).dataset.name == name


@pytest.mark.parametrize("name", ["photos", "mnits", "mnist_v2", "images.zip", "x" * 5000, "a\0b"])
def test_what_is_no_path(name: str) -> None:
    assert not is_path(name)


def test_a_plain_name_is_a_path_when_it_exists() -> None:
    for name in ("photos", "mnist"):
        Path(name).mkdir()
    assert is_path("photos")
    assert not is_path("mnist"), "a known name keeps its meaning"


@pytest.mark.parametrize("name", PATHS)
def test_run_takes_for_a_path_what_validate_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", f"dataset={name}"]) == 0
    assert main(["run", f"dataset={name}"]) == 4
    assert "did you mean" not in capsys.readouterr().err


def test_every_known_name_is_a_data_set_that_can_be_found() -> None:
    assert NAMED_DATASETS.keys() == known_sets().keys()


def test_the_images_to_train_on_are_known_by_the_name() -> None:
    assert Dataset(name="mnist").training_images == 55_000
    assert Dataset(name="mnist", validation=10_000, train_limit=60).training_images == 60
    assert Dataset(name="./mine").training_images is None

"""A file that is not there, or is no experiment file, leads to the file or the command that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.config.files import read_file
from dtrain.errors import ConfigError, Problem


@pytest.fixture(autouse=True)
def a_folder_with_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("configs").mkdir()
    Path("configs/quickstart.yaml").write_text("seed: 3")


def refused(path: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        read_file(Path(path), path)
    return caught.value.problems[0]


def test_a_file_is_read() -> None:
    assert read_file(Path("configs/quickstart.yaml"), "x") == b"seed: 3"


@pytest.mark.parametrize("name", ["quickstart", "config/quickstart.yaml", "quikstart.yml", "configs/quickstart"])
def test_row_01_a_name_near_that_of_a_file(name: str) -> None:
    assert refused(name).message.endswith(f"; did you mean {str(Path('configs/quickstart.yaml'))!r}?")


def test_row_01_the_nearest_folder_comes_first() -> None:
    Path("quickstart.yaml").touch()
    assert refused("quickstart").message.endswith("did you mean 'quickstart.yaml'?")


@pytest.mark.parametrize("path", ["own/ok.npz", "own", "mnist"])
def test_images_in_the_place_of_the_file(path: str) -> None:
    Path("own").mkdir()
    problem = refused(path)
    assert "expected an experiment file" in problem.message
    assert problem.hint == f"images are chosen by `dtrain run dataset={path}`"

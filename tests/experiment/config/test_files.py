"""A file that is not there, or is no experiment file, leads to the file or the command that is meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dtrain.experiment.config.files import read_file
from dtrain.experiment.config.loading import load_experiment
from dtrain.ground.errors import ConfigError, Problem


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


def test_what_may_never_end_is_not_waited_for() -> None:
    os.mkfifo("pipe.yaml")
    Path("endless.yaml").symlink_to("/dev/zero")
    for name in ("pipe.yaml", "endless.yaml"):
        assert refused(name).message == "got a pipe or a device; expected an experiment file"


def message_about(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_experiment(Path(name))
    problem = caught.value.problems[0]
    return f"{problem}; {problem.hint}"


@pytest.mark.parametrize(
    "content",
    [b"# Title\n\n*Which* technique works?\n", b"some words", b"\x89HDF\r\n\x1a\n\0\xff", b"# a\n" + 300_000 * b"b"],
)
@pytest.mark.parametrize("name", ["README.md", "model.h5", "notes"])
def test_what_is_plainly_no_experiment_is_told_so_in_one_line(name: str, content: bytes) -> None:
    said = message_about(name, content)
    assert said.startswith(f"{name}: got a file that is no experiment; expected YAML")
    assert said.endswith("`dtrain init exp.yaml` writes one to start from")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("exp.yaml", b"&bold text", "exp.yaml:1:1: got '&bold'; anchors"),
        ("exp.json", b"[1]", "exp.json:1:1: got [1]; expected a mapping"),
        ("exp.txt", b"# mine\n---\nseed: &a 3\n", "exp.txt:3:7: got '&a'; anchors"),
        ("exp.txt", b"colour: red", "exp.txt:1:1 colour: got the unknown key"),
    ],
)
def test_what_may_be_meant_as_one_is_told_what_is_wrong_and_where(name: str, content: bytes, said: str) -> None:
    assert message_about(name, content).startswith(said)


def test_an_experiment_may_have_any_name() -> None:
    Path("mine.txt").write_text("# my own\nseed: 7\n")
    assert load_experiment(Path("mine.txt")).seed == 7

"""Tab: asked as the shells ask, in this process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dtrain.cli import main
from dtrain.experiment.config.schema import families
from dtrain.runs.catalogue import create_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def in_a_folder_with_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").touch()
    Path("configs").mkdir()
    Path("configs/quick.yaml").touch()


def offered(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> list[str]:
    """What bash is offered for the last of the words after ``dtrain``."""
    monkeypatch.setenv("_DTRAIN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["dtrain", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["val"], ["validate"]),
        (["run", "--str"], ["--strict"]),
        (["data", "f"], ["fetch"]),
        (["techniques", "opt"], ["optimizer"]),
        (["techniques", ""], list(families())),
        (["init", "--story", "transfer_t"], ["transfer_task_b"]),
        (["run", "mi"], ["mine.yaml"]),
        (["run", "configs/"], ["configs/quick.yaml"]),
        (["run", "optimizer.lea"], ["optimizer.learning_rate=", "optimizer.learning_rate_power="]),
        (["run", "optimizer.rh"], ["optimizer.rho=", "optimizer.rho=0.9", "optimizer.rho=0.95"]),
        (["validate", "mine.yaml", "seed=3", "training.ep"], ["training.epochs=", "training.epochs=20"]),
        (["lr-find", "normalization", "=", "ba"], ["batch_norm"]),
        (["run", "optimizer.nesterov", "="], ["true", "false"]),
        (["run", "network.fix"], ["network.fixup=", "network.fixup=true", "network.fixup=false"]),
        (["run", "schedule", "=", "cos"], ["cosine", "cosine_restarts"]),
        (["run", "training.engine", "=", ""], ["auto", "xla", "graph"]),
        (["run", "no.such.key"], []),
    ],
)
def test_what_is_offered(
    words: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert offered(words, monkeypatch, capsys) == expected


def test_runs_are_those_of_the_runs_dir(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert offered(["show", ""], monkeypatch, capsys) == []
    for folder, name in (("runs", "here-1"), ("runs", "other"), ("elsewhere", "here-2")):
        create_run(Path(folder), name=name, stem="x").write_status("completed")
    assert offered(["show", "he"], monkeypatch, capsys) == ["here-1"]
    assert offered(["evaluate", "--runs-dir", "elsewhere", ""], monkeypatch, capsys) == ["here-2"]


def test_a_name_that_would_steer_the_terminal_is_not_offered(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    create_run(Path("runs"), name="here-1", stem="x").write_status("completed")
    shutil.copytree("runs/here-1", "runs/here\x1b[2J")
    assert offered(["show", "he"], monkeypatch, capsys) == ["here-1"]


def test_zsh_asks_for_a_whole_argument(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("_DTRAIN_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "dtrain run activation=se")
    with pytest.raises(SystemExit):
        main()
    assert "activation=selu" in capsys.readouterr().out

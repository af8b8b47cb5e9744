"""Names made to steer a terminal, to forge lines or to lead elsewhere do nothing; secrets are written nowhere."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from dtrain.cli import main
from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.runs.catalogue import create_run
from dtrain.runs.folder import RunFolder

HOSTILE = "[red]\x1b[31m\nerror: forged"
HARMLESS = "[red]\\x1b[31m\\nerror: forged"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def hostile_run() -> RunFolder:
    """A run folder as a stranger may have made it."""
    folder = create_run(Path(HOSTILE), name="x", stem="")
    folder.write_config(dump_experiment(Experiment.model_validate({})))
    folder.write_status("failed", reason=HOSTILE)
    status = json.loads((folder.path / "status.json").read_text())
    (folder.path / "status.json").write_text(json.dumps(status | {"host": HOSTILE}))
    return folder


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["run", "--name", HOSTILE], 2),
        (["run", "--device", HOSTILE], 2),
        (["run", f"{HOSTILE}.yaml"], 3),
        (["run", f"dataset=./{HOSTILE}.npz"], 3),
        (["run", f"dataset.name={json.dumps(f'./{HOSTILE}.npz')}"], 4),
        (["run", f"activation={json.dumps(HOSTILE)}"], 3),
        (["run", f"{HOSTILE}=1"], 3),
        (["show", HOSTILE], 2),
        (["show", "--runs-dir", HOSTILE], 2),
        (["compare", HOSTILE, "x"], 2),
        (["compare", "x", "y", "--csv", f"{HOSTILE}/x.csv"], 2),
        (["evaluate", HOSTILE], 2),
        (["evaluate", "--runs-dir", HOSTILE], 2),
        (["data", "fetch", HOSTILE], 3),
        (["data", "import", HOSTILE], 4),
        (["data", HOSTILE], 2),
        ([HOSTILE], 2),
    ],
)
def test_rows_103_and_105_a_hostile_name_is_refused_in_one_line(
    arguments: list[str], exit_code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == exit_code
    out, err = capsys.readouterr()
    assert out == "" and "\x1b" not in err
    assert sum(line.startswith("error: ") for line in err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_row_105_a_run_of_a_stranger_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    folder = hostile_run()
    assert main(["show", str(folder.path)]) == 0
    out = capsys.readouterr().out
    assert out == f"{HARMLESS}/x: failed, epoch 0 of 20, seed 42\n{HARMLESS}\n" + out[out.index("next: ") :]
    assert "\x1b" not in out and "\nerror: " not in out


def test_row_103_a_run_that_is_taken_is_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    hostile_run()
    assert main(["run", "--runs-dir", HOSTILE, "--name", "x", "-q"]) == 8
    assert capsys.readouterr().err.startswith(f"error: {HARMLESS}/x: got a name that is taken")


def test_row_104_a_linked_run_folder_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_run(tmp_path / "elsewhere", name="real", stem="")
    before = (tmp_path / "elsewhere" / "real" / "status.json").read_bytes()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x").symlink_to(tmp_path / "elsewhere" / "real")
    for command in (["run", "--name", "x", "-q"], ["show", "x"], ["evaluate", "x", "-q"]):
        assert main(command) == 8
        assert capsys.readouterr().err.startswith("error: runs/x: got a ")
    assert [path.name for path in (tmp_path / "elsewhere" / "real").iterdir()] == ["status.json"]
    assert (tmp_path / "elsewhere" / "real" / "status.json").read_bytes() == before


def test_row_107_nothing_of_the_environment_is_in_the_run_folder(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for variable in ("https_proxy", "http_proxy", "API_TOKEN", "KAGGLE_KEY"):
        monkeypatch.setenv(variable, "http://me:s3cret@127.0.0.1:1")
    small = ["dataset.train_limit=320", "network=[4]", "training={epochs: 1, engine: graph, save: [keras, h5]}"]
    assert main(["run", *small, "--name", "x"]) == 0
    assert "s3cret" not in "".join(capfd.readouterr())
    files = [path for path in Path("runs/x").rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        contents = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents += map(archive.read, archive.namelist())
        assert all(b"s3cret" not in content for content in contents), path

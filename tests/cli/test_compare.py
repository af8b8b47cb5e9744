"""`dtrain compare` on the command line: one document, quiet ends, quick answers, and Tab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtrain.cli import main
from dtrain.runs.catalogue import create_run
from tests.cli.test_completion import offered
from tests.studies.made_runs import several, single

Capture = pytest.CaptureFixture[str]
DTRAIN = [sys.executable, "-m", "dtrain"]


@pytest.fixture(autouse=True)
def in_a_folder_with_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    several(Path("runs"), "elu", [0.9, 0.92, 0.91])
    single(Path("runs"), "selu", 42, 0.8, written={"activation": "selu"})


def test_row_59_one_document_also_with_warnings(capsys: Capture) -> None:
    create_run(Path("runs"), name="half", stem="").write_status("interrupted")
    assert main(["compare", "elu", "selu", "half", "--csv", "table.csv", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert [one["name"] for one in document["standings"]] == ["elu", "selu"]
    assert document["pairs"][0]["verdict"] == "cannot be decided" and document["csv"] == "table.csv"
    assert err == f"warning: {document['warnings'][0]}\n"
    assert Path("table.csv").read_text().startswith("rank,experiment,run,seed,")


def test_row_55_one_run(capsys: Capture) -> None:
    assert main(["compare", "selu"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == (
        "",
        "error: dtrain compare: got one run; expected at least two experiments",
    )
    assert err.splitlines()[1] == "hint: name another run too: `dtrain compare selu RUN`"
    assert main(["compare"]) == 2
    assert "RUN" in capsys.readouterr().err


def test_row_55_different_data(capsys: Capture) -> None:
    single(Path("runs"), "other", 42, 0.8, digest="def456", written={"activation": "relu"})
    assert main(["compare", "elu", "other", "--json"]) == 2
    problem = json.loads(capsys.readouterr().out)["error"]["problems"][0]
    assert "elu on images abc123" in problem["message"] and "other on images def456" in problem["message"]


def test_runs_that_are_not_completed(capsys: Capture) -> None:
    create_run(Path("runs"), name="half", stem="").write_status("interrupted")
    assert main(["compare", "elu", "half"]) == 8
    assert "because half was interrupted" in capsys.readouterr().err


def test_row_105_runs_of_a_stranger_forge_no_line(capsys: Capture) -> None:
    hostile = "[red]\x1b[31m\nerror: forged"
    harmless = "[red]\\x1b[31m\\nerror: forged"
    several(Path("runs"), "relu", [0.9, 0.91], written={"activation": "relu"})
    create_run(Path("runs"), name="half", stem="").write_status("failed", reason=hostile)
    Path("runs/relu").rename(f"runs/{hostile}")
    assert main(["compare", "elu", hostile, "half", "--worth", "0.1"]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\nerror" not in out + err
    assert f"verdict: undecided whether elu and {harmless} differ; " in out
    assert err == f"warning: half failed: {harmless}; it is left out\n"


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_row_58_stdout_is_closed(more: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    several(Path("runs"), "relu", [0.9, 0.92, 0.91], written={"activation": "relu"})
    finished = subprocess.run([*DTRAIN, "compare", "elu", "relu", *more], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (finished.returncode, finished.stderr) == (1, b"")


def test_no_tensorflow_and_no_matplotlib_unless_there_is_a_picture() -> None:
    script = """
import sys
from dtrain.cli import main
loaded = []
for more in ([], ["--plot", "a.png"]):
    assert main(["compare", "elu", "selu", *more]) == 0
    loaded.append(sorted({"tensorflow", "keras", "matplotlib"} & set(sys.modules)))
print(loaded, file=sys.stderr)
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stderr.splitlines()[-1] == "[[], ['matplotlib']]"
    assert finished.stdout.endswith("# then compare again, over seeds\n") and "written a.png" in finished.stdout


def test_tab_offers_runs_for_every_argument(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert offered(["compare", "elu", "s"], monkeypatch, capsys) == ["selu"]
    assert offered(["compare", ""], monkeypatch, capsys) == ["elu", "selu"]
    assert offered(["compare", "elu", ""], monkeypatch, capsys) == ["selu"], "a run is compared once"

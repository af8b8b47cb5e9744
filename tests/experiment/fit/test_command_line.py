"""The linter on the command line: shown, listed in the document, recorded, and with --strict an error."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dtrain.cli import main
from tests.cli.test_cli import SMALL, error_of


@pytest.fixture(autouse=True)
def in_a_folder_with_a_contradiction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("selu.yaml").write_text("activation: selu\nnormalization: batch_norm\nschedule: constant\n")


@pytest.mark.parametrize("command", ["run", "validate"])
def test_row_15_strict_starts_nothing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "selu.yaml", "--strict", "--json"]) == 3
    (problem,) = error_of(capsys.readouterr().out)["problems"]
    assert problem["where"] == "selu.yaml:2:16 normalization"
    assert "'selu' (selu.yaml:1:13 activation)" in problem["message"]
    assert os.listdir() == ["selu.yaml"]


def test_row_15_advice_is_shown_and_listed(capfd: pytest.CaptureFixture[str]) -> None:
    full_pass = "normalization.final_statistics=full_pass"
    for command in (["validate", "selu.yaml"], ["run", "selu.yaml", *SMALL, full_pass]):
        assert main([*command, "--json"]) == 0
        out, err = capfd.readouterr()
        assert [one["rule"] for one in json.loads(out)["advice"]] == ["selu_normalization"]
        assert err.count("warning: ") == 1
        assert "selu.yaml:2:16 normalization: got 'batch_norm' with 'selu'" in err
    assert main(["show", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["result"] == json.loads(out)

"""The vocabulary as it is shown, and what `init` and `schema` say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtrain.cli import main
from dtrain.experiment.config.schema import every_kind


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_overview_has_a_line_for_every_kind(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["techniques"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if line.startswith("  ") and line.strip()} >= {
        kind for kind, _ in every_kind()
    }
    assert max(map(len, lines)) <= int(columns)


def test_a_family_shows_fields_advice_and_yaml(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["techniques", "activation"]) == 0
    out = capsys.readouterr().out
    assert "  negative_slope  0.2      a number of at least 0" in out
    assert "  lesson: SELU only keeps mean 0 and deviation 1 where the inputs have them; set dataset.scaling" in out
    assert "  activation: {kind: leaky_relu, negative_slope: 0.2}\n" in out


def test_the_optimizers_have_the_lessons_table_of_speed_and_quality(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["techniques", "optimizer"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    start = lines.index("optimizer speed quality of convergence")
    assert lines[start + 1 : start + 9] == [
        "sgd * ***",
        "sgd with momentum ** ***",
        "sgd with momentum and nesterov ** ***",
        "adagrad *** * (stops too early)",
        "rmsprop *** ** or ***",
        "adam *** ** or ***",
        "adamax *** ** or ***",
        "nadam *** ** or ***",
    ]


def test_the_document_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["techniques", "schedule", "--json"]) == 0
    (schedule,) = json.loads(capsys.readouterr().out)["families"]
    assert schedule["kinds"][0]["yaml"] == "schedule: {kind: constant, warmup: 0.0}"


def test_an_unknown_family_is_a_mistake_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["techniques", "optimiser"]) == 2
    assert "did you mean 'optimizer'?" in capsys.readouterr().err


def test_init_says_what_it_wrote_and_what_is_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    out = capsys.readouterr().out
    assert "experiment experiment.yaml\nschema for editors experiment.schema.json\n" in out
    assert "next: dtrain run experiment.yaml" in out
    assert main(["init"]) == 2
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == Path("experiment.schema.json").read_text()


def test_init_leaves_an_old_schema_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Path("experiment.schema.json").write_text("{}")
    assert main(["init", "mine.yaml"]) == 0
    assert "`dtrain schema > experiment.schema.json` renews it" in capsys.readouterr().out

"""`init`: a file to start from and its schema; nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtrain.experiment.config.editor_schema import editor_schema
from dtrain.experiment.config.loading import load_experiment
from dtrain.experiment.config.stories import stories
from dtrain.ground.errors import UsageError
from dtrain.workflows.init import SCHEMA, init, schema_text


def test_both_files_are_written_beside_each_other(tmp_path: Path) -> None:
    beginning = init(tmp_path / "mine.yaml")
    assert load_experiment(beginning.experiment) == load_experiment(None)
    assert f"$schema={SCHEMA}\n" in beginning.experiment.read_text()
    assert beginning.schema == tmp_path / SCHEMA
    assert json.loads(beginning.schema.read_text()) == editor_schema() == json.loads(schema_text())
    assert not beginning.outdated


def test_a_story_is_written_with_the_schema_and_its_command(tmp_path: Path) -> None:
    beginning = init(tmp_path / "mine.yaml", "transfer_conv_b")
    assert load_experiment(beginning.experiment) == load_experiment(stories()["transfer_conv_b"])
    assert beginning.experiment.read_text().startswith(f"# yaml-language-server: $schema={SCHEMA}\n# dtrain transfer ")
    assert beginning.command == f"dtrain transfer {tmp_path}/mine.yaml --base runs/transfer_conv_a-1"
    assert beginning.schema.exists()


def test_a_file_without_a_name_gets_that_of_the_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert init().experiment == Path("experiment.yaml")
    assert init(name="one_cycle").experiment == Path("one_cycle.yaml")


def test_a_second_file_shares_the_schema(tmp_path: Path) -> None:
    init(tmp_path / "one.yaml")
    assert not init(tmp_path / "two.yml").outdated
    assert sorted(path.name for path in tmp_path.iterdir()) == [SCHEMA, "one.yaml", "two.yml"]


def test_the_schema_of_another_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / SCHEMA).write_text("{}")
    assert init(tmp_path / "mine.yaml").outdated
    assert (tmp_path / SCHEMA).read_text() == "{}"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 7\n")
    with pytest.raises(UsageError, match=r"mine\.yaml: got a file that exists"):
        init(file)
    (tmp_path / "link.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(UsageError, match="got a file that exists"):
        init(tmp_path / "link.yaml")
    assert file.read_text() == "seed: 7\n"
    assert not (tmp_path / SCHEMA).exists()


@pytest.mark.parametrize(("name", "said"), [("mine", "ends in .yaml"), ("nowhere/mine.yaml", "does not exist")])
def test_a_name_that_cannot_be(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        init(tmp_path / name)
    assert list(tmp_path.iterdir()) == []

"""Stories come with dtrain: each becomes a file of the user's, and a wheel has all of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from dtrain.experiment.config.loading import load_experiment, parse_experiment
from dtrain.experiment.config.stories import FOLDERS, PACKAGE, stories, story
from dtrain.ground.errors import UsageError
from tests.pages import ROOT

LIST_THEM = "from dtrain.experiment.config.stories import stories; print(*stories(), *stories().values())"


def test_they_are_the_configs_of_the_repository() -> None:
    assert sorted(stories().values()) == sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("name", stories())
def test_each_is_right_and_speaks_of_the_file_that_it_becomes(name: str) -> None:
    text = story(name, "mine.yaml")
    assert parse_experiment(text, "mine.yaml") == load_experiment(stories()[name])
    assert "configs/" not in text
    assert text.startswith(("# dtrain run mine.yaml\n", "# dtrain transfer mine.yaml --base "))


def test_an_unknown_one_is_answered_with_all_names() -> None:
    with pytest.raises(UsageError, match=r"^--story: got 'onecycle'; expected one of alpha_dropout, .*'one_cycle'\?$"):
        story("onecycle", "mine.yaml")


def test_a_wheel_takes_them_to_where_they_are_looked_for_first() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    places = {ROOT / here: PACKAGE.parent / there for here, there in build["force-include"].items()}
    assert places == {FOLDERS[1]: FOLDERS[0]}


def test_a_wheel_that_is_built_has_them(tmp_path: Path) -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel", reason="hatchling, which builds wheels, is not installed")
    (built,) = wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        archive.extractall(tmp_path)
    listed = subprocess.run(
        [sys.executable, "-c", LIST_THEM],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=True,
        text=True,
    )
    files = [str(tmp_path / "dtrain" / "stories" / f"{name}.yaml") for name in stories()]
    assert listed.stdout.split() == [*stories(), *files]

"""The house: imports point down one list only, and each library has one room."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

import pytest

from tests import house
from tests.house import MODULES, ROOT, dotted, imported, room

FROM_DOOR_TO_CELLAR = [
    "__main__",
    "monte_carlo_layers",
    "cli",
    "__init__",
    "api",
    "display",
    "workflows",
    "studies",
    "monte_carlo",
    "trials",
    "reuse",
    "plots",
    "rates",
    "diagnosis",
    "runs",
    "engine",
    "data",
    "experiment",
    "statistics",
    "layers",
    "ground",
]
ONLY_HERE = {"rich": {"display"}, "matplotlib": {"plots"}, "typer": {"cli"}, "yaml": {"experiment"}}


def test_every_room_is_on_the_list_which_is_short() -> None:
    assert {room(path) for path in MODULES} == set(FROM_DOOR_TO_CELLAR)
    assert len(FROM_DOOR_TO_CELLAR) <= 22


def test_the_gradient_step_is_within_four_files_of_the_function_that_a_command_calls() -> None:
    api, *way = house.way_to_the_gradient()
    assert api == "dtrain.api.training" and len(way) <= 4
    assert "GradientTape" in (ROOT.parent / f"{way[-1].replace('.', '/')}.py").read_text()


def test_files_and_functions_fit_in_the_head() -> None:
    sizes = {dotted(path): house.lines(path) for path in MODULES if house.lines(path) > 1}
    assert max(sizes.values()) <= 300, max(sizes, key=lambda name: sizes[name])
    assert median(sizes.values()) <= 120
    assert [one for one in house.measured_functions() if one[1] > 30 or one[2] > 7] == []


def test_every_module_has_a_test() -> None:
    assert house.untested() == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down_only(path: Path) -> None:
    here = FROM_DOOR_TO_CELLAR.index(room(path))
    for name in imported(path):
        package, _, below = name.partition(".")
        if package == "dtrain":
            there = below.partition(".")[0] or "__init__"
            assert FROM_DOOR_TO_CELLAR.index(there) >= here, f"{path.name} imports {name}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert house.circles() == []


@pytest.mark.parametrize("library", ONLY_HERE)
def test_a_library_has_one_room(library: str) -> None:
    users = {room(path) for path in MODULES if any(name.split(".")[0] == library for name in imported(path))}
    assert users == ONLY_HERE[library]


def test_only_the_engine_takes_a_gradient_step() -> None:
    words = ("GradientTape", "optimizer.apply", ".fit(", "train_on_batch(")
    users = {room(path) for path in MODULES if any(word in path.read_text() for word in words)}
    assert users == {"engine"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_first_line_of_every_module_says_why_it_exists(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring and docstring.splitlines()[0].endswith((".", "?", ":"))

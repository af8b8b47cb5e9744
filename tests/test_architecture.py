"""The house: imports point down one list only, and each library has one room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dtrain

ROOT = Path(dtrain.__file__).parent
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
    "runs",
    "engine",
    "data",
    "experiment",
    "statistics",
    "layers",
    "ground",
]
ONLY_HERE = {"rich": {"display"}, "matplotlib": {"plots"}, "typer": {"cli"}, "yaml": {"experiment"}}
MODULES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, in functions and for type checkers too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update((node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)))
    return found


def test_every_room_is_on_the_list() -> None:
    assert {room(path) for path in MODULES} == set(FROM_DOOR_TO_CELLAR)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down_only(path: Path) -> None:
    here = FROM_DOOR_TO_CELLAR.index(room(path))
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "dtrain" and len(parts) > 1 and parts[1] in FROM_DOOR_TO_CELLAR:
            assert FROM_DOOR_TO_CELLAR.index(parts[1]) >= here, f"{path.name} imports {name}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    named = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in MODULES}
    below = {name: {one for one in imported(path) if one in named} - {name} for name, path in named.items()}
    while bottom := [name for name, others in below.items() if not others & below.keys()]:
        for name in bottom:
            del below[name]
    assert not below, "these modules import each other"


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

"""The pages of docs/ say what the code does: commands, tables, links and examples."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dtrain.experiment.config.catalogue import catalogue
from dtrain.experiment.config.loading import parse_experiment
from dtrain.experiment.config.schema import every_kind, families
from dtrain.experiment.config.template import template
from dtrain.experiment.transfer import Transfer
from dtrain.ground import errors
from dtrain.ground.errors import DtrainError
from dtrain.ground.signals import WATCHED
from dtrain.reuse.allow_list import LAYERS
from dtrain.workflows.init import init
from tests.command_line import OPTIONS, check, options_of
from tests.house import ROOT as PACKAGE
from tests.pages import PAGES, ROOT, anchors, blocks, commands, links, section
from tests.test_architecture import FROM_DOOR_TO_CELLAR

DOCS = ROOT / "docs"
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@EVERY_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@EVERY_PAGE
def test_every_command_is_one_that_would_be_accepted(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("configs").symlink_to(ROOT / "configs")
    for command in commands(page.read_text()):
        name, *rest = command.words
        if command.is_complete:
            _write_what_it_would(check(command.words), name)
        elif name.startswith("-"):
            assert name in OPTIONS
        else:
            assert {word for word in rest if word.startswith("-")} <= options_of(name), command


def _write_what_it_would(parameters: Mapping[str, Any], name: str) -> None:
    """Later commands of the page read the experiments that it writes."""
    if name == "init":
        init(parameters["file"], parameters["story"])
    elif new := parameters.get("write"):
        new.write_text(template(new.name, "schema.json"))


@EVERY_PAGE
def test_every_test_and_benchmark_that_is_named_is_there(page: Path) -> None:
    text = page.read_text()
    modules = [f"{name.replace('.', '/')}" for name in re.findall(r"python -m (tests[\w.]+)", text)]
    missing = [one for one in modules if not ((ROOT / f"{one}.py").exists() or (ROOT / one / "__main__.py").exists())]
    assert missing + [one for one in re.findall(r"tests/[\w/]+\.\w+", text) if not (ROOT / one).exists()] == []


def test_the_extras_groups_and_coverage_of_the_page_for_developers_are_those_of_the_project() -> None:
    project, text = tomllib.loads((ROOT / "pyproject.toml").read_text()), (DOCS / "development.md").read_text()
    extras, groups = re.findall(r"'\.\[([\w,]+)\]'", text), re.findall(r"pytest -m (\w+)", text)
    markers = {one.partition(":")[0] for one in project["tool"]["pytest"]["ini_options"]["markers"]}
    assert set(",".join(extras).split(",")) == set(project["project"]["optional-dependencies"])
    assert set(groups) == markers and (ROOT / "constraints.txt").exists()
    (promised,) = re.findall(r"at least (\d+)% of the lines", text)
    assert f"--cov-fail-under={promised}" in (ROOT / ".ci" / "run").read_text()


def test_a_wrong_option_or_key_on_a_page_is_noticed() -> None:
    for line in (["run", "--seed", "3"], ["run", "optimiser=adam"], ["lr-find", "activation=rely"]):
        with pytest.raises(Exception, match=r"(?i)no such option|did you mean"):
            check(line)


@EVERY_PAGE
def test_every_experiment_is_one_that_would_be_accepted(page: Path) -> None:
    for text in blocks(page, "yaml"):
        parse_experiment(text, page.name)


@pytest.mark.parametrize("family", families())
def test_the_table_of_kinds_names_every_kind(family: str) -> None:
    (row,) = re.findall(rf"^\| `{family}` \| (.*) \|$", section(DOCS / "experiment-file.md", "Kinds"), re.MULTILINE)
    kinds = {kind for kind, key in every_kind() if key == family}
    fields = {field.name for kind in catalogue(family).kinds for field in kind.fields}
    assert kinds <= set(re.findall(r"`(\w+)`", row)) <= kinds | fields


def test_the_safe_layers_that_a_refusal_points_to_are_all_there_and_no_others() -> None:
    sentence = re.search(
        r"The layers of a base may be (.*?), in a `Sequential`",
        section(DOCS / "transfer.md", "Layers of a base"),
        re.DOTALL,
    )
    assert sentence
    assert sorted(re.findall(r"`(\w+)`", sentence[1])) == sorted(LAYERS)


def test_the_table_of_transfer_has_every_field_its_default_and_its_option() -> None:
    table = section(DOCS / "transfer.md", "What is reused, and how it is trained")
    rows = re.findall(r"^\| `(\w+): ?(\S*)` \| `(--[\w-]+)", table, re.MULTILINE)
    fields = Transfer.model_fields
    assert [name for name, _, _ in rows] == list(fields)
    for name, default, option in rows:
        assert yaml.safe_load(default or "null") == (
            list(one) if isinstance(one := fields[name].default, tuple) else one
        )
        assert option == f"--{name.replace('_', '-')}" and option in options_of("transfer")


def test_the_table_of_exit_codes_has_every_way_to_end() -> None:
    failures = {
        one.exit_code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, DtrainError)
    }
    interrupted = {128 + number for number in WATCHED}
    assert numbers_in_first_column(section(DOCS / "reliability.md", "Exit codes")) == {0} | failures | interrupted


def test_every_fault_survived_has_a_test_with_the_number_of_its_row() -> None:
    promised = numbers_in_first_column(section(DOCS / "reliability.md", "What a run survives"))
    names = "\n".join(path.read_text() for path in Path(__file__).parent.rglob("test_*.py"))
    tested = re.findall(r"def test_rows?_((?:\d+_|and_)+)", names)
    assert len(promised) > 20
    assert promised <= {int(number) for name in tested for number in re.findall(r"\d+", name)}


def numbers_in_first_column(table: str) -> set[int]:
    return {int(one) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for one in row.split(",")}


def test_the_table_of_rooms_is_what_the_rooms_say_of_themselves() -> None:
    rooms = [one for one in FROM_DOOR_TO_CELLAR if (PACKAGE / one).is_dir()]
    said = [(one, importlib.import_module(f"dtrain.{one}").__doc__) for one in rooms]
    rows = re.findall(r"^\| `(\w+)/` \| (.*) \|$", section(DOCS / "development.md", "The house"), re.MULTILINE)
    assert rows == [(one, (text or "").partition("\n")[0]) for one, text in said]

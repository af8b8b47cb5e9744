"""What the README promises of faults has a test of its number."""

from __future__ import annotations

import re
from pathlib import Path

from dtrain.bases.architecture import LAYERS
from dtrain.cli import app

TESTS = Path(__file__).parent
README = (TESTS.parent / "README.md").read_text()


def test_every_fault_survived_has_a_test_with_the_number_of_its_row() -> None:
    table = README.partition("## Interrupted, and going on")[2].partition("\n## ")[0]
    promised = {
        int(number) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for number in row.split(",")
    }
    names = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    tested = re.findall(r"def test_rows?_((?:\d+_|and_)+)", names)
    assert len(promised) > 20
    assert promised <= {int(number) for name in tested for number in re.findall(r"\d+", name)}


def test_every_command_is_in_the_table_of_commands() -> None:
    groups = (group.typer_instance for group in app.registered_groups)
    names = {command.name for group in groups if group for command in group.registered_commands}
    assert names == set(re.findall(r"^\| `dtrain ([\w-]+)", README, re.MULTILINE))


def test_the_safe_layers_that_a_refusal_points_to_are_all_there_and_no_others() -> None:
    section = README.partition("## Reusing a trained network")[2].partition("\n## ")[0]
    sentence = re.search(r"The layers of a base may be (.*?), in a `Sequential`", section, re.DOTALL)
    assert sentence
    assert sorted(re.findall(r"`(\w+)`", sentence[1])) == sorted(LAYERS)

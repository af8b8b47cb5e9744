"""The README is short, leads to every page, and its table of commands is complete."""

from __future__ import annotations

import re

import pytest

from dtrain.statistics.power import seeds_to_see
from tests.command_line import COMMANDS
from tests.pages import PAGES, README, links, section

LONGEST = 12_000


def test_it_is_short() -> None:
    assert len(README.read_bytes()) <= LONGEST


def test_it_leads_to_every_page() -> None:
    led_to = {(README.parent / link.partition("#")[0]).resolve() for link in links(README)}
    assert set(PAGES) - {README} <= led_to


def test_every_command_is_in_the_table_of_commands() -> None:
    assert set(COMMANDS) == set(re.findall(r"^\| `dtrain ([\w-]+)", section(README, "Commands"), re.MULTILINE))


@pytest.mark.parametrize(
    ("words", "spreads"),
    [
        (r"as large as the spread of the differences over seeds takes (\d+) seeds", 1),
        (r"twice as large (\d+)", 2),
        (r"half as large (\d+)", 0.5),
        (r"(\d+) seeds for one point", 1 / 0.82),
        (r"(\d+) for half a point", 0.5 / 0.82),
    ],
)
def test_the_seeds_that_it_counts_are_those_that_a_verdict_would_ask_for(words: str, spreads: float) -> None:
    said = re.search(words, " ".join(section(README, "How many seeds?").split()))
    assert said and int(said[1]) == seeds_to_see(spreads, level=0.05)

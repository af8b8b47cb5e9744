"""Values in messages are short and cannot upset a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from dtrain.ground.printable import SHOWN_CHARACTERS, Lines, dotted, printable, printable_within, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("adam", "'adam'"),
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (0.5, "0.5"),
        (float("inf"), ".inf"),
        (float("-inf"), "-.inf"),
        (float("nan"), ".nan"),
        ([1, "a", None], "[1, 'a', null]"),
        ({"kind": "adam", "rates": [0.1]}, "{kind: 'adam', rates: [0.1]}"),
    ],
)
def test_values_look_as_in_the_file(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("value", ["x" * 1000, ["x"] * 1000, 10**1000])
def test_long_values_are_cut(value: object) -> None:
    assert len(shown(value)) <= SHOWN_CHARACTERS + len("''")
    assert "..." in shown(value)


def test_control_characters_are_escaped() -> None:
    assert shown("\x1b[31m\n") == r"'\x1b[31m\n'"
    assert shown({"\x1b": "\x07"}) == r"{\x1b: '\x07'}"
    assert printable(Lines("a\nb", "c\x07")) == "a\\nb\nc\\x07"
    assert printable("a\u202eb\ud800") == r"a\u202eb\ud800"
    assert dotted(("a\tb", 0, "", "rate")) == r"a\tb.0.''.rate"


@dataclass(frozen=True)
class Record:
    """Something with texts in it."""

    name: str
    more: object = None


def test_records_are_printable_to_their_depth() -> None:
    record = Record("a\nb", [{"c\x1b": Record("d\x9b", (Path("e\r"), 1.5, None))}])
    assert printable_within(record) == Record(r"a\nb", [{r"c\x1b": Record(r"d\x9b", (Path(r"e\r"), 1.5, None))}])
    assert record.name == "a\nb"

"""The two streams: one JSON document or readable text, and nothing in a name can steer a terminal."""

from __future__ import annotations

import io
import json
import sys

import pytest
from rich.console import Console

from dtrain.display.console import (
    SafeConsole,
    Sentence,
    print_parts,
    publish_failure,
    publish_warnings,
    write_out,
)
from dtrain.display.tables import bare_table
from dtrain.ground.errors import ConfigError, DataError, EnvironmentProblem, Problem
from dtrain.ground.printable import Lines


def test_row_105_markup_and_escapes_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    failure = DataError("got [red]x[/red] \x1b[31m", where="a\x1b]0;title\x07.npz", hint="see [link=http://x]y[/link]")
    publish_failure(failure, ["[bold]note"], as_json=False)
    assert capsys.readouterr().err == (
        "error: a\\x1b]0;title\\x07.npz: got [red]x[/red] \\x1b[31m\nhint: see [link=http://x]y[/link]\n[bold]note\n"
    )


def test_every_problem_has_its_line_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem("got 1", "a.yaml:1:2 seed", "use 2"), Problem("got 3", "a.yaml:2:2 network")]
    publish_failure(ConfigError(problems), [], as_json=False)
    assert capsys.readouterr().err.splitlines() == [
        "error: a.yaml:1:2 seed: got 1",
        "hint: use 2",
        "error: a.yaml:2:2 network: got 3",
    ]


def test_a_table_in_a_message_is_a_table_and_names_in_it_stay_on_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    publish_failure(
        ConfigError(Lines("they differ", "  a\nb  c"), where="x\ny", hint="z\nerror: no"), [], as_json=False
    )
    assert capsys.readouterr().err == "error: x\\ny: they differ\n  a\\nb  c\nhint: z\\nerror: no\n"


def on_a_terminal(sentence: Sentence, width: int, *, terminal: bool = True) -> list[str]:
    console = Console(width=width, force_terminal=terminal, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(sentence, crop=False)
    return capture.get().splitlines()


def test_a_terminal_breaks_sentences_at_clauses_and_between_words() -> None:
    sentence = Sentence("got a; expected one of the many things; did you mean /a/path/that/is/rather/long?", "error")
    assert on_a_terminal(sentence, 24) == [
        "error: got a;",
        "  expected one of the",
        "  many things;",
        "  did you mean",
        "  /a/path/that/is/rather/long?",
    ]
    assert on_a_terminal(sentence, 100) == on_a_terminal(sentence, 24, terminal=False)
    assert len(on_a_terminal(sentence, 100)) == 1


def test_the_caret_of_a_hint_stays_below_its_column() -> None:
    assert on_a_terminal(Sentence(Lines("look:", "    seed: 3", "        ^")), 20) == [
        "look:",
        "    seed: 3",
        "        ^",
    ]


def test_a_failure_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    publish_failure(ConfigError("got 1", where="seed", hint="use 2"), ["the folder"], as_json=True)
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "error": {
            "name": "config",
            "exit_code": 3,
            "problems": [{"where": "seed", "message": "got 1", "hint": "use 2"}],
            "notes": ["the folder"],
        }
    }


def test_nothing_that_is_printed_steers_the_terminal_or_forges_a_line() -> None:
    stream = io.StringIO()
    table = bare_table()
    table.add_column("a\x1b[2J")
    table.add_row("b\x9b")
    print_parts(SafeConsole(stream), ["c\x07\u202e", Sentence("d\nerror: e", "error"), table])
    assert stream.getvalue().replace("\n", "").isprintable()
    assert "\\u202e" in stream.getvalue() and "error: d\\nerror: e\n" in stream.getvalue()


@pytest.mark.parametrize(("columns", "width"), [("0", 120), ("7", 20), ("40", 40), ("many", 120)])
def test_a_width_that_shows_nothing_is_none(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert SafeConsole(io.StringIO()).width == width


def test_row_58_nobody_reads_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        publish_warnings(["first", "second"])
    publish_warnings(["into a closed stream"])
    monkeypatch.setattr(sys, "stderr", None)
    publish_warnings(["to nowhere"])


def test_results_that_cannot_be_written_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(EnvironmentProblem, match="standard output: cannot be written: No space left"):
            write_out("{}")

"""The two streams: one JSON document or readable text, and nothing in a name can steer a terminal."""

from __future__ import annotations

import io
import json
import sys

import pytest
from rich.console import Console

from dtrain.display.console import Sentence, publish_failure, stderr, warning
from dtrain.ground.errors import ConfigError, DataError, Problem


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
    assert on_a_terminal(Sentence("look:\n    seed: 3\n        ^"), 20) == ["look:", "    seed: 3", "        ^"]


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


class ClosedPipe(io.StringIO):
    """A stream that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_row_58_nobody_reads_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", ClosedPipe())
    console = stderr()
    console.print(warning("first"))
    console.print(warning("second"))

"""The two streams of a command: results go to stdout, progress, warnings and errors to stderr."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from dtrain.ground.errors import DtrainError
from dtrain.ground.printable import printable

CLAUSE_INDENT = "  "
"""Before each line of a sentence but the first."""

WIDTH_OF_PIPES = 120
"""Columns where nobody says how many there are, so that tables keep all of theirs."""


class _SideConsole(Console):
    """Progress and warnings: training goes on where nobody reads them any more."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


@dataclass(frozen=True)
class Sentence:
    """A line that a terminal may break between words only, so that paths and commands can be copied.

    One that is too long has a line for each of the clauses that semicolons divide. Where no terminal shows it, it stays
    one line.

    Args:
        text: The sentence.
        label: What stands before it, such as ``error``; empty for nothing.
        style: How the label is shown.
    """

    text: str
    label: str = ""
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        beginning = f"{self.label}: " if self.label else ""
        whole = beginning + literal(self.text)
        if console.is_terminal:
            whole = "\n".join(_broken(line, options.max_width) for line in whole.split("\n"))
        shown = Text(whole, no_wrap=True, overflow="ignore")
        shown.stylize(self.style, 0, len(beginning) - 1 if beginning else 0)
        yield shown


def _broken(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    clauses = line.replace("; ", ";\n").split("\n")
    lines = [
        part
        for number, clause in enumerate(clauses)
        for part in textwrap.wrap(
            clause,
            max(width, 2 * len(CLAUSE_INDENT)),
            initial_indent=CLAUSE_INDENT if number else "",
            subsequent_indent=CLAUSE_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    return "\n".join(lines)


def stdout() -> Console:
    """Returns the console for results; what the stream's encoding lacks is spelled out."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Console(**_options(sys.stdout))


def stderr() -> Console:
    """Returns the console for progress, warnings and errors."""
    return _SideConsole(stderr=True, **_options(sys.stderr))


def terminal() -> Console:
    """Returns a console on a descriptor of its own, which still shows when the one of stderr is silenced for a while.

    TensorFlow's C++ parts write to the latter while they start.
    """
    stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors=sys.stderr.errors)
    return _SideConsole(file=stream, **_options(stream))


def _options(stream: Any) -> dict[str, Any]:
    known = "COLUMNS" in os.environ or (stream is not None and stream.isatty())
    return {"highlight": False, "markup": False, "emoji": False, "width": None if known else WIDTH_OF_PIPES}


def literal(text: object) -> str:
    """Returns the text with control characters spelled out, so that no name steers a terminal; a path in one line."""
    if isinstance(text, Path):
        return printable(str(text))
    return "\n".join(map(printable, str(text).split("\n")))


def print_parts(console: Console, parts: Iterable[RenderableType]) -> None:
    """Prints what there is to say, part by part."""
    for part in parts:
        # a path that is cut into lines cannot be copied
        console.print(part, soft_wrap=isinstance(part, str), crop=False)


def publish_failure(failure: DtrainError, notes: Iterable[str], *, as_json: bool) -> None:
    """Prints what went wrong: on stderr for people, or on stdout as exactly one JSON document.

    Args:
        failure: What went wrong.
        notes: What else to know, such as where the run folder is.
        as_json: Whether a program reads it.
    """
    if as_json:
        problems = [{"where": one.where, "message": one.message, "hint": one.hint} for one in failure.problems]
        error = {"name": failure.name, "exit_code": failure.exit_code, "problems": problems, "notes": list(notes)}
        print(json.dumps({"error": error}, indent=2), flush=True)
        return
    console = stderr()
    for problem in failure.problems:
        console.print(Sentence(str(problem), "error", "bold red"), crop=False)
        if problem.hint:
            console.print(Sentence(problem.hint, "hint", "cyan"), crop=False)
    for note in notes:
        console.print(Sentence(note), crop=False)


def warning(text: str) -> Sentence:
    """Returns a warning as it is shown."""
    return Sentence(text, "warning", "yellow")


def publish_warnings(warnings: Iterable[str]) -> None:
    """Prints warnings on stderr.

    Args:
        warnings: A sentence each.
    """
    console = stderr()
    for one in warnings:
        console.print(warning(one), crop=False)

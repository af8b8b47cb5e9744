"""The two streams of a command: results go to stdout, progress, warnings and errors to stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from dtrain.ground.errors import DtrainError, EnvironmentProblem
from dtrain.ground.printable import Lines, printable

CLAUSE_INDENT = "  "
"""Before each line of a sentence but the first."""

NARROWEST = 20
"""Columns: where COLUMNS says fewer, lines are longer than that."""
WIDTH_OF_PIPES = 120
"""Columns where nobody says how many there are, so that tables keep all of theirs."""


class SafeConsole(Console):
    """The only way out for texts to read: whatever a text holds, it neither steers the terminal nor is styled by it.

    Args:
        stream: Where to.
        width: In columns; None asks the environment and the stream.
        record: Whether it can be exported too.
    """

    def __init__(self, stream: IO[str], *, width: int | None = None, record: bool = False) -> None:
        width = width or _width(stream)
        super().__init__(file=stream, record=record, width=width, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Returns what there is to write, with control characters spelled out that are not the console's own."""
        for one in super().render(renderable, options):
            # what is marked as control moves the cursor for the live display
            clean = one.control or "\n".join(map(printable, one.text.split("\n")))
            yield one if one.control or clean == one.text else Segment(str(clean), one.style)


class LastingStream:
    """A stream that nobody has to read: work goes on where it cannot be written any more.

    Args:
        stream: Where to write for as long as that is possible; None where there is none.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = StringIO() if stream is None or stream.closed else stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes a text, or nothing."""
        with self._given_up():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes what can be."""
        with self._given_up():
            self._stream.flush()

    @contextmanager
    def _given_up(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):
            # what it holds back has to go somewhere, or Python complains at its end
            with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


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
        whole = beginning + printable(self.text)
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
    return SafeConsole(sys.stdout)


def stderr() -> Console:
    """Returns the console for progress, warnings and errors."""
    return SafeConsole(cast(IO[str], LastingStream(sys.stderr)))


def terminal() -> Console:
    """Returns a console on a descriptor of its own, which still shows when the one of stderr is silenced for a while.

    TensorFlow's C++ parts write to the latter while they start.
    """
    stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors=sys.stderr.errors)
    return SafeConsole(cast(IO[str], LastingStream(stream)))


def _width(stream: IO[str]) -> int | None:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return max(int(columns), NARROWEST)
    if stream.isatty():
        # Rich asks the terminal again after each resize, but believes a COLUMNS of 0
        return shutil.get_terminal_size().columns if columns else None
    return WIDTH_OF_PIPES


def print_parts(console: Console, parts: Iterable[RenderableType]) -> None:
    """Prints what there is to say, part by part."""
    for part in parts:
        # a path that is cut into lines cannot be copied
        console.print(part, soft_wrap=isinstance(part, str), crop=False)


def write_out(text: str) -> None:
    """Writes a result on stdout as it is, for programs."""
    with results_wanted():
        print(text, flush=True)


@contextmanager
def results_wanted() -> Iterator[None]:
    """Explains why results that somebody asked for cannot be written.

    Raises:
        BrokenPipeError: Nobody wants to read them any more.
        EnvironmentProblem: They cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        hint = "what was trained is in its run folder: `dtrain show` prints it again"
        raise EnvironmentProblem(f"cannot be written: {error.strerror}", where="standard output", hint=hint) from error


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
        # what cannot be written may be what went wrong
        with suppress(EnvironmentProblem):
            write_out(json.dumps({"error": error}, indent=2))
        return
    console = stderr()
    for problem in failure.problems:
        console.print(Sentence(Lines(*str(problem).split("\n")), "error", "bold red"), crop=False)
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

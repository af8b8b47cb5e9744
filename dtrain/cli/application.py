"""The command line: parse, call one workflow, print."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from dtrain import __version__
from dtrain.cli import diagnosis, files, results, training
from dtrain.cli.failures import explain, open_missing_streams, own_process
from dtrain.ground.signals import signals_unwind

app = typer.Typer(
    help="Which deep-net training technique works on my data, how sure are we, and why?",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (training, diagnosis, files, results):
    app.add_typer(group.commands)

COMPLETION = "_DTRAIN_COMPLETE"
"""Set by the shell when it asks what to offer."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"dtrain {__version__}")
        raise typer.Exit


@app.callback()
def dtrain(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, help="Print the version.")] = False,
) -> None:
    """What stands before the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; every failure is told in one way and has its own exit code.

    Args:
        arguments: What follows ``dtrain``; None takes it from the command line.

    Returns:
        The exit code.
    """
    open_missing_streams()
    if arguments is None:
        own_process()
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    command = typer.main.get_command(app)
    try:
        if COMPLETION in os.environ:
            command(prog_name="dtrain")
        # the parser empties the list that it is given
        with signals_unwind(), command.make_context("dtrain", list(given)) as context:
            command.invoke(context)
        return 0
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        return 1
    except (Exception, KeyboardInterrupt) as error:
        return explain(error, as_json="--json" in given)

"""Arguments and options that several commands share, and how an experiment is named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dtrain.api import DATA_DIR
from dtrain.cli.completion import complete_configuration, complete_run

Configuration = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CONFIG|KEY=VALUE",
        help="Experiment file (a default one if left out), then changes.",
        autocompletion=complete_configuration,
    ),
]
Run = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="Name or path of a run; the latest if left out.", autocompletion=complete_run),
]
Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN", help="Names or paths of runs, at least two.", autocompletion=complete_run),
]
RunsDir = Annotated[Path, typer.Option(help="Folder of all run folders.")]
Device = Annotated[str, typer.Option(help="auto, cpu or gpu:N.")]
DataDir = Annotated[Path | None, typer.Option(envvar=DATA_DIR, help="Folder that holds mnist/ and fashion-mnist/.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only warnings and the result.")]
Strict = Annotated[bool, typer.Option("--strict", help="Take the lesson's advice for errors.")]


def split_configuration(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Returns the experiment file, if there is one, and the overrides that follow it."""
    if arguments and ("=" not in arguments[0] or Path(arguments[0]).exists()):
        return Path(arguments[0]), list(arguments[1:])
    return None, list(arguments)

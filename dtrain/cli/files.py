"""The commands around experiment files and data sets: `validate`, `init`, `schema`, `techniques` and `data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dtrain.cli.arguments import Configuration, DataDir, Json, Quiet, Strict, split_configuration
from dtrain.cli.completion import complete_family, complete_story
from dtrain.ground.errors import UsageError

commands = typer.Typer()


@commands.command("validate")
def validate_command(configuration: Configuration = None, strict: Strict = False, as_json: Json = False) -> None:
    """Check an experiment file, say what the lesson advises against, and print it with every default filled in."""
    from dtrain.display.console import publish_warnings
    from dtrain.display.description import publish
    from dtrain.workflows.validate import validate

    report = validate(*split_configuration(configuration or []), strict=strict)
    publish_warnings(one.warning for one in report.advice)
    publish(report, as_json=as_json)


@commands.command("init")
def init_command(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file to make; else experiment.yaml, or the story's name.")
    ] = None,
    story: Annotated[
        str | None, typer.Option(metavar="NAME", help="Write this story.", autocompletion=complete_story)
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the default experiment, every key explained, or a story of the lesson; overwrite nothing."""
    from dtrain.display.description import publish
    from dtrain.workflows.init import init

    publish(init(file, story), as_json=as_json)


@commands.command("schema")
def schema_command() -> None:
    """Print the JSON schema of an experiment file, for editors."""
    from dtrain.display.console import write_out
    from dtrain.workflows.init import schema_text

    write_out(schema_text().rstrip("\n"))


@commands.command("techniques")
def techniques_command(
    family: Annotated[
        str | None,
        typer.Argument(metavar="FAMILY", help="All in brief if left out.", autocompletion=complete_family),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain what an experiment file can name: kinds, fields, defaults and the lesson's advice."""
    from dtrain.display.description import publish
    from dtrain.workflows.techniques import techniques

    publish(techniques(family), as_json=as_json)


@commands.command("data")
def data_command(
    action: Annotated[Literal["status", "fetch", "import"], typer.Argument(help="What to do.")] = "status",
    source: Annotated[str | None, typer.Argument(metavar="NAME|PATH", help="What to fetch or import.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say where the known data sets are; fetch NAME; or import a copy from PATH, for a machine without network."""
    from dtrain.display.description import publish
    from dtrain.display.progress import progress
    from dtrain.workflows.data import fetch, import_copy, status

    _check_source(action, source)
    with progress(quiet=quiet) as observer:
        if source is None:
            report = status(data_dir)
        else:
            report = fetch(source, data_dir, observer) if action == "fetch" else import_copy(Path(source))
    publish(report, as_json=as_json)


def _check_source(action: str, source: str | None) -> None:
    if action == "status" and source is not None:
        message = f"got {source!r} after status; expected nothing more"
        raise UsageError(message, where="dtrain data", hint=f"to get a data set: `dtrain data fetch {source}`")
    if action != "status" and source is None:
        missing = "NAME" if action == "fetch" else "PATH"
        raise UsageError(f"{missing} is missing; expected `dtrain data {action} {missing}`", where="dtrain data")

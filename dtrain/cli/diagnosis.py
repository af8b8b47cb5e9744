"""The commands that say why: `probe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dtrain.api import diagnosis
from dtrain.cli.arguments import Configuration, DataDir, Device, Json, Quiet
from dtrain.cli.performing import perform

commands = typer.Typer()


@commands.command("probe")
def probe_command(
    configuration: Configuration = None,
    initializers: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Others to put beside the experiment's own, such as he_normal,orthogonal."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw signals and gradients into a new file.")
    ] = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look at a network before its first step: do signals and gradients reach every layer?"""
    perform(diagnosis.probe, locals())

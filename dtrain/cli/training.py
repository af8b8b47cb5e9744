"""The commands that train: `run`, `resume`, `lr-find` and `transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dtrain.api import training
from dtrain.cli.arguments import Configuration, DataDir, Device, Json, Quiet, Run, RunsDir, Strict
from dtrain.cli.performing import perform
from dtrain.ground.errors import PartialFailure

commands = typer.Typer()


@commands.command("run")
def run_command(
    configuration: Configuration = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Train with this many seeds.")] = None,
    runs_dir: RunsDir = Path("runs"),
    name: Annotated[str | None, typer.Option(help="Name of the run folder.")] = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    strict: Strict = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train an experiment; metrics, curves and models go into a new run folder."""
    _end(perform(training.run, locals()))


@commands.command("resume")
def resume_command(
    run: Run = None,
    epochs: Annotated[int | None, typer.Option(help="Train until this many epochs, more than planned.")] = None,
    schedule: Annotated[
        Literal["hold", "replan"] | None,
        typer.Option(help="With --epochs: hold the schedule's last rate, or plan it anew over all epochs."),
    ] = None,
    allow_drift: Annotated[
        bool, typer.Option("--allow-drift", help="Go on although versions, device or data have changed.")
    ] = False,
    runs_dir: RunsDir = Path("runs"),
    device: Device = "auto",
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was interrupted, died or failed, to the same result; or train it for longer."""
    _end(perform(training.resume, locals()))


@commands.command("lr-find")
def lr_find_command(
    configuration: Configuration = None,
    minimum: Annotated[float, typer.Option("--min", help="Rate of the first step.")] = 1e-6,
    maximum: Annotated[
        float | None, typer.Option("--max", help="Rate of the last step; else 10, and 0.1 with adafactor.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(help="Steps for each seed; else 300, and more with batches below 32.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 3,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the experiment with the suggested rate.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Train briefly at 0.3x, 1x and 3x of it.")] = False,
    runs_dir: RunsDir = Path("runs"),
    name: Annotated[str | None, typer.Option(help="Name of the run folder.")] = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Suggest a learning rate: raise it until training diverges, and read the loss."""
    perform(training.lr_find, locals())


@commands.command("transfer")
def transfer_command(
    base: Annotated[Path, typer.Option(metavar="MODEL|RUN", help="An .h5 or .keras file, or a run folder.")],
    configuration: Configuration = None,
    reuse: Annotated[str | None, typer.Option(help="Hidden layers to keep: all, how many, or the last's name.")] = None,
    hidden: Annotated[
        str | None, typer.Option(metavar="LIST", help="New hidden layers on top, such as '[50]'.")
    ] = None,
    unfreeze: Annotated[str | None, typer.Option(help="Kept layers to train: all, how many, or gradual.")] = None,
    frozen_epochs: Annotated[str | None, typer.Option(help="Epochs of new layers alone.")] = None,
    frozen_learning_rate: Annotated[str | None, typer.Option(help="Their rate.")] = None,
    unfrozen_epochs: Annotated[str | None, typer.Option(help="Epochs after them.")] = None,
    unfrozen_learning_rate: Annotated[str | None, typer.Option(help="Their rate.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 6,
    controls: Annotated[bool, typer.Option("--controls/--no-controls", help="Train the controls too.")] = True,
    runs_dir: RunsDir = Path("runs"),
    name: Annotated[str | None, typer.Option(help="Name of the run folder.")] = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reuse the layers of a trained model for another task, and say whether that helped."""
    _end(perform(training.transfer, locals()))


def _end(result: Any) -> None:
    if getattr(result, "diverged", 0):
        raise typer.Exit(PartialFailure.exit_code)

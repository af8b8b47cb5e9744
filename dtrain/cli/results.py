"""The commands that look at what was trained: `show`, `compare`, `evaluate` and `mc-predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dtrain.api import results
from dtrain.cli.arguments import DataDir, Device, Json, Quiet, Run, Runs, RunsDir
from dtrain.cli.performing import perform

commands = typer.Typer()


@commands.command("show")
def show_command(run: Run = None, runs_dir: RunsDir = Path("runs"), as_json: Json = False) -> None:
    """Show a run, also while it is still going on."""
    from dtrain.display.description import publish

    publish(results.show(run, runs_dir=runs_dir), as_json=as_json)


@commands.command("compare")
def compare_command(
    runs: Runs,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a line for each run into a new file.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the curves over each other into a new file.")
    ] = None,
    worth: Annotated[
        float | None, typer.Option(metavar="POINTS", help="The smallest difference that would matter, such as 0.5.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    as_json: Json = False,
) -> None:
    """Compare experiments: what differs, which is better, and whether that is more than chance."""
    from dtrain.display.console import publish_warnings
    from dtrain.display.description import publish
    from dtrain.workflows.compare import compare

    report = compare(runs_dir, runs, csv, plot, None if worth is None else worth / 100)
    publish_warnings(report.warnings)
    publish(report, as_json=as_json)


@commands.command("evaluate")
def evaluate_command(
    run: Run = None,
    split: Annotated[Literal["test", "validation"], typer.Option(help="Which images.")] = "test",
    runs_dir: RunsDir = Path("runs"),
    device: Device = "auto",
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what a trained model gets right and wrong, class by class, with its worst mistakes."""
    perform(results.evaluate, locals())


@commands.command("mc-predict")
def mc_predict_command(
    target: Annotated[
        str | None, typer.Argument(metavar="RUN|MODEL", help="A run, the latest if left out, or a .keras or .h5 file.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Passes with dropout for each image.")] = 100,
    split: Annotated[Literal["test", "validation"] | None, typer.Option(help="Which images; test if left out.")] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An .npz file with images, and labels if there are any.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seeds the masks.")] = 42,
    dataset: Annotated[str | None, typer.Option(help="For a model file: the data set it was trained on.")] = None,
    scaling: Annotated[
        Literal["unit", "standardize", "none"] | None, typer.Option(help="For a model file: how images were scaled.")
    ] = None,
    index: Annotated[int | None, typer.Option(help="Show this image with dropout off and on.")] = None,
    save_model: Annotated[bool, typer.Option("--save-model", help="Write the model with dropout always on.")] = False,
    save_passes: Annotated[bool, typer.Option("--save-passes", help="Write the probabilities of each pass.")] = False,
    runs_dir: RunsDir = Path("runs"),
    name: Annotated[str | None, typer.Option(help="Name of the new folder.")] = None,
    device: Device = "auto",
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict with dropout on, many times (Monte Carlo dropout), and say whether their mean can be trusted."""
    perform(results.mc_predict, locals())

"""The commands that train: `run`, `resume`, `lr-find` and `transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dtrain.cli.arguments import (
    Configuration,
    DataDir,
    Device,
    Json,
    Quiet,
    Run,
    RunsDir,
    Strict,
    split_configuration,
    stem_of,
)
from dtrain.ground.errors import PartialFailure

if TYPE_CHECKING:
    from dtrain.runs.results import RunResult, SeedsResult

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
    from dtrain.display.progress import progress

    config, overrides = split_configuration(configuration or [])
    with progress(quiet=quiet, seeds=seeds or 1) as observer:
        observer.on_phase("checking the experiment")
        from dtrain.experiment.config.loading import load_advised
        from dtrain.trials.request import RunOptions
        from dtrain.workflows.run import run, run_seeds

        experiment, advice = load_advised(config, overrides, strict=strict)
        options = RunOptions(runs_dir, name, stem_of(config), device, data_dir, advice)
        result = run_seeds(experiment, seeds, options, observer) if seeds else run(experiment, options, observer)
    _publish_training(result, as_json=as_json)


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
    from dtrain.display.progress import progress

    with progress(quiet=quiet) as observer:
        observer.on_phase("looking for the run")
        from dtrain.trials.request import RunOptions
        from dtrain.workflows.resume import ResumeRequest, resume

        options = RunOptions(runs_dir, device=device, data_dir=data_dir)
        result = resume(ResumeRequest(run, epochs, schedule, allow_drift), options, observer)
    _publish_training(result, as_json=as_json)


def _publish_training(result: RunResult | SeedsResult, *, as_json: bool) -> None:
    from dtrain.display.console import publish
    from dtrain.display.results import describe_run, describe_seeds
    from dtrain.runs.results import RunResult

    if isinstance(result, RunResult):
        publish(result, describe_run, as_json=as_json)
        return
    publish(result, describe_seeds, as_json=as_json)
    if result.diverged:
        raise typer.Exit(PartialFailure.exit_code)


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
    from dtrain.display.console import publish
    from dtrain.display.progress import progress

    config, overrides = split_configuration(configuration or [])
    with progress(quiet=quiet) as observer:
        observer.on_phase("checking the experiment")
        from dtrain.display.rates import describe_rates
        from dtrain.experiment.config.loading import load_experiment
        from dtrain.rates.search_range import RateRange
        from dtrain.trials.request import RunOptions
        from dtrain.workflows.lr_find import lr_find

        search = RateRange(minimum, maximum, iterations, seeds)
        experiment = load_experiment(config, overrides)
        options = RunOptions(runs_dir, name, stem_of(config), device, data_dir)
        report = lr_find(experiment, search, options, observer, write=write, verify=verify)
    publish(report, describe_rates, as_json=as_json)


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
    from dtrain.display.console import publish
    from dtrain.display.progress import progress

    fields = {
        "reuse": reuse,
        "hidden": hidden,
        "unfreeze": unfreeze,
        "frozen_epochs": frozen_epochs,
        "frozen_learning_rate": frozen_learning_rate,
        "unfrozen_epochs": unfrozen_epochs,
        "unfrozen_learning_rate": unfrozen_learning_rate,
    }
    config, overrides = split_configuration(configuration or [])
    overrides += [f"transfer.{key}={value}" for key, value in fields.items() if value is not None]
    with progress(quiet=quiet) as observer:
        observer.on_phase("checking the experiment")
        from dtrain.display.transfer import describe_transfer
        from dtrain.studies.transfer_source import Request, load_task
        from dtrain.trials.request import RunOptions
        from dtrain.workflows.transfer import transfer

        experiment, warnings = load_task(config, overrides, data_dir)
        request = Request(base, seeds, controls, warnings)
        stem = "transfer" if config is None else stem_of(config)
        report = transfer(experiment, request, RunOptions(runs_dir, name, stem, device, data_dir), observer)
    publish(report, describe_transfer, as_json=as_json)
    if report.diverged:
        raise typer.Exit(PartialFailure.exit_code)

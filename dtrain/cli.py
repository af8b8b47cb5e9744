"""The command line: parse, call one workflow, print."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from dtrain import __version__
from dtrain.completion import complete_configuration, complete_family, complete_run
from dtrain.endings import explain, open_missing_streams, signals_unwind
from dtrain.errors import PartialFailure, UsageError

app = typer.Typer(
    help="Which deep-net training technique works on my data, how sure are we, and why?",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMPLETION = "_DTRAIN_COMPLETE"
"""Set by the shell when it asks what to offer."""

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
RunsDir = Annotated[Path, typer.Option(help="Folder of all run folders.")]
Device = Annotated[str, typer.Option(help="auto, cpu or gpu:N.")]
DataDir = Annotated[
    Path | None, typer.Option(envvar="DTRAIN_DATA_DIR", help="Folder that holds mnist/ and fashion-mnist/.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only warnings and the result.")]
Strict = Annotated[bool, typer.Option("--strict", help="Take the lesson's advice for errors.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"dtrain {__version__}")
        raise typer.Exit


@app.callback()
def dtrain(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, help="Print the version.")] = False,
) -> None:
    """What stands before the command."""


@app.command("run")
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
    from dtrain.display.console import publish
    from dtrain.display.progress import progress

    config, overrides = split_configuration(configuration or [])
    with progress(quiet=quiet, seeds=seeds or 1) as observer:
        observer.on_phase("checking the experiment")
        from dtrain.config import load_advised
        from dtrain.display.results import describe_run, describe_seeds
        from dtrain.run_interface import RunOptions, RunResult
        from dtrain.workflows.run import run, run_seeds

        experiment, advice = load_advised(config, overrides, strict=strict)
        options = RunOptions(runs_dir, name, _stem(config), device, data_dir, advice)
        result = run_seeds(experiment, seeds, options, observer) if seeds else run(experiment, options, observer)
    if isinstance(result, RunResult):
        publish(result, describe_run, as_json=as_json)
        return
    publish(result, describe_seeds, as_json=as_json)
    if result.diverged:
        raise typer.Exit(PartialFailure.exit_code)


@app.command("lr-find")
def lr_find_command(
    configuration: Configuration = None,
    minimum: Annotated[float, typer.Option("--min", help="Rate of the first step.")] = 1e-6,
    maximum: Annotated[float, typer.Option("--max", help="Rate of the last step.")] = 10.0,
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
        from dtrain.config import load_experiment
        from dtrain.display.rates import describe_rates
        from dtrain.rate_range import RateRange
        from dtrain.run_interface import RunOptions
        from dtrain.workflows.lr_find import lr_find

        search = RateRange(minimum, maximum, iterations, seeds)
        experiment = load_experiment(config, overrides)
        options = RunOptions(runs_dir, name, _stem(config), device, data_dir)
        report = lr_find(experiment, search, options, observer, write=write, verify=verify)
    publish(report, describe_rates, as_json=as_json)


@app.command("validate")
def validate_command(configuration: Configuration = None, strict: Strict = False, as_json: Json = False) -> None:
    """Check an experiment file, say what the lesson advises against, and print it with every default filled in."""
    from dtrain.display.console import publish, publish_warnings
    from dtrain.display.results import describe_validation
    from dtrain.workflows.validate import validate

    report = validate(*split_configuration(configuration or []), strict=strict)
    publish_warnings(one.warning for one in report.advice)
    publish(report, describe_validation, as_json=as_json)


@app.command("init")
def init_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make.")] = Path("experiment.yaml"),
    as_json: Json = False,
) -> None:
    """Write the default experiment, every key explained, and a schema for editors; overwrite nothing."""
    from dtrain.display.console import publish
    from dtrain.display.vocabulary import describe_beginning
    from dtrain.workflows.init import init

    publish(init(file), describe_beginning, as_json=as_json)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON schema of an experiment file, for editors."""
    from dtrain.workflows.init import schema_text

    print(schema_text(), end="", flush=True)


@app.command("techniques")
def techniques_command(
    family: Annotated[
        str | None,
        typer.Argument(metavar="FAMILY", help="All in brief if left out.", autocompletion=complete_family),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain what an experiment file can name: kinds, fields, defaults and the lesson's advice."""
    from dtrain.display.console import publish
    from dtrain.display.vocabulary import describe_techniques
    from dtrain.workflows.techniques import techniques

    publish(techniques(family), describe_techniques, as_json=as_json)


@app.command("show")
def show_command(run: Run = None, runs_dir: RunsDir = Path("runs"), as_json: Json = False) -> None:
    """Show a run, also while it is still going on."""
    from dtrain.display.console import publish
    from dtrain.display.results import describe_run_report, describe_seeds_report
    from dtrain.workflows.show import RunReport, show

    report = show(runs_dir, run)
    if isinstance(report, RunReport):
        publish(report, describe_run_report, as_json=as_json)
    else:
        publish(report, describe_seeds_report, as_json=as_json)


@app.command("evaluate")
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
    from dtrain.display.console import publish
    from dtrain.display.progress import progress

    with progress(quiet=quiet) as observer:
        observer.on_phase("looking for the run")
        from dtrain.display.results import describe_evaluation
        from dtrain.workflows.evaluate import EvaluationOptions, evaluate

        report = evaluate(runs_dir, run, EvaluationOptions(split, device, data_dir), observer)
    publish(report, describe_evaluation, as_json=as_json)


@app.command("mc-predict")
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
    from dtrain.display.console import publish
    from dtrain.display.progress import progress

    with progress(quiet=quiet) as observer:
        observer.on_phase("looking for the model")
        from dtrain.display.uncertainty import describe_mc
        from dtrain.run_interface import RunOptions
        from dtrain.workflows.mc_predict import mc_predict
        from dtrain.workflows.stochastic_source import Request

        request = Request(
            target,
            samples,
            split,
            images,
            seed,
            dataset,
            scaling,
            index,
            save_model=save_model,
            save_passes=save_passes,
        )
        report = mc_predict(request, RunOptions(runs_dir, name, "", device, data_dir), observer)
    publish(report, describe_mc, as_json=as_json)


@app.command("data")
def data_command(
    action: Annotated[Literal["status", "fetch", "import"], typer.Argument(help="What to do.")] = "status",
    source: Annotated[str | None, typer.Argument(metavar="NAME|PATH", help="What to fetch or import.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say where the known data sets are; fetch NAME; or import a copy from PATH, for a machine without network."""
    from dtrain.display.console import publish
    from dtrain.display.progress import progress
    from dtrain.display.results import describe_data
    from dtrain.workflows.data import fetch, import_copy, status

    _check_source(action, source)
    with progress(quiet=quiet) as observer:
        if source is None:
            report = status(data_dir)
        else:
            report = fetch(source, data_dir, observer) if action == "fetch" else import_copy(Path(source))
    publish(report, describe_data, as_json=as_json)


def _check_source(action: str, source: str | None) -> None:
    if action == "status" and source is not None:
        message = f"got {source!r} after status; expected nothing more"
        raise UsageError(message, where="dtrain data", hint=f"to get a data set: `dtrain data fetch {source}`")
    if action != "status" and source is None:
        missing = "NAME" if action == "fetch" else "PATH"
        raise UsageError(f"{missing} is missing; expected `dtrain data {action} {missing}`", where="dtrain data")


def split_configuration(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Returns the experiment file, if there is one, and the overrides that follow it."""
    if arguments and ("=" not in arguments[0] or Path(arguments[0]).exists()):
        return Path(arguments[0]), list(arguments[1:])
    return None, list(arguments)


def _stem(config: Path | None) -> str:
    """What a run is named after: a repeated run after the run that its file is from."""
    if config is None:
        return "default"
    return config.resolve().parent.name if config.name == "config.yaml" else config.stem


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; every failure is told in one way and has its own exit code.

    Args:
        arguments: What follows ``dtrain``; None takes it from the command line.

    Returns:
        The exit code.
    """
    open_missing_streams()
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

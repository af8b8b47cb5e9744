"""Every result has one description: parts for the console, which are text and HTML outside of it too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel
from rich.console import RenderableType

from dtrain.display.console import WIDTH_OF_PIPES, SafeConsole, print_parts, results_wanted, stdout, write_out
from dtrain.ground.printable import printable_within

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DESCRIPTIONS: Mapping[str, str] = {
    "Beginning": "vocabulary.describe_beginning",
    "CompareReport": "comparison.describe_comparison",
    "DataReport": "results.describe_data",
    "EvaluationReport": "results.describe_evaluation",
    "McReport": "uncertainty.describe_mc",
    "ProbeReport": "probe.describe_probe",
    "RateReport": "rates.describe_rates",
    "RunReport": "results.describe_run_report",
    "RunResult": "results.describe_run",
    "SeedsReport": "results.describe_seeds_report",
    "SeedsResult": "results.describe_seeds",
    "Techniques": "vocabulary.describe_techniques",
    "TransferReport": "transfer.describe_transfer",
    "ValidationReport": "results.describe_validation",
}
"""By the name of the result's class: neither it nor what describes it is imported before it is there."""


def describe(result: object) -> Iterable[RenderableType]:
    """Returns what there is to say of a result, part by part; no text in it, wherever it is from, steers a terminal."""
    module, name = DESCRIPTIONS[type(result).__name__].split(".")
    found: Callable[[object], Iterable[RenderableType]] = getattr(import_module(f"dtrain.display.{module}"), name)
    return found(printable_within(result))


def publish(result: DataclassInstance, *, as_json: bool) -> None:
    """Prints a result on stdout: for people, or as exactly one JSON document."""
    if as_json:
        write_out(json.dumps(asdict(result), default=_to_plain, indent=2, allow_nan=False))
    else:
        with results_wanted():
            print_parts(stdout(), describe(result))


def described(result: object, form: Literal["text", "html"]) -> str:
    """Returns what a command prints of its result, as plain text or as a piece of HTML for a notebook."""
    console = SafeConsole(StringIO(), width=WIDTH_OF_PIPES, record=True)
    print_parts(console, describe(result))
    if form == "text":
        return console.export_text().rstrip("\n")
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def _to_plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"got {type(value).__name__}; expected something that JSON knows")

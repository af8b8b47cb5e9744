"""What Monte Carlo dropout says, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dtrain.display.console import Sentence
from dtrain.display.tables import percent, table_of_numbers

if TYPE_CHECKING:
    from dtrain.statistics.calibration import Estimate, Quality
    from dtrain.statistics.uncertainty import ImageReport
    from dtrain.workflows.mc_predict import McReport

LISTED_IMAGES = 5


def describe_mc(report: McReport) -> Iterator[RenderableType]:
    """Yields how good the mean of the passes is beside the plain prediction, what it is unsure of, and where it is."""
    layers = ", ".join(f"{one.name} ({one.kind} {one.rate:g})" for one in report.layers)
    yield Text(f"model {report.model}, {report.images:,} images of {report.split}")
    yield Text(f"{report.samples} passes, seed {report.seed}, random in: {layers}")
    yield Text()
    if report.shown:
        yield from _describe_image(report, report.shown)
        yield Text()
    if report.comparison:
        yield _quality_table(report)
        yield Text(
            "95% intervals over images; the last column is on minus off, paired. Not the chance of the training."
        )
        yield Text()
        yield _kept_table(report)
        yield Text()
    yield from _describe_uncertainty(report)
    yield from _describe_settling(report)
    yield f"pictures, predictions and report {report.folder}"
    yield Sentence(report.verdict, "verdict", "bold")


def _quality_table(report: McReport) -> Table:
    assert report.comparison
    table = table_of_numbers("", "dropout off", f"on, mean of {report.samples}", "difference")
    rows = {
        "accuracy": "accuracy",
        "log_loss": "log loss",
        "brier_score": "Brier score",
        "calibration_error": "calibration error",
    }
    for name, words in rows.items():
        style, unit = (100, "%") if name == "accuracy" else (1, "")
        plain, mc = (_estimate(_of(one, name), style) for one in (report.comparison.plain, report.comparison.mc))
        difference = _estimate(getattr(report.comparison, name), style, signed=True)
        table.add_row(f"{words}{', ' + unit if unit else ''}", plain, mc, difference)
    return table


def _of(quality: Quality, name: str) -> Estimate:
    estimate: Estimate = getattr(quality, name)
    return estimate


def _estimate(one: Estimate, factor: float, *, signed: bool = False) -> str:
    decimals = 2 if factor == 100 else 4
    numbers = [factor * value for value in (one.value, one.interval.low, one.interval.high)]
    value, low, high = (f"{number:{'+' if signed else ''}.{decimals}f}" for number in numbers)
    return f"{value}\n{low} to {high}"


def _kept_table(report: McReport) -> Table:
    table = table_of_numbers("keep the surest", "images", "dropout off", "dropout on")
    for one in report.kept:
        table.add_row(f"{one.share:.0%}", f"{one.images:,}", percent(one.plain), percent(one.mc))
    return table


def _describe_uncertainty(report: McReport) -> Iterator[RenderableType]:
    means = report.means
    yield Text(
        f"mean over the images: deviation of the predicted class {means.deviation:.4f}, disagreement "
        f"{means.disagreement:.2%}, predictive entropy {means.predictive_entropy:.4f} = expected entropy "
        f"{means.expected_entropy:.4f} + mutual information {means.mutual_information:.4f} (nats)"
    )
    yield Text("the least certain images")
    for one in report.uncertain[:LISTED_IMAGES]:
        order = sorted(range(len(one.mean)), key=lambda label: -one.mean[label])[:2]
        guesses = ", ".join(
            f"{report.class_names[label]} {one.mean[label]:.2f} +- {one.deviation[label]:.2f}" for label in order
        )
        label = f" ({one.label})" if one.label else ""
        yield Text(f"  #{one.image}{label}: {guesses}")


def _describe_settling(report: McReport) -> Iterator[RenderableType]:
    if report.enough is None:
        yield Text(f"the estimate has not settled before pass {report.samples}", "yellow")
    else:
        passes = "1 pass" if report.enough == 1 else f"{report.enough} passes"
        yield Text(f"{passes} would have been enough: from there on close to the mean of all")


def _describe_image(report: McReport, one: ImageReport) -> Iterator[RenderableType]:
    label = f", {one.label}" if one.label else ""
    yield Text(f"image #{one.image}{label}", "bold")
    numbers = (f"pass {number}" for number in range(1, len(one.passes) + 1))
    table = table_of_numbers("probability of", "off", f"mean of {report.samples}", "deviation", *numbers)
    for index, name in enumerate(report.class_names):
        values = [one.plain[index], one.mean[index], one.deviation[index], *(single[index] for single in one.passes)]
        table.add_row(name, *(f"{value:.2f}" for value in values), style=_row_style(one, index))
    yield table
    yield Text(
        f"predictive entropy {one.predictive_entropy:.3f}, mutual information {one.mutual_information:.3f}, "
        f"{one.disagreement:.0%} of the passes disagree with their mean"
    )


def _row_style(one: ImageReport, index: int) -> str:
    return "bold" if index == max(range(len(one.mean)), key=lambda label: one.mean[label]) else ""

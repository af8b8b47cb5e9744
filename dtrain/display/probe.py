"""What a network promises before its first step, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from dtrain.display.tables import number, table_of_numbers

if TYPE_CHECKING:
    from dtrain.diagnosis.at_rest import ByHeart
    from dtrain.workflows.probe import ProbeReport

FAR = 2.0
"""A first loss so many times that of guessing is told: the first steps only undo it."""


def describe_probe(report: ProbeReport) -> Iterator[RenderableType]:
    """Yields a line for each initializer, what that means for the experiment's own, and what it learns by heart."""
    table = table_of_numbers(
        "initializer", "verdict", "signals a layer", "gradients a layer", "saturated", "first loss"
    )
    for one in report.initializers:
        verdict, flat = one.verdict, [layer.saturated for layer in one.layers if layer.saturated is not None]
        saturated = f"{max(flat):.0%}" if flat else ""
        factors = [_factor(verdict.forward), _factor(verdict.backward)]
        table.add_row(one.initializer, verdict.fate, *factors, saturated, _loss(one.first_loss))
    yield table
    own, chance = report.initializers[0], report.chance_loss
    yield Text.assemble((f"{own.initializer} {own.verdict.fate}", "bold"), f": {own.verdict.words}")
    far = own.first_loss is None or own.first_loss > FAR * chance
    warning = ": far from it, the first weights are too large" if far else ""
    yield f"first loss {_loss(own.first_loss)}; guessing has {chance:.3f}{warning}"
    yield _learnt(report.by_heart)
    if report.plot:
        yield f"picture {report.plot}"


def _learnt(found: ByHeart) -> str:
    tried = ", ".join(f"{rate:g}" for rate in found.tried[:-1])
    if found.learning_rate is None:
        return f"{found.images} images cannot be learnt by heart at any rate tried: {tried} and {found.tried[-1]:g}"
    not_at = f", but not at {tried}" if tried else ""
    return f"{found.images} images are learnt by heart in {found.steps} steps at rate {found.learning_rate:g}{not_at}"


def _factor(value: float | None) -> str:
    return "" if value is None else f"x{value:.3g}"


def _loss(value: float | None) -> str:
    return "not finite" if value is None else number(value, 3)

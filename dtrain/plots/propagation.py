"""Signals forwards and gradients backwards through the layers, a line for each initializer."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dtrain.diagnosis.at_rest import Probed
from dtrain.plots.canvas import MARGINS, empty_figure, label_axes, shorten
from dtrain.plots.comparison import LINES, PALETTE

NAME_WIDTH = 40


def propagation_figure(initializers: Sequence[Probed], title: str) -> Figure:
    """Draws the deviations of activations and of gradients over the layers.

    Args:
        initializers: What was found with each, at least one.
        title: What stands above.
    """
    figure = empty_figure(12, 5, title)
    figure.set_layout_engine("constrained", **MARGINS)
    forward, backward = figure.subplots(1, 2)
    for number, one in enumerate(initializers):
        label = f"{shorten(one.initializer, NAME_WIDTH)}: {one.verdict.fate}"
        _draw(forward, [layer.deviation for layer in one.layers], label, number)
        _draw(backward, [layer.gradient for layer in one.layers], label, number)
    label_axes(forward, "hidden layer", "deviation of activations (log scale)")
    label_axes(backward, "hidden layer", "deviation of gradients (log scale)")
    forward.legend(loc="best")
    return figure


def _draw(axes: Axes, deviations: Sequence[float | None], label: str, number: int) -> None:
    """What is zero or beyond numbers has no place on a logarithmic axis: the line ends there."""
    heights = [one if one else np.nan for one in deviations]
    color, line = matplotlib.colormaps[PALETTE](number % 10), LINES[number % len(LINES)]
    axes.plot(range(1, len(heights) + 1), heights, label=label, color=color, linestyle=line, marker="o", markersize=4)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))

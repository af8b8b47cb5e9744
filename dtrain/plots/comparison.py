"""The picture of several experiments: their curves over each other, with bands over seeds, and where they ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dtrain.plots.canvas import MARGINS, PLAIN, empty_figure, label_axes, shorten
from dtrain.statistics.intervals import Interval

PALETTE = "tab10"
LINES = ("-", "--", ":", "-.")
NAME_WIDTH = 32
MOST_TICKS = 5
NAMED_CURVES = 20
"""A longer legend would hide the curves."""
SHOWN_SHARE = 0.05
"""So much of the first, steep part of the curves may leave the picture: the end is what is compared."""


@dataclass(frozen=True)
class Curves:
    """What the picture shows of one experiment.

    Args:
        name: What it is called.
        losses: For each seed the validation loss of each epoch.
        accuracies: For each seed the validation accuracy of each epoch.
        tests: For each seed the test accuracy at the end.
        interval: The 95% interval of the test accuracy.
    """

    name: str
    losses: Sequence[Sequence[float]]
    accuracies: Sequence[Sequence[float]]
    tests: Sequence[float]
    interval: Interval


def comparison_figure(experiments: Sequence[Curves], title: str) -> Figure:
    """Draws the validation curves and the test accuracies of several experiments.

    Args:
        experiments: In the order in which they are listed, at least one.
        title: What stands above.
    """
    figure = empty_figure(15, max(5.0, 2.2 + 0.35 * len(experiments)), title)
    figure.set_layout_engine("constrained", **MARGINS)
    loss, accuracy, test = figure.subplots(1, 3)
    for number, one in enumerate(experiments):
        seeds = f"{len(one.tests)} seed{'s' if len(one.tests) > 1 else ''}"
        label = f"{shorten(one.name, NAME_WIDTH)}, {seeds}"
        _draw_seeds(loss, one.losses, label, _style(number))
        _draw_seeds(accuracy, one.accuracies, label, _style(number))
    label_axes(loss, "epoch", "validation loss")
    label_axes(accuracy, "epoch", "validation accuracy")
    _look_at_the_end(loss, [seed for one in experiments for seed in one.losses], falling=True)
    _look_at_the_end(accuracy, [seed for one in experiments for seed in one.accuracies], falling=False)
    several = any(len(one.tests) > 1 for one in experiments)
    accuracy.set_title("line: mean over seeds\nband: from the lowest to the highest" if several else "", fontsize=9)
    if len(experiments) <= NAMED_CURVES:
        for text in loss.legend(loc="upper right", fontsize=8).get_texts():
            text.set_parse_math(False)
    _draw_tests(test, experiments)
    return figure


def _style(number: int) -> dict[str, Any]:
    """Colours first, and lines that differ where the colours begin again."""
    colors = matplotlib.colormaps[PALETTE]
    return {"color": colors(number % colors.N), "linestyle": LINES[number // colors.N % len(LINES)]}


def _draw_seeds(axes: Axes, seeds: Sequence[Sequence[float]], label: str, style: dict[str, Any]) -> None:
    """The mean goes as far as all seeds do; beyond, where some had stopped, it would be one of others."""
    shared = min(map(len, seeds))
    epochs = np.arange(1, shared + 1)
    values = np.array([seed[:shared] for seed in seeds])
    axes.plot(epochs, values.mean(axis=0), label=label, linewidth=1.8, marker="." if shared == 1 else "", **style)
    if len(seeds) > 1:
        axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=style["color"], alpha=0.18, linewidth=0)
    for seed in seeds:
        if len(seed) > shared:
            rest = np.arange(shared, len(seed) + 1)
            axes.plot(rest, seed[shared - 1 :], linewidth=0.7, alpha=0.6, **style)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def _look_at_the_end(axes: Axes, curves: Sequence[Sequence[float]], *, falling: bool) -> None:
    values = np.concatenate([np.asarray(one) for one in curves])
    low, high = np.quantile(values, (0, 1 - SHOWN_SHARE) if falling else (SHOWN_SHARE, 1))
    room = 0.05 * (high - low) or 0.01
    axes.set_ylim(low - room, high + room)


def _draw_tests(axes: Axes, experiments: Sequence[Curves]) -> None:
    rows = range(len(experiments))
    for row, one in zip(rows, experiments, strict=True):
        color = _style(row)["color"]
        axes.plot([one.interval.low, one.interval.high], [row, row], color=color, linewidth=5, alpha=0.3)
        axes.plot(one.tests, np.full(len(one.tests), row), color=color, marker="o", markersize=4, linestyle="none")
        axes.plot([np.mean(one.tests)], [row], color="black", marker="|", markersize=16)
    axes.set_yticks(rows, [shorten(one.name, NAME_WIDTH // 2) for one in experiments], fontsize=8, **PLAIN)
    axes.set_ylim(len(experiments) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=MOST_TICKS))
    axes.set_title("dots: seeds; tick: mean; bar: 95% interval\n(of one seed: that of the images)", fontsize=9)
    label_axes(axes, "test accuracy", "")

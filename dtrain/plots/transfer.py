"""The picture of a transfer experiment: every arm, every seed as a dot, and the intervals of the means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure

from dtrain.plots.canvas import MARGINS, PLAIN, TRAINING, VALIDATION, Array, empty_figure, label_axes
from dtrain.statistics.intervals import Interval

HEIGHT_OF_AN_ARM, OTHER_HEIGHT = 0.9, 1.6
BELOW = 0.25
"""How far below the dots the mean stands, so that it hides none."""
APART = 0.1
"""How far apart dots of equal values stand."""


class ArmValues(Protocol):
    """What the picture needs of an arm."""

    @property
    def words(self) -> str:
        """What it is."""

    @property
    def accuracies(self) -> tuple[float | None, ...]:
        """Of each seed; None where it diverged."""

    @property
    def mean(self) -> float | None:
        """Over the seeds."""

    @property
    def interval(self) -> Interval | None:
        """Of the mean."""


def arms_figure(arms: Sequence[ArmValues], seeds: Sequence[int], title: str) -> Figure:
    """Draws test accuracies.

    Args:
        arms: The arms, from top to bottom.
        seeds: The seeds of the accuracies; thin lines join those of one seed.
        title: What stands above.
    """
    figure = empty_figure(9, OTHER_HEIGHT + HEIGHT_OF_AN_ARM * len(arms), title)
    figure.set_layout_engine("constrained", **MARGINS)
    axes = figure.subplots()
    accuracies = 100 * np.array([[np.nan if one is None else one for one in arm.accuracies] for arm in arms])
    heights = np.array([row - APART * _places_among_equals(values) for row, values in enumerate(accuracies)])
    for number in range(len(seeds)):
        there = np.isfinite(accuracies[:, number])
        axes.plot(accuracies[there, number], heights[there, number], color="0.8", linewidth=0.8, zorder=1)
    for row, arm in enumerate(arms):
        style = TRAINING if row == 0 else VALIDATION
        axes.scatter(accuracies[row], heights[row], s=26, color=style["color"], zorder=2)
        if arm.mean is None:
            continue
        low, high = (arm.interval.low, arm.interval.high) if arm.interval else (arm.mean, arm.mean)
        spread = [[100 * (arm.mean - low)], [100 * (high - arm.mean)]]
        axes.errorbar(100 * arm.mean, row + BELOW, xerr=spread, fmt="|", color="black", capsize=4, markersize=12)
    axes.set_yticks(range(len(arms)), [_label(arm) for arm in arms], **PLAIN)
    axes.set_ylim(len(arms) - 0.4, -0.4)
    dots = "a dot for each seed, lines join equal seeds" if len(arms) > 1 else "a dot for each seed"
    label_axes(axes, f"test accuracy in % ({dots}; below, mean and 95% interval)", "")
    return figure


def _label(arm: ArmValues) -> str:
    """Returns what an arm is, and how many seeds have no dot."""
    diverged = sum(one is None for one in arm.accuracies)
    return f"{arm.words}\n{diverged} of {len(arm.accuracies)} seeds diverged" if diverged else arm.words


def _places_among_equals(values: Array) -> Array:
    """Returns for each value how many equal ones stand before it."""
    return np.array([int((values[:place] == value).sum()) for place, value in enumerate(values)])

"""Which learning rate is safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dtrain.plots.canvas import MARGINS, PLAIN, TRAINING, Array, empty_figure, label_axes, shorten
from dtrain.plots.curves import RAW
from dtrain.rates.rules import RULE_NAMES
from dtrain.rates.suggestion import Curve, Suggestion

RULE_STYLES = (("#1b9e77", "v"), ("#d95f02", "s"), ("#7570b3", "^"), ("#e7298a", "D"))
"""Colour and marker of each rule, in the order of their names."""
LOSS_HEADROOM = 1.3
"""Losses up to this multiple of the first one are shown; what explodes leaves the picture at its top."""


def rates_figure(curves: Sequence[Curve], rates: Array, found: Suggestion, title: str) -> Figure:
    """Draws the losses at each learning rate, what each rule says of them and the suggestion.

    Args:
        curves: One for each seed.
        rates: The rate of each step planned, or of each brief training [rates].
        found: What all seeds together say.
        title: What stands above.
    """
    figure = empty_figure(11, 7, title)
    figure.set_layout_engine("constrained", **MARGINS)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_xlim(rates[0], rates[-1])
    for number, curve in enumerate(curves):
        _draw_search(axes, curve, rates, named=number == 0)
    if any(curve.marks for curve in curves):
        _mark_rules(axes, curves, rates)
    if found.edge is not None:
        axes.axvspan(found.edge, rates[-1], color="#c0392b", alpha=0.12, label=f"beyond the edge, {found.edge:.2g}")
    if found.rate is not None:
        axes.axvline(found.rate, color="black", linestyle="--", label=f"suggestion {found.rate:.2g}")
    else:
        axes.set_title(shorten(f"no suggestion: {found.reason}", 120), fontsize=11, **PLAIN)
    starts = [curve.smoothed[0] for curve in curves if len(curve.smoothed)]
    if starts:
        axes.set_ylim(0, LOSS_HEADROOM * max(starts))
    label_axes(axes, "learning rate (log scale)", "cross-entropy loss")
    axes.legend(loc="best")
    return figure


def _draw_search(axes: Axes, curve: Curve, rates: Array, *, named: bool) -> None:
    taken = rates[: len(curve.losses)]
    if curve.constant:
        name = "end of a brief training at each rate, one line a seed"
        axes.plot(taken, curve.losses, label=name if named else None, marker="o", **TRAINING)
        return
    # no seed's batches hide another's smoothed line
    axes.plot(taken, curve.losses, label="batch loss" if named else None, zorder=1, **RAW)
    axes.plot(taken, curve.smoothed, label="smoothed, one line a seed" if named else None, **TRAINING)


def _mark_rules(axes: Axes, curves: Sequence[Curve], rates: Array) -> None:
    """Each rule's mark stands on the smoothed curve of its seed."""
    marked = [curve for curve in curves if curve.marks]
    for (field, name), (color, marker) in zip(RULE_NAMES.items(), RULE_STYLES, strict=True):
        places = [getattr(curve.marks, field) for curve in marked]
        heights = [
            np.interp(place, rates[: len(one.smoothed)], one.smoothed)
            for place, one in zip(places, marked, strict=True)
        ]
        style: dict[str, Any] = {
            "color": color,
            "marker": marker,
            "markersize": 9,
            "markeredgecolor": "white",
            "linestyle": "none",
        }
        axes.plot(places, heights, label=name, zorder=3, **style)

"""How training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from dtrain.plots.canvas import MARGINS, TRAINING, VALIDATION, Array, empty_figure, label_axes

BEST: dict[str, Any] = {"color": "black", "marker": "o", "markersize": 13, "fillstyle": "none", "linestyle": "none"}
RAW: dict[str, Any] = {"color": "#a9bcd0", "linestyle": "-", "linewidth": 0.7}
MARKED_EPOCHS = 30
"""Up to so many epochs each has a marker; a single epoch would be invisible without."""
LOGARITHMIC_SPAN = 100
SMOOTHED_SHARE = 0.02


def curves_figure(metrics: Sequence[Mapping[str, Any]], steps: Mapping[str, Array], title: str) -> Figure:
    """Draws loss, accuracy, learning rate, and momentum or gradient norm, 1100 x 800 pixels.

    Args:
        metrics: The lines of metrics.jsonl, at least one.
        steps: The arrays of steps.npz, each [steps].
        title: What stands above.
    """
    figure = empty_figure(11, 8, title)
    figure.set_layout_engine("constrained", **MARGINS)
    panels = figure.subplots(2, 2)
    _draw_epochs(panels[0, 0], metrics, "loss", "cross-entropy loss")
    _draw_epochs(panels[0, 1], metrics, "accuracy", "accuracy")
    rates = np.asarray(steps["learning_rate"])
    _draw_steps(panels[1, 0], rates, "learning rate", logarithmic=_span(rates) > LOGARITHMIC_SPAN)
    momentum = np.asarray(steps.get("momentum", ()))
    if np.unique(momentum).size > 1:
        _draw_steps(panels[1, 1], momentum, "momentum", logarithmic=False)
    else:
        _draw_steps(panels[1, 1], np.asarray(steps["gradient_norm"]), "gradient norm", logarithmic=True, smooth=True)
    return figure


def _draw_epochs(axes: Axes, metrics: Sequence[Mapping[str, Any]], measure: str, label: str) -> None:
    epochs = [one["epoch"] for one in metrics]
    marker = "o" if len(epochs) <= MARKED_EPOCHS else ""
    best = min(metrics, key=lambda one: one["val_loss"])
    axes.plot(epochs, [one[measure] for one in metrics], label="training", marker=marker, **TRAINING)
    axes.plot(epochs, [one[f"val_{measure}"] for one in metrics], label="validation", marker=marker, **VALIDATION)
    axes.plot(best["epoch"], best[f"val_{measure}"], label=f"lowest validation loss: epoch {best['epoch']}", **BEST)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    label_axes(axes, "epoch", label)
    axes.legend(loc="best")


def _draw_steps(axes: Axes, values: Array, label: str, *, logarithmic: bool, smooth: bool = False) -> None:
    axes.plot(np.arange(1, len(values) + 1), values, label="each step", **(RAW if smooth else TRAINING))
    if smooth:
        window = max(int(SMOOTHED_SHARE * len(values)), 1)
        means = np.convolve(values, np.ones(window) / window, mode="valid")
        axes.plot(np.arange(len(means)) + (window + 1) / 2, means, label=f"mean of {window} steps", **TRAINING)
        axes.legend(loc="best")
    if logarithmic and np.any(values > 0):
        axes.set_yscale("log")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    label_axes(axes, "step", label)


def _span(values: Array) -> float:
    """How far the values spread, but for a last few that fall off: 1cycle is a triangle and should look like one."""
    positive = values[values > 0]
    return float(positive.max() / np.quantile(positive, 0.1)) if positive.size else 1.0

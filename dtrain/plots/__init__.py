"""Results to pictures: how training went, what a model confuses, and which learning rate is safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from dtrain.plots.canvas import (
    MARGINS,
    PLAIN,
    TRAINING,
    VALIDATION,
    Array,
    empty_figure,
    label_axes,
    save,
    shorten,
)
from dtrain.rate_rules import RULE_NAMES
from dtrain.rate_suggestion import Curve, Suggestion

BEST: dict[str, Any] = {"color": "black", "marker": "o", "markersize": 13, "fillstyle": "none", "linestyle": "none"}
RAW: dict[str, Any] = {"color": "#a9bcd0", "linestyle": "-", "linewidth": 0.7}
MARKED_EPOCHS = 30
"""Up to so many epochs each has a marker; a single epoch would be invisible without."""
LOGARITHMIC_SPAN = 100
SMOOTHED_SHARE = 0.02
LONGEST_NAME = 16
COUNTED_CLASSES = 30
"""Up to so many classes the cells have room for counts."""
FEWEST_COLUMNS, GALLERY_COLUMNS, GALLERY_IMAGES = 3, 6, 24
CAPTION_WIDTH = 24
RULE_STYLES = (("#1b9e77", "v"), ("#d95f02", "s"), ("#7570b3", "^"), ("#e7298a", "D"))
"""Colour and marker of each rule, in the order of their names."""
LOSS_HEADROOM = 1.3
"""Losses up to this multiple of the first one are shown; what explodes leaves the picture at its top."""


def plot_curves(metrics: Sequence[Mapping[str, Any]], steps: Mapping[str, Array], path: Path, title: str) -> None:
    """Draws how training went, 1100 x 800 pixels, into a PNG file.

    Args:
        metrics: The lines of metrics.jsonl, at least one.
        steps: The arrays of steps.npz, each [steps].
        path: The file; replaced as a whole.
        title: What stands above.
    """
    save(curves_figure(metrics, steps, title), path)


def plot_confusion(matrix: Array, class_names: Sequence[str], path: Path, title: str) -> None:
    """Draws how many images of each class were taken for each class into a PNG file.

    Args:
        matrix: int [classes, classes]: true classes are rows, predicted classes columns.
        class_names: A name for each class.
        path: The file; replaced as a whole.
        title: What stands above.
    """
    save(confusion_figure(matrix, class_names, title), path)


def plot_gallery(images: Array, captions: Sequence[Sequence[str]], path: Path, title: str) -> None:
    """Draws up to 24 images with a caption below each into a PNG file.

    Args:
        images: [images, height, width] or [images, height, width, 3], in [0, 1].
        captions: Up to three lines for each image.
        path: The file; replaced as a whole.
        title: What stands above.
    """
    save(gallery_figure(images, captions, title), path)


def plot_rates(curves: Sequence[Curve], rates: Array, found: Suggestion, path: Path, title: str) -> None:
    """Draws the losses at each learning rate, what each rule says of them and the suggestion into a PNG file.

    Args:
        curves: One for each seed.
        rates: The rate of each step planned, or of each brief training [rates].
        found: What all seeds together say.
        path: The file; replaced as a whole.
        title: What stands above.
    """
    save(rates_figure(curves, rates, found, title), path)


def curves_figure(metrics: Sequence[Mapping[str, Any]], steps: Mapping[str, Array], title: str) -> Figure:
    """Returns the picture of `plot_curves`: loss, accuracy, learning rate, and momentum or gradient norm."""
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


def rates_figure(curves: Sequence[Curve], rates: Array, found: Suggestion, title: str) -> Figure:
    """Returns the picture of `plot_rates`."""
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


def confusion_figure(matrix: Array, class_names: Sequence[str], title: str) -> Figure:
    """Returns the picture of `plot_confusion`: counts in the cells, coloured by their share of the true class."""
    classes = len(class_names)
    side = float(np.clip(3.2 + 0.6 * classes, 6, 16))
    figure = empty_figure(side + 1, side, title)
    figure.set_layout_engine("compressed", **MARGINS)
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # The square root of the share: on a linear scale all mistakes are white.
    picture = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    label = "share of the true class (square-root scale)"
    figure.colorbar(picture, ax=axes, label=label, shrink=0.7, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1])
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    shown = range(0, classes, -(-classes // COUNTED_CLASSES))
    names = [shorten(class_names[index], LONGEST_NAME) for index in shown]
    axes.set_xticks(shown, names, rotation=45, ha="right", rotation_mode="anchor", **PLAIN)
    axes.set_yticks(shown, names, **PLAIN)
    if classes <= COUNTED_CLASSES:
        for (row, column), count in np.ndenumerate(matrix):
            color = "white" if shares[row, column] > 0.3 else "black" if count else "0.6"
            axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=9)
    return figure


def gallery_figure(images: Array, captions: Sequence[Sequence[str]], title: str) -> Figure:
    """Returns the picture of `plot_gallery`."""
    shown = min(len(images), GALLERY_IMAGES)
    columns = min(GALLERY_COLUMNS, max(shown, FEWEST_COLUMNS))
    rows = max(-(-shown // columns), 1)
    width, height = 1.85 * columns, 2.3 * rows + 0.5
    figure = empty_figure(width, height, title)
    # An automatic layout would make room for long captions at the cost of the images.
    figure.subplots_adjust(0.1 / width, 0.55 / height, 1 - 0.1 / width, 1 - 0.5 / height, wspace=0.1, hspace=0.35)
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if index < shown:
            axes.imshow(images[index], cmap="gray", vmin=0, vmax=1)
            place = {"x": 0.5, "y": -0.05, "ha": "center", "va": "top", "transform": axes.transAxes}
            axes.text(s=_caption(captions[index]), fontsize=8.5, **place, **PLAIN)
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


def _caption(lines: Sequence[str]) -> str:
    return "\n".join(shorten(line, CAPTION_WIDTH) for line in lines)

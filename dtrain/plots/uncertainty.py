"""Pictures of Monte Carlo dropout: calibration, how the estimate settles, the most and the least certain images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dtrain.plots.canvas import MARGINS, PLAIN, TRAINING, VALIDATION, Array, empty_figure, label_axes, shorten
from dtrain.statistics.calibration import Comparison, Kept, Quality
from dtrain.statistics.uncertainty import ImageReport, Settling

STYLES: dict[str, dict[str, Any]] = {"off": VALIDATION | {"marker": "s"}, "on": TRAINING | {"marker": "o"}}
NAMES = {"off": "dropout off", "on": "mean of the passes"}
BARS = 3
COLUMNS = 6
NAME_WIDTH = 13


def calibration_figure(comparison: Comparison, kept: Sequence[Kept], title: str) -> Figure:
    """Draws accuracy against confidence, and against the share of the images kept.

    Args:
        comparison: Plain prediction and mean of the passes, measured.
        kept: Accuracies when the most uncertain images are set aside.
        title: What stands above.
    """
    figure = empty_figure(11, 5.2, title)
    figure.set_layout_engine("constrained", **MARGINS)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="honest: accuracy = confidence")
    for key, quality in (("off", comparison.plain), ("on", comparison.mc)):
        error = f"{NAMES[key]}: calibration error {quality.calibration_error.value:.3f}"
        filled = [one for one in quality.bins if one.images]
        left.plot([one.confidence for one in filled], [one.accuracy for one in filled], label=error, **STYLES[key])
        _mark_counts(left, quality, key)
    label_axes(left, "confidence (small bars: share of the images in each bin)", "accuracy")
    left.set(xlim=(0, 1.01), ylim=(0, 1.02))
    left.legend(loc="upper left")
    shares = [one.share for one in kept]
    right.plot(shares, [one.plain for one in kept], label=f"{NAMES['off']}, by its entropy", **STYLES["off"])
    right.plot(shares, [one.mc for one in kept], label=f"{NAMES['on']}, by predictive entropy", **STYLES["on"])
    label_axes(right, "share of the images kept, the most uncertain set aside", "accuracy on what is kept")
    right.invert_xaxis()
    right.legend(loc="best")
    return figure


def _mark_counts(axes: Axes, quality: Quality, key: str) -> None:
    total = sum(one.images for one in quality.bins)
    width = 0.4 / len(quality.bins)
    lows = [one.low + width * (0.25 if key == "off" else 1.25) for one in quality.bins]
    heights = [0.2 * one.images / total for one in quality.bins]
    axes.bar(lows, heights, width, align="edge", color=STYLES[key]["color"], alpha=0.45)


def settling_figure(settling: Sequence[Settling], enough: int | None, title: str) -> Figure:
    """Draws the estimate after rising numbers of passes.

    Args:
        settling: The estimate after each number.
        enough: The number that would have been enough; None where there is none.
        title: What stands above.
    """
    figure = empty_figure(11, 4.2, title)
    figure.set_layout_engine("constrained", **MARGINS)
    measures: dict[str, list[float | None]] = {
        "accuracy of the mean": [one.accuracy for one in settling],
        "log loss of the mean": [one.log_loss for one in settling],
        "distance from the mean of all passes": [one.distance for one in settling],
    }
    shown = {name: values for name, values in measures.items() if values[-1] is not None}
    passes = [one.passes for one in settling]
    for axes, (name, values) in zip(figure.subplots(1, len(shown), squeeze=False).flat, shown.items(), strict=True):
        axes.plot(passes, values, **STYLES["on"])
        axes.set_xscale("log")
        label_axes(axes, "passes (log scale)", name)
        if enough is not None:
            axes.axvline(enough, color="black", linestyle="--", label=f"enough: {enough}")
            axes.legend(loc="best")
    return figure


def certainty_figure(
    pictures: Array, images: Sequence[ImageReport], class_names: Sequence[str], certain: int, title: str
) -> Figure:
    """Draws images with the likeliest classes, their mean and deviation below each.

    Args:
        pictures: [images, height, width] or [images, height, width, channels], in [0, 1].
        images: What is known of each.
        class_names: In the order of the labels.
        certain: How many of the first are the most certain; the others are the least certain.
        title: What stands above.
    """
    blocks = [range(certain)] + [
        range(start, min(start + COLUMNS, len(images))) for start in range(certain, len(images), COLUMNS)
    ]
    blocks = [block for block in blocks if len(block)]
    figure = empty_figure(11, 2.9 * len(blocks) + 0.5, title)
    figure.set_layout_engine("constrained", **MARGINS)
    parts = figure.subfigures(len(blocks), 1, squeeze=False)[:, 0]
    for part, block in zip(parts, blocks, strict=True):
        what = (
            f"the {'most' if block.start < certain else 'least'} certain (blue: the true class; lines: one deviation)"
        )
        part.suptitle(what, fontsize=10, x=0.01, ha="left")
        cells = part.subplots(2, COLUMNS, height_ratios=(1.5, 1))
        for column in range(COLUMNS):
            cells[0, column].axis("off")
            if column >= len(block):
                cells[1, column].axis("off")
                continue
            number = block[column]
            cells[0, column].imshow(pictures[number], cmap="gray", vmin=0, vmax=1)
            _draw_bars(cells[1, column], images[number], class_names)
    return figure


def _draw_bars(axes: Axes, image: ImageReport, class_names: Sequence[str]) -> None:
    """The likeliest classes, the true one in another colour, with one deviation to each side."""
    best = np.argsort(image.mean)[::-1][:BARS]
    colors = [TRAINING["color"] if class_names[one] == image.label or not image.label else "0.65" for one in best]
    rows = np.arange(len(best))
    means, deviations = (np.asarray(values)[best] for values in (image.mean, image.deviation))
    axes.barh(rows, means, xerr=deviations, color=colors, error_kw={"elinewidth": 1, "capsize": 2})
    axes.set_yticks(rows, [shorten(class_names[one], NAME_WIDTH) for one in best], fontsize=7, **PLAIN)
    axes.set_xlim(0, 1.05)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=7)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    label = f" {shorten(image.label, NAME_WIDTH)}" if image.label else ""
    axes.set_title(f"#{image.image}{label}", fontsize=8, **PLAIN)

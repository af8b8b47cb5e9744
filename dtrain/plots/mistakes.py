"""What a model confuses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from dtrain.plots.canvas import MARGINS, PLAIN, Array, empty_figure, shorten

LONGEST_NAME = 16
COUNTED_CLASSES = 30
"""Up to so many classes the cells have room for counts."""
FEWEST_COLUMNS, GALLERY_COLUMNS, GALLERY_IMAGES = 3, 6, 24
CAPTION_WIDTH = 24


def confusion_figure(matrix: Array, class_names: Sequence[str], title: str) -> Figure:
    """Draws how many images of each class were taken for each class, coloured by their share of the true class.

    Args:
        matrix: int [classes, classes]: true classes are rows, predicted classes columns.
        class_names: A name for each class.
        title: What stands above.
    """
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
    """Draws up to 24 images with a caption below each.

    Args:
        images: [images, height, width] or [images, height, width, 3], in [0, 1].
        captions: Up to three lines for each image.
        title: What stands above.
    """
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


def _caption(lines: Sequence[str]) -> str:
    return "\n".join(shorten(line, CAPTION_WIDTH) for line in lines)

"""What all pictures share: figures of their own, without pyplot and its global state, colours, titles and axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dtrain.ground.files import replace_file

Array = npt.NDArray[Any]

DOTS_PER_INCH = 100
MARGINS = {"w_pad": 0.08, "h_pad": 0.08}
"""In inches."""
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
"""Names and titles are shown as they are: a dollar sign begins no formula."""
TRAINING: dict[str, Any] = {"color": "#1f4e79", "linestyle": "-", "linewidth": 1.8, "markersize": 5}
VALIDATION: dict[str, Any] = {"color": "#d95f02", "linestyle": "--", "linewidth": 1.8, "markersize": 5}
TITLE_LETTERS_PER_INCH = 7


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shorten(text: str, width: int) -> str:
    """Returns a text, printable, and without its middle where it is long: names that begin alike end differently."""
    text = _printable(text)
    head = width // 2
    return text if len(text) <= width else f"{text[:head]}…{text[head + 1 - width :]}"


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Names both axes and clears away what is not data."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def empty_figure(width: float, height: float, title: str) -> Figure:
    """Returns a figure of so many inches with a title."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    figure.suptitle(shorten(title, int(TITLE_LETTERS_PER_INCH * width)), fontsize=14, **PLAIN)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG file, which is replaced as a whole."""
    with replace_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DOTS_PER_INCH)

"""The picture of several experiments holds the numbers that it was given, and survives odd names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from dtrain.plots.canvas import save
from dtrain.plots.comparison import Curves, comparison_figure
from dtrain.statistics.intervals import Interval

ODD_NAMES = ["$", "$x_1$ \\frac", "[red]no[/]", "\x1b[31mred\n", "very long " * 30]


def curves(name: str, seeds: int = 3, lengths: tuple[int, ...] = (4, 4, 4)) -> Curves:
    losses = [[1 / (epoch + 1) + seed / 100 for epoch in range(lengths[seed])] for seed in range(seeds)]
    accuracies = [[0.9 - loss / 10 for loss in one] for one in losses]
    return Curves(name, losses, accuracies, [one[-1] for one in accuracies], Interval(0.8, 0.9))


def lines(axes: Any) -> list[tuple[list[float], list[float]]]:
    return [(np.asarray(one.get_xdata()).tolist(), np.asarray(one.get_ydata()).tolist()) for one in axes.get_lines()]


def test_the_line_is_the_mean_and_the_band_reaches_from_the_lowest_to_the_highest() -> None:
    one = curves("elu")
    loss, accuracy, test = comparison_figure([one], "title").axes
    ((epochs, means),) = lines(loss)
    assert epochs == [1, 2, 3, 4] and means == pytest.approx(np.mean(one.losses, axis=0).tolist())
    (band,) = accuracy.collections
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert (heights.min(), heights.max()) == (np.min(one.accuracies), np.max(one.accuracies))
    dots = lines(test)
    assert dots[0][0] == [0.8, 0.9] and dots[1][0] == one.tests and dots[2][0] == pytest.approx([np.mean(one.tests)])


def test_the_mean_ends_where_the_first_seed_stopped() -> None:
    one = curves("elu", lengths=(2, 4, 3))
    loss, _, _ = comparison_figure([one], "title").axes
    assert [x for x, _ in lines(loss)] == [[1, 2], [2, 3, 4], [2, 3]]
    assert lines(loss)[1][1] == one.losses[1][1:]


def test_one_seed_of_one_epoch_has_a_mark_and_no_band() -> None:
    loss, accuracy, _ = comparison_figure([curves("elu", 1, (1,)), curves("selu", 1, (1,))], "title").axes
    assert [one.get_marker() for one in loss.get_lines()] == [".", "."]
    assert not accuracy.collections and accuracy.get_title() == ""


def test_odd_names_and_many_experiments(tmp_path: Path) -> None:
    save(comparison_figure([curves(name) for name in ODD_NAMES], ODD_NAMES[1]), tmp_path / "odd.png")
    assert matplotlib.image.imread(tmp_path / "odd.png").shape[:2] == (500, 1500)
    many = comparison_figure([curves(str(number)) for number in range(24)], "title")
    assert many.axes[0].get_legend() is None
    styles = {(one.get_color(), one.get_linestyle()) for one in many.axes[0].get_lines()}
    assert len(styles) == 24

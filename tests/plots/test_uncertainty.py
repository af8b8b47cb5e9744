"""The pictures of Monte Carlo dropout hold the numbers that they were given, and survive odd names."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np

from dtrain.plots.canvas import save
from dtrain.plots.uncertainty import calibration_figure, certainty_figure, settling_figure
from dtrain.statistics.calibration import compare, kept_accuracies
from dtrain.statistics.uncertainty import ImageReport, Settling

RANDOM = np.random.default_rng(0)
PROBABILITIES, LABELS = RANDOM.dirichlet(np.ones(3), size=60), RANDOM.integers(3, size=60)


def test_calibration_has_a_point_for_each_filled_bin_and_each_share() -> None:
    comparison = compare(PROBABILITIES, PROBABILITIES, LABELS)
    right = PROBABILITIES.argmax(axis=1) == LABELS
    kept = kept_accuracies(right, np.arange(60), right, -np.arange(60))
    left, shares = calibration_figure(comparison, kept, "$title_{").axes
    filled = [one for one in comparison.plain.bins if one.images]
    line = next(line for line in left.get_lines() if str(line.get_label()).startswith("dropout off"))
    assert np.asarray(line.get_ydata()).tolist() == [one.accuracy for one in filled]
    assert np.asarray(shares.get_lines()[1].get_ydata()).tolist() == [one.mc for one in kept]


def test_settling_shows_only_what_is_known() -> None:
    known = [Settling(1, 0.1, 0.8, 0.6), Settling(10, 0.0, 0.9, 0.5)]
    assert len(settling_figure(known, 1, "title").axes) == 3
    unlabelled = [Settling(1, 0.1, None, None), Settling(10, 0.0, None, None)]
    (axes,) = settling_figure(unlabelled, None, "title").axes
    assert np.asarray(axes.get_lines()[0].get_ydata()).tolist() == [0.1, 0.0]


def test_certainty_shows_the_likeliest_classes_first(tmp_path: Path) -> None:
    names = ["$", "[red]no[/]", "very long " * 9]
    images = [
        ImageReport(n, names[0], (0.2, 0.7, 0.1), (0.2, 0.7, 0.1), (0.1, 0.2, 0.0), 0.8, 0.8, 0.0, 0.0)
        for n in range(3)
    ]
    figure = certainty_figure(np.zeros((3, 4, 4)), images, names, 1, "title")
    bars = figure.axes[6]
    assert [bar.get_width() for bar in bars.containers[1]] == [0.7, 0.2, 0.1]
    assert [text.get_text() for text in bars.get_yticklabels()][:2] == ["[red]no[/]", "$"]
    save(certainty_figure(np.zeros((1, 4, 4, 3)), images[:1], names, 1, "title"), tmp_path / "one.png")
    assert matplotlib.image.imread(tmp_path / "one.png").ndim == 3

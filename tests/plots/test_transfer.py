"""The picture of the arms holds every seed, and the interval of each mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection

from dtrain.plots.canvas import save
from dtrain.plots.transfer import arms_figure
from dtrain.statistics.intervals import Interval
from dtrain.studies.transfer_report import ArmReport

ARMS = (
    ArmReport("transfer", "reused $layers", (), (0.9, 0.9, 0.92), 0.907, Interval(0.88, 0.93)),
    ArmReport("scratch", "from [red]scratch", (), (0.8, None, 0.85), 0.825, None),
    ArmReport("random", "diverged", (), (None, None, None), None, None),
)


def test_every_seed_has_a_dot_that_no_other_hides() -> None:
    (axes,) = arms_figure(ARMS, (1, 2, 3), "$title_{").axes
    dots = [one.get_offsets() for one in axes.collections if isinstance(one, PathCollection)]
    first = np.asarray(dots[0])
    assert first[:, 0].tolist() == [90, 90, 92]
    assert len({tuple(dot) for dot in first.tolist()}) == 3
    assert np.isnan(np.asarray(dots[1])[:, 0]).tolist() == [False, True, False]


def test_intervals_stand_where_they_are_known() -> None:
    (axes,) = arms_figure(ARMS, (1, 2, 3), "title").axes
    bars = [one.get_segments()[0][:, 0].tolist() for one in axes.collections if isinstance(one, LineCollection)]
    assert bars == [pytest.approx([88, 93]), pytest.approx([82.5, 82.5])]


@pytest.mark.parametrize("count", [1, 3])
def test_the_file_is_a_picture(count: int, tmp_path: Path) -> None:
    save(arms_figure(ARMS[:count], (1, 2, 3), "title"), tmp_path / "arms.png")
    assert matplotlib.image.imread(tmp_path / "arms.png").ndim == 3


def test_arms_are_named() -> None:
    (axes,) = arms_figure(ARMS, (1, 2, 3), "title").axes
    assert [label.get_text().split("\n")[0] for label in axes.get_yticklabels()] == [one.words for one in ARMS]


def test_seeds_that_diverged_are_counted_beside_their_arm() -> None:
    (axes,) = arms_figure(ARMS, (1, 2, 3), "title").axes
    counted = [label.get_text().split("\n")[1:] for label in axes.get_yticklabels()]
    assert counted == [[], ["1 of 3 seeds diverged"], ["3 of 3 seeds diverged"]]


def test_a_line_joins_equal_seeds_over_an_arm_that_lost_them() -> None:
    lost = replace(ARMS[1], accuracies=(None, None, None), mean=None)
    last = replace(ARMS[0], accuracies=(0.7, 0.8, None))
    (axes,) = arms_figure((ARMS[0], lost, last), (1, 2, 3), "title").axes
    lines = [np.asarray(one.get_xdata()).tolist() for one in axes.lines[:3]]
    assert lines == [pytest.approx([90, 70]), pytest.approx([90, 80]), pytest.approx([92])]

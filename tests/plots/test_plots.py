"""The pictures hold the numbers that they were given, and survive odd names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from dtrain.experiment.techniques.schedule_technique import Plan
from dtrain.experiment.techniques.schedules import OneCycle
from dtrain.plots.canvas import save
from dtrain.plots.curves import curves_figure
from dtrain.plots.mistakes import confusion_figure, gallery_figure
from dtrain.plots.rates import rates_figure
from dtrain.rates.rules import Marks
from dtrain.rates.suggestion import Curve, Suggestion

ODD_NAMES = ["$", "a_b^{c", "$x_1$ \\frac", "[red]no[/]", "\x1b[31mred\n", "very long " * 30]
STEPS = {
    "learning_rate": np.linspace(0.1, 0.01, 200, dtype=np.float32),
    "momentum": np.linspace(0.95, 0.85, 200, dtype=np.float32),
    "gradient_norm": np.geomspace(10, 0.1, 200, dtype=np.float32),
}


def metrics(epochs: int) -> list[dict[str, Any]]:
    """Validation loss is lowest in the third epoch."""
    return [
        {
            "epoch": 1 + i,
            "loss": 2 / (1 + i),
            "accuracy": i / 100,
            "val_loss": 1 + (i - 2) ** 2,
            "val_accuracy": i / 200,
        }
        for i in range(epochs)
    ]


def lines(figure: Figure, label: str) -> dict[str, Any]:
    """The drawn lines of one panel by their names in the legend."""
    (axes,) = [axes for axes in figure.axes if axes.get_ylabel() == label]
    return {str(line.get_label()): line for line in axes.get_lines()}


def points(line: Any) -> list[tuple[float, float]]:
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_curves_hold_every_epoch_and_mark_the_best() -> None:
    drawn = lines(curves_figure(metrics(4), STEPS, "title"), "cross-entropy loss")
    assert points(drawn["training"]) == [(1, 2), (2, 1), (3, 2 / 3), (4, 0.5)]
    assert points(drawn["validation"]) == [(1, 5), (2, 2), (3, 1), (4, 2)]
    assert points(drawn["lowest validation loss: epoch 3"]) == [(3, 1)]
    drawn = lines(curves_figure(metrics(4), STEPS, "title"), "accuracy")
    assert points(drawn["training"]) == [(1, 0), (2, 0.01), (3, 0.02), (4, 0.03)]
    assert points(drawn["validation"]) == [(1, 0), (2, 0.005), (3, 0.01), (4, 0.015)]
    assert points(drawn["lowest validation loss: epoch 3"]) == [(3, 0.01)]


def test_training_and_validation_differ_without_colour() -> None:
    drawn = lines(curves_figure(metrics(4), STEPS, ""), "accuracy")
    assert drawn["training"].get_linestyle() != drawn["validation"].get_linestyle()


def test_rates_and_momenta_are_drawn_step_by_step() -> None:
    figure = curves_figure(metrics(2), STEPS, "")
    for label, name in (("learning rate", "learning_rate"), ("momentum", "momentum")):
        drawn = lines(figure, label)["each step"]
        np.testing.assert_array_equal(drawn.get_xdata(), np.arange(1, 201))
        np.testing.assert_array_equal(drawn.get_ydata(), STEPS[name])


@pytest.mark.parametrize("momentum", [{}, {"momentum": np.full(200, 0.9)}])
def test_where_momentum_does_not_change_the_gradient_norm_is_drawn(momentum: dict[str, npt.NDArray[Any]]) -> None:
    figure = curves_figure(metrics(2), {**STEPS, "momentum": np.array([])} | momentum, "")
    drawn = lines(figure, "gradient norm")
    np.testing.assert_array_equal(drawn["each step"].get_ydata(), STEPS["gradient_norm"])
    assert figure.axes[3].get_yscale() == "log"
    smoothed = points(drawn["mean of 4 steps"])
    assert smoothed[10] == pytest.approx((12.5, STEPS["gradient_norm"][10:14].mean()))


@pytest.mark.parametrize(
    ("rates", "scale"),
    [
        (np.geomspace(0.1, 0.0001, 200), "log"),
        (np.geomspace(0.1, 0.01, 200), "linear"),
        (OneCycle().learning_rates(np.arange(200), Plan(200, 1, 0.1)), "linear"),
    ],
    ids=["three decades", "one decade", "a cycle, which falls off only at its end"],
)
def test_the_learning_rate_is_logarithmic_when_most_of_it_spans_more_than_100_times(
    rates: npt.NDArray[Any], scale: str
) -> None:
    assert curves_figure(metrics(1), STEPS | {"learning_rate": rates}, "").axes[2].get_yscale() == scale


def test_one_epoch_is_visible_and_a_hundred_are_not_crowded() -> None:
    one, hundred = (lines(curves_figure(metrics(epochs), STEPS, ""), "accuracy") for epochs in (1, 100))
    assert [one["training"].get_marker(), hundred["training"].get_marker()] == ["o", ""]


@pytest.mark.parametrize("gradient_norm", [np.zeros(200), np.full(200, np.nan), np.full(200, np.inf)])
def test_curves_of_a_diverged_run_can_be_drawn(tmp_path: Path, gradient_norm: npt.NDArray[Any]) -> None:
    steps = {"learning_rate": np.zeros(200), "gradient_norm": gradient_norm}
    save(curves_figure(metrics(1), steps, "diverged"), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").exists()


def test_confusion_counts_stand_in_their_cells_coloured_by_share() -> None:
    matrix = np.array([[6, 2, 0], [0, 0, 0], [1, 1, 2]])
    axes = confusion_figure(matrix, ["a", "b", "c"], "").axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(column, row): str(matrix[row, column]) for row in range(3) for column in range(3)}
    shares = np.array([[0.75, 0.25, 0], [0, 0, 0], [0.25, 0.25, 0.5]])
    np.testing.assert_array_equal(axes.images[0].get_array(), shares)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]


def test_a_hundred_classes_have_no_counts_and_fewer_names() -> None:
    axes = confusion_figure(np.eye(100, dtype=int), [f"class {i}" for i in range(100)], "").axes[0]
    assert not axes.texts
    assert [label.get_text() for label in axes.get_xticklabels()][:3] == ["class 0", "class 4", "class 8"]


def test_a_gallery_shows_the_first_24_images_with_their_captions() -> None:
    images = np.random.default_rng(0).random((30, 5, 4))
    shown = [axes for axes in gallery_figure(images, [[f"caption {i}"] for i in range(30)], "").axes if axes.images]
    assert [axes.texts[0].get_text().strip() for axes in shown] == [f"caption {i}" for i in range(24)]
    for axes, image in zip(shown, images, strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)


def test_each_line_of_a_caption_is_cut_on_its_own() -> None:
    caption = ("a tall ship with many sails", "taken for a container ship in a harbour", "97% sure, #722")
    first, second, third = gallery_figure(np.zeros((1, 4, 4)), [caption], "").axes[0].texts[0].get_text().split("\n")
    assert first.startswith("a tall ship") and first.endswith("sails")
    assert second.startswith("taken for ") and second.endswith("harbour")
    assert third == "97% sure, #722"
    assert max(map(len, (first, second))) <= 24


def test_the_scale_of_the_confusion_colours_is_told() -> None:
    assert "square-root scale" in confusion_figure(np.eye(2, dtype=int), ["a", "b"], "").axes[1].get_ylabel()


@pytest.mark.parametrize(
    "shape, size", [((1, 28, 28), (280, 555)), ((24, 28, 28), (970, 1110)), ((7, 32, 32, 3), (510, 1110))]
)
def test_gallery_files_decode_with_the_size_of_their_grid(
    tmp_path: Path, shape: tuple[int, ...], size: tuple[int, int]
) -> None:
    save(gallery_figure(np.full(shape, 0.5), [["caption"]] * shape[0], "title"), tmp_path / "gallery.png")
    assert matplotlib.image.imread(tmp_path / "gallery.png").shape[:2] == size


@pytest.mark.parametrize("epochs", [1, 100])
def test_curve_files_decode_with_1100_x_800_pixels(tmp_path: Path, epochs: int) -> None:
    save(curves_figure(metrics(epochs), STEPS, "title"), tmp_path / "curves.png")
    assert matplotlib.image.imread(tmp_path / "curves.png").shape[:2] == (800, 1100)
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_row_105_odd_names_are_shown_as_they_are(tmp_path: Path, name: str) -> None:
    save(curves_figure(metrics(2), STEPS, name), tmp_path / "curves.png")
    save(confusion_figure(np.eye(2, dtype=int), [name, "b"], name), tmp_path / "confusion.png")
    save(gallery_figure(np.zeros((1, 4, 4)), [[name]], name), tmp_path / "gallery.png")
    for picture in tmp_path.iterdir():
        assert matplotlib.image.imread(picture).std() > 0


def test_a_formula_in_a_name_is_not_typeset() -> None:
    name = "$x_1$"
    for figure in (
        curves_figure(metrics(1), STEPS, name),
        confusion_figure(np.eye(2, dtype=int), [name, "b"], name),
        gallery_figure(np.zeros((1, 4, 4)), [[name]], name),
    ):
        named = [text for text in figure.findobj(Text) if isinstance(text, Text) and name in text.get_text()]
        assert named
        assert not any(text.get_parse_math() for text in named)


RATES = np.geomspace(1e-3, 1, 4)
FALLING = np.array([3.0, 2.0, 1.0])
RATE_CURVE = Curve(1, FALLING, FALLING / 2, True, "", Marks(1e-2, 1e-3, 1e-3, 1e-2, 0.1))


def test_rates_hold_both_curves_the_rules_and_the_suggestion() -> None:
    figure = rates_figure([RATE_CURVE], RATES, Suggestion(0.02, "", 0.1), "")
    drawn = lines(figure, "cross-entropy loss")
    assert figure.axes[0].get_xscale() == "log"
    np.testing.assert_array_equal(drawn["batch loss"].get_ydata(), FALLING)
    np.testing.assert_array_equal(drawn["smoothed, one line a seed"].get_ydata(), FALLING / 2)
    assert points(drawn["steepest descent"]) == [pytest.approx((1e-2, 1.0))]
    assert points(drawn["minimum / 10"]) == [pytest.approx((1e-3, 1.5))]
    assert {"valley", "slide"} <= set(drawn)
    assert list(drawn["suggestion 0.02"].get_xdata()) == [0.02, 0.02]


def test_brief_trainings_at_each_rate_have_points_and_no_rules() -> None:
    figure = rates_figure(
        [Curve(1, FALLING, FALLING, False, "", None, constant=True)], RATES, Suggestion(0.02, "", 0.1), ""
    )
    drawn = lines(figure, "cross-entropy loss")
    assert set(drawn) == {"end of a brief training at each rate, one line a seed", "suggestion 0.02"}


def test_row_54_a_refusal_is_drawn_with_its_reason() -> None:
    nothing = Curve(2, np.array([]), np.array([]), True, "diverges at once", None)
    for curves in ([nothing], [RATE_CURVE, nothing]):
        figure = rates_figure(curves, RATES, Suggestion(None, "$why$", None), "")
        assert figure.axes[0].get_title() == "no suggestion: $why$"
        assert not any("suggestion" in str(line.get_label()) for line in figure.axes[0].get_lines())

"""Where a base is cut, and what is said when it cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import pytest

from dtrain.experiment.transfer import Transfer
from dtrain.ground.errors import ConfigError, ModelFileError
from dtrain.reuse.base import read_outline
from dtrain.reuse.cutting import check_inputs, check_reuse, cut
from dtrain.reuse.files import read_model_file
from tests.reuse.grafts import residual_base, save_base
from tests.reuse.helpers import load_base


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_base(tmp_path / "base.keras")


def problem(path: Path, **fields: object) -> str:
    with pytest.raises(ConfigError) as caught:
        cut(load_base(path), Transfer.model_validate(fields))
    (one,) = caught.value.problems
    return f"{one} ({one.hint})"


def test_all_is_everything_below_the_output(base: Path) -> None:
    whole = cut(load_base(base), Transfer())
    assert (whole.hidden, whole.dropped, whole.end) == (("low", "middle", "high"), (), "high")
    behind = ("middle", "normalized", "cut_off", "dropped")
    assert whole.groups == (("flatten", "low"), behind, ("high",))


@pytest.mark.parametrize("reuse", [2, "middle", "dropped"])
def test_a_number_or_a_name_keeps_what_stands_behind_the_layer(base: Path, reuse: int | str) -> None:
    lower = cut(load_base(base), Transfer(reuse=reuse))
    assert (lower.hidden, lower.dropped, lower.end) == (("low", "middle"), ("high",), "dropped")


def test_the_name_of_what_stands_behind_a_layer_cuts_there(base: Path) -> None:
    assert cut(load_base(base), Transfer(reuse="normalized")).end == "normalized"


def test_row_47_more_layers_than_there_are(base: Path) -> None:
    said = problem(base, reuse=4)
    assert "transfer.reuse: got 4; expected all or 1 to 3, the hidden layers of base.keras" in said
    assert "1 low 248, 2 middle 56, 3 high 48" in said
    assert "transfer.unfreeze: got 3; expected 1 to 2" in problem(base, reuse=2, unfreeze=3)


def test_row_47_a_layer_that_is_not_there(base: Path) -> None:
    assert "did you mean 'middle'?" in problem(base, reuse="midle")


@pytest.mark.parametrize(("reuse", "said"), [(4, "got 4; expected all or 1 to 3"), ("midle", "did you mean 'middle'?")])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_row_47_what_is_not_there_is_known_before_the_model_is_built(
    suffix: str, reuse: int | str, said: str, tmp_path: Path
) -> None:
    outline = read_outline(read_model_file(save_base(tmp_path / f"base.{suffix}")))
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        check_reuse(outline, Transfer(reuse=reuse))
    assert "1 low 248, 2 middle 56, 3 high 48" in caught.value.problems[0].hint
    for there in ("all", 3, "dropped"):
        check_reuse(outline, Transfer(reuse=there))


def test_a_residual_base_is_cut_between_its_branches(tmp_path: Path) -> None:
    path = residual_base(tmp_path / "base.keras")
    assert cut(load_base(path), Transfer()).end == "sum"
    assert cut(load_base(path), Transfer(reuse=1)).end == "trunk"
    assert "cut behind one of trunk, sum" in problem(path, reuse="inside")


def test_an_output_alone_is_nothing_to_reuse(tmp_path: Path) -> None:
    path = save_base(tmp_path / "base.keras", [keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(ModelFileError, match="one layer with weights, its output; expected a hidden layer"):
        cut(load_base(path), Transfer())


def test_row_48_images_of_another_shape(base: Path) -> None:
    with pytest.raises(ModelFileError, match=r"shape \(6, 5\); expected \(28, 28\)"):
        check_inputs(load_base(base), (28, 28))


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (30,)])
def test_one_channel_may_be_left_out_and_pixels_may_stand_in_a_row(tmp_path: Path, shape: tuple[int, ...]) -> None:
    check_inputs(load_base(save_base(tmp_path / "base.keras", shape=shape)), (6, 5))

"""The transfer section: which layers train when, and at which rate."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dtrain.experiment.spec import Experiment
from dtrain.experiment.transfer import Stage, Transfer


def stages(reused: int = 5, **fields: object) -> list[tuple[int, int]]:
    """Unfrozen layers and epochs of each stage."""
    return [(one.unfrozen, one.epochs) for one in Transfer.model_validate(fields).stages(reused, 0.1)]


def test_first_frozen_then_everything_at_a_tenth_of_the_rate() -> None:
    assert Transfer().stages(5, 0.5) == (Stage("frozen", 0, 4, 0.5), Stage("unfrozen", 5, 16, 0.05))


def test_rates_that_are_given_stay() -> None:
    chosen = Transfer(frozen_learning_rate=0.5, unfrozen_learning_rate=0.2)
    assert [one.learning_rate for one in chosen.stages(5, 0.1)] == [0.5, 0.2]


def test_the_top_alone() -> None:
    assert stages(unfreeze=2) == [(0, 4), (2, 16)]
    assert Transfer(unfreeze=2).stages(5, 0.1)[1].name == "top 2 unfrozen"


def test_gradually_from_the_top_with_the_rest_of_the_epochs_at_the_end() -> None:
    assert stages(unfreeze="gradual") == [(0, 4), (1, 3), (2, 3), (3, 3), (4, 3), (5, 4)]


def test_gradually_with_fewer_epochs_than_layers() -> None:
    assert stages(unfreeze="gradual", unfrozen_epochs=2) == [(0, 4), (3, 1), (5, 1)]


def test_a_stage_without_epochs_is_left_out() -> None:
    assert stages(frozen_epochs=0) == [(5, 16)]
    assert stages(unfrozen_epochs=0, unfreeze="gradual") == [(0, 4)]


@pytest.mark.parametrize(
    "fields",
    [
        {"reuse": 0},
        {"reuse": ""},
        {"unfreeze": 0},
        {"unfreeze": "most"},
        {"hidden": [0]},
        {"frozen_epochs": -1},
        {"frozen_learning_rate": 0.0},
        {"frozen_epochs": 0, "unfrozen_epochs": 0},
        {"layers": 3},
    ],
)
def test_row_47_what_cannot_be(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Experiment.model_validate({"transfer": fields})

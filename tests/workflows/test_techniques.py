"""`techniques`: all families, or the one that was asked for."""

from __future__ import annotations

import pytest

from dtrain.experiment.config.schema import families
from dtrain.ground.errors import UsageError
from dtrain.workflows.techniques import techniques


def test_all_families_or_one() -> None:
    everything = techniques()
    assert everything.whole and [one.key for one in everything.families] == list(families())
    (schedule,) = techniques("schedule").families
    assert "one_cycle" in [one.kind for one in schedule.kinds]


@pytest.mark.parametrize(
    ("family", "said", "hint"),
    [
        ("optimizers", "did you mean 'optimizer'?", ""),
        ("adam", "got 'adam'; expected one of", "'adam' is a kind of 'optimizer': `dtrain techniques optimizer`"),
        ("xyzzy", "'regularizer'", ""),
    ],
)
def test_an_unknown_family(family: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        techniques(family)
    (problem,) = caught.value.problems
    assert said in problem.message
    assert problem.hint == hint

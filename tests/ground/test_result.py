"""Results: one line in a list, rows and data frames of their tables."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dtrain.ground.errors import EnvironmentProblem, UsageError
from dtrain.ground.result import Result


@dataclass(frozen=True)
class Share:
    """A number with its interval."""

    mean: float
    ends: dict[str, float]


@dataclass(frozen=True, repr=False)
class Found(Result, brief="folder share.mean seeds", tables="epochs shares"):
    """A result with a table of mappings and one with names."""

    folder: Path
    share: Share
    seeds: tuple[int, ...]
    epochs: tuple[dict[str, Any], ...]
    shares: dict[str, Share]


HALF = Share(0.512345, {"low": 0.4, "high": 0.6})
FOUND = Found(Path("runs/a"), HALF, (1, 2), ({"epoch": 1, "loss": None},), {"best": HALF})


def test_it_is_one_line_in_a_list() -> None:
    assert repr([FOUND]) == "[Found(folder='runs/a', share.mean=0.5123, seeds=(1, 2))]"


def test_rows_are_flat() -> None:
    assert FOUND.rows() == [{"epoch": 1, "loss": None}]
    assert FOUND.rows("shares") == [{"name": "best", "mean": 0.512345, "ends.low": 0.4, "ends.high": 0.6}]


@dataclass(frozen=True, repr=False)
class Several(Result, brief="", tables="epochs"):
    """Several results."""

    runs: tuple[Found, ...]


def test_a_table_that_only_its_runs_have_is_all_of_theirs() -> None:
    assert Several((FOUND, FOUND)).rows() == [*FOUND.rows(), *FOUND.rows()]


def test_a_table_that_it_does_not_have() -> None:
    with pytest.raises(UsageError, match=r"^Found\.rows: got 'share'; expected .*; did you mean 'shares'\?"):
        FOUND.rows("share")


def test_a_frame_is_made_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", cast(Any, SimpleNamespace(DataFrame=lambda rows: ("frame", rows))))
    assert FOUND.to_frame("shares") == ("frame", FOUND.rows("shares"))


def test_without_pandas_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", cast(Any, None))
    with pytest.raises(EnvironmentProblem, match="pandas is missing") as caught:
        FOUND.to_frame()
    assert "`pip install pandas`" in caught.value.problems[0].hint

"""The known name that is meant by a mistyped one."""

from __future__ import annotations

import pytest

from dtrain.ground.errors import did_you_mean, mistyped, nearest

OPTIMIZERS = ["sgd", "adagrad", "adam", "adamax", "nadam", "adamw", "lion", "lamb"]


@pytest.mark.parametrize(
    ("received", "meant"),
    [("adma", "adam"), ("adm", "adam"), ("addam", "adam"), ("adan", "adam"), ("Adam", "adam"), ("nadma", "nadam")],
)
def test_one_slip_of_the_keyboard_is_undone(received: str, meant: str) -> None:
    assert mistyped(received, OPTIMIZERS) == meant


def test_two_letters_are_only_known_when_swapped() -> None:
    assert mistyped("1l", ["l2", "l1"]) == "l1"
    assert mistyped("l3", ["l2", "l1"]) == ""


def test_what_is_no_slip_may_still_be_alike() -> None:
    assert mistyped("batch", ["batch_size"]) == ""
    assert nearest("batch", ["epochs", "batch_size"]) == "batch_size"
    assert did_you_mean("xyzzy", OPTIMIZERS) == nearest("a", []) == ""


def test_names_of_any_length_are_compared_at_once() -> None:
    assert nearest("x" * 5000, ["y" * 5000] * 100) == ""

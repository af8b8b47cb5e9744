"""A wrong key finds the right one by its name elsewhere, by the initials of its words, or by likeness."""

from __future__ import annotations

import pytest

from dtrain.experiment.config.schema import Schema, every_key, experiment_schema, kinds_of, resolved
from dtrain.experiment.config.suggestions import guess_key, guess_kind, guess_mapping

ROOT = list(experiment_schema()["properties"])


@pytest.mark.parametrize(
    ("received", "own", "meant"),
    [
        ("lr", ROOT, "did you mean 'optimizer.learning_rate'"),
        ("LR", ["learning_rate", "momentum"], "did you mean 'learning_rate'"),
        ("bs", ROOT, "did you mean 'training.batch_size'"),
        ("batch", ROOT, "did you mean 'training.batch_size'"),
        ("epochs", ROOT, "did you mean 'training.epochs'"),
        ("learning-rate", ["epochs", "batch_size"], "did you mean 'optimizer.learning_rate'"),
        ("patience", ["epochs"], "did you mean 'schedule.patience' or 'training.early_stopping.patience'"),
        ("optimiser", ROOT, "did you mean 'optimizer'"),
        ("dropout", ROOT, "'dropout' is a kind of 'regularizer'"),
        ("xyzzy", ROOT, ""),
    ],
)
def test_row_07_unknown_key_finds_the_one_that_is_meant(received: str, own: list[str], meant: str) -> None:
    assert guess_key(received, own).strip("; ?") == meant


def test_keys_within_lists_and_kinds_are_known() -> None:
    assert {("regularizer", "rate"), ("optimizer", "beta_1"), ("network", "filters"), ("seed",)} < set(every_key())


def kinds(family: str) -> dict[str, Schema]:
    schema = resolved(experiment_schema()["properties"][family])
    return kinds_of(resolved(schema.get("items", schema)))


@pytest.mark.parametrize(
    ("family", "received", "meant"),
    [
        ("activation", "silu", "swish"),
        ("activation", "hard_silu", "hard_swish"),
        ("activation", "SELU", "selu"),
        ("optimizer", "AdamW", "adamw"),
        ("normalization", "layer-norm", "layer_norm"),
    ],
)
def test_a_kind_is_found_by_the_other_name_that_it_is_known_by(family: str, received: str, meant: str) -> None:
    assert guess_kind(received, kinds(family)) == f"; did you mean {meant!r}?"


def test_nothing_is_guessed_where_no_kind_is_like_it() -> None:
    assert guess_kind("xyzzy", kinds("activation")) == ""


@pytest.mark.parametrize(
    ("family", "written", "meant"),
    [
        ("optimizer", {"adam": {"learning_rate": 0.1}}, "; did you mean {kind: adam, learning_rate: 0.1}?"),
        ("optimizer", {"adam": 0.1}, "; did you mean {kind: adam, ...}?"),
        ("optimizer", {"adam": None}, "; did you mean {kind: adam}?"),
        ("regularizer", {"dropout": 0.3}, "; did you mean {kind: dropout, rate: 0.3}?"),
        (
            "regularizer",
            {"dropout": 0.3, "layers": "last"},
            "; did you mean {kind: dropout, rate: 0.3, layers: 'last'}?",
        ),
        ("regularizer", {"rate": 0.3}, ""),
        ("regularizer", {"l1": 0.3, "l2": 0.3}, ""),
        ("regularizer", 3, ""),
    ],
)
def test_a_kind_that_stands_as_a_key(family: str, written: object, meant: str) -> None:
    assert guess_mapping(written, kinds(family)) == meant

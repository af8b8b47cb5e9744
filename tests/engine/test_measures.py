"""Measures: a new one is an entry of the table, epochs are made of steps, and what is not finite is a divergence."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dtrain.data.prepare import Data
from dtrain.engine import measures
from dtrain.engine.measures import Measure, are_finite
from dtrain.engine.state import StepLog
from tests.engine.test_training import Watcher, train, trainer_of

STEPS = {"measure": np.array([1.0, 2.0, 6.0]), "examples": np.array([16, 16, 8])}


@pytest.mark.parametrize(("made", "expected"), [("examples", 2.4), ("steps", 3.0), ("last", 6.0)])
def test_an_epoch_is_made_of_its_steps(made: str, expected: float) -> None:
    assert Measure("measure", of_epoch=made).over(STEPS) == pytest.approx(expected)  # type: ignore[arg-type]


def test_what_steps_do_not_have_an_epoch_has_not_either() -> None:
    assert Measure("momentum", of_epoch="last").over(STEPS) is None


@pytest.mark.parametrize("kept", [True, False])
def test_a_new_measure_is_one_entry(kept: bool, data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = Measure("largest", lambda step: tf.reduce_max(tf.abs(step.weights[0])), kept=kept)
    monkeypatch.setattr(measures, "MEASURES", (*measures.MEASURES, largest))
    trainer = trainer_of(data, Watcher(), epochs=1)
    before = np.abs(trainer._engine.model.get_weights()[0]).max()
    history = trainer.train()
    measured = trainer.state().steps["largest"]
    assert measured[0] == before
    assert history.epochs[0]["largest"] == pytest.approx(measured.mean())
    assert ("largest" in history.steps) == kept


def test_measures_do_not_change_what_is_trained(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _, _ = train(data, epochs=1)
    monkeypatch.setattr(measures, "MEASURES", (*measures.MEASURES, Measure("one", lambda step: tf.constant(1.0))))
    more, _, _ = train(data, epochs=1)
    assert more.epochs[0].pop("one") == 1
    assert more.epochs == plain.epochs


def test_a_run_folder_keeps_what_it_always_kept(data: Data) -> None:
    history, _, _ = train(data, epochs=1)
    kept = {"loss", "accuracy", "learning_rate", "momentum", "gradient_norm"}
    assert history.steps.keys() == kept
    assert history.epochs[0].keys() == kept | {"epoch", "step", "penalty", "val_loss", "val_accuracy"}


def test_steps_of_another_stage_may_have_other_measures() -> None:
    log = StepLog()
    log.append({"loss": np.ones(2), "error": np.ones(2)})
    log.append({"loss": np.zeros(1), "accuracy": np.ones(1), "examples": np.ones(1)})
    kept = log.kept({"examples"})
    assert {name: values.tolist() for name, values in kept.items()} == {
        "loss": [1, 1, 0],
        "error": [1, 1, pytest.approx(np.nan, nan_ok=True)],
        "accuracy": [pytest.approx(np.nan, nan_ok=True)] * 2 + [1],
    }
    assert log.since(2).keys() == {"loss", "accuracy", "examples"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_step_is_finite_where_all_that_it_measured_is(value: float) -> None:
    records = {"loss": np.array([1, value, 1]), "penalty": np.zeros(3), "norm": np.array([1, 1, -value])}
    assert are_finite(records).tolist() == [True, False, False]

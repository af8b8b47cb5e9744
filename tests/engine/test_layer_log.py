"""Layers are measured at the first ten steps and the last of each epoch, and training goes on as if they were not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtrain.data.prepare import Data
from dtrain.engine.layer_log import LayerLog
from dtrain.engine.state import History
from dtrain.engine.training import Trainer
from tests.engine.test_training import Watcher, compiled, trainer_of

WRITTEN: dict[str, Any] = {
    "network": [12, 8],
    "activation": "relu",
    "normalization": "batch_norm",
    "regularizer": "dropout",
    "schedule": "one_cycle",
}


def watched(data: Data, *, measures: str | None, epochs: int = 4) -> tuple[History, Watcher, Trainer]:
    watcher = Watcher()
    trainer = trainer_of(data, watcher, epochs=epochs, measures=measures, **WRITTEN)
    return trainer.train(), watcher, trainer


def test_the_first_steps_and_the_last_whole_one_of_each_epoch_are_measured(data: Data) -> None:
    found = watched(data, measures="layers")[0].layers
    assert found["step"].tolist() == [*range(1, 11), 14, 19]
    assert found["layers"].tolist() == ["dense_1", "dense_2", "output"]
    assert found["units"].tolist() == [12, 8, 10]
    assert found["normalizations"].tolist() == ["batch_norm_1", "batch_norm_2"]
    assert found["gradient_norm"].shape == (12, 3) and found["mean_lag"].shape == (12, 2)
    ended = np.isfinite(found["dead_units"]).all(axis=1)
    assert found["step"][ended].tolist() == [5, 10, 14, 19]
    assert (found["update_ratio"] > 0).all() and (found["saturated"][:, :2] > 0).all()


def test_the_update_is_what_the_step_changed(data: Data) -> None:
    history, watcher, _ = watched(data, measures="layers")
    before, after = (watcher.states[number].variables[0] for number in (6, 7))
    assert watcher.states[7].step == 8
    ratio = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert history.layers["update_ratio"][7, 0] == pytest.approx(ratio, rel=1e-5)
    assert history.layers["weight_norm"][7, 0] == pytest.approx(np.linalg.norm(before), rel=1e-5)


def test_training_goes_on_as_if_nothing_were_measured(data: Data) -> None:
    plain, _, trainer = watched(data, measures=None)
    weights = [one.numpy() for one in trainer._engine.variables]
    measured, _, again = watched(data, measures="layers")
    assert (plain.layers, plain.epochs) == ({}, measured.epochs)
    np.testing.assert_equal(measured.steps, plain.steps)
    assert all(map(np.array_equal, weights, (one.numpy() for one in again._engine.variables)))


def test_going_on_from_any_border_measures_what_training_through_does(data: Data) -> None:
    history, watcher, trainer = watched(data, measures="layers", epochs=3)
    assert len(watcher.states) >= 13
    for state in watcher.states[:: len(watcher.states) // 5]:
        trainer.restore(state)
        np.testing.assert_equal(trainer.train().layers, history.layers)


def test_another_stage_measures_its_own_first_steps(data: Data) -> None:
    history, _, trainer = watched(data, measures="layers", epochs=3)
    experiment = trainer._experiment
    watcher = Watcher()
    whole = Trainer(experiment, data, *compiled(experiment, data), watcher, trainer).train()
    assert whole.layers["step"].tolist() == [*history.layers["step"].tolist(), *range(16, 26), 29]
    resumed = Trainer(experiment, data, *compiled(experiment, data), Watcher())
    resumed.restore(next(state for state in watcher.states if state.step == 18))
    np.testing.assert_equal(resumed.train().layers, whole.layers)


def test_an_epoch_of_less_than_a_batch_has_a_last_step_too(data: Data) -> None:
    trainer = trainer_of(data, Watcher(), epochs=1, measures="layers", **WRITTEN)
    engine = trainer._engine
    engine.choose(np.arange(9))
    log = LayerLog(engine, first_step=-100)
    assert log.next_cut(0, 0) == 1
    engine.choose(np.arange(70))
    assert [log.next_cut(0, start) for start in range(5)] == [3, 3, 3, 4, 5]

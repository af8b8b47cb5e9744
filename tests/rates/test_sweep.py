"""The range test against an engine that plays back given losses."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from dtrain.engine.epoch import Engine, FloatArray
from dtrain.rates.sweep import record_losses

FALLING = np.linspace(2.3, 1.0, 300)
RATES = np.geomspace(1e-6, 10, 300)


class Recording:
    """Plays back losses, penalties and gradient norms, for data of three batches."""

    examples, batch_size, steps_per_epoch = 70, 32, 3

    def __init__(self, **records: FloatArray) -> None:
        self.records = {"loss": FALLING, "penalty": np.zeros(300), "gradient_norm": np.ones(300)} | records
        self.calls: list[tuple[int, int, list[float]]] = []

    def train(self, order: Any, rates: FloatArray, momenta: Any, seed: int, first: int, start: int, stop: int) -> Any:
        """Returns what the steps measured."""
        self.calls.append((first + start, first + stop, rates[start:stop].tolist()))
        part = slice(first + start, first + stop)
        return {name: values[part] for name, values in self.records.items()}


def record(engine: Recording, rates: FloatArray = RATES) -> FloatArray:
    return record_losses(cast(Engine, engine), 1, rates, None, lambda step, steps: None)


def test_data_of_three_batches_is_gone_round_with_every_rate_once() -> None:
    engine = Recording()
    np.testing.assert_array_equal(record(engine, RATES[:200]), FALLING[:200])
    assert [rate for _, _, rates in engine.calls for rate in rates] == RATES[:200].tolist()


@pytest.mark.parametrize("name", ["loss", "penalty", "gradient_norm"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_losses_end_before_the_first_step_with_anything_not_finite(name: str, value: float) -> None:
    values = np.ones(300)
    values[100:] = value
    engine = Recording(**{name: values})
    assert len(record(engine)) == 100
    assert engine.calls[-1][1] == 102


def test_a_divergence_ends_the_test_within_a_chunk() -> None:
    engine = Recording(loss=np.where(np.arange(300) < 120, FALLING, 50.0))
    assert 120 < len(record(engine)) <= 170


def test_at_one_rate_a_training_may_recover_from_its_first_steps() -> None:
    losses = np.where((np.arange(300) > 2) & (np.arange(300) < 60), 50.0, FALLING)
    np.testing.assert_array_equal(record(Recording(loss=losses), np.full(300, 0.1)), losses)


def test_losses_are_smoothed_a_few_times_however_short_the_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr("dtrain.rates.sweep.divergence_step", lambda smoothed: looks.append(len(smoothed)))
    long = Recording(loss=np.ones(3000), penalty=np.zeros(3000), gradient_norm=np.ones(3000))
    record(long, np.geomspace(1e-6, 10, 3000))
    assert 10 <= len(looks) <= 20

"""Every schedule against its closed form at every step, and performance scheduling against Keras."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from pydantic import TypeAdapter

from dtrain.experiment.techniques.schedule_technique import Plan, ScheduleTechnique
from dtrain.experiment.techniques.schedules import OneCycle, Performance, Piecewise, Plateau, Schedule

PLAN = Plan(steps_per_epoch=7, epochs=6, learning_rate=0.2, momentum=0.9)
STEPS = np.arange(PLAN.total_steps)
SCHEDULES = [str(kind.model_fields["kind"].default) for kind in ScheduleTechnique.__subclasses__()]


def rates(**fields: object) -> np.ndarray:
    """The rate of every step of PLAN."""
    schedule: Schedule = TypeAdapter(Schedule).validate_python(fields)
    return schedule.learning_rates(STEPS, PLAN)


CLOSED_FORMS = [
    ({"kind": "constant"}, lambda step: 0.2),
    ({"kind": "power", "decay_steps": 10}, lambda step: 0.2 / (1 + step / 10)),
    ({"kind": "power", "decay_steps": 10, "power": 0.5}, lambda step: 0.2 / math.sqrt(1 + step / 10)),
    ({"kind": "exponential", "decay_epochs": 2.0}, lambda step: 0.2 * 10 ** (-step / 14)),
    ({"kind": "exponential", "decay_epochs": 2.0, "every": "epoch"}, lambda step: 0.2 * 10 ** (-(step // 7) / 2)),
    ({"kind": "exponential", "decay_rate": 0.5, "decay_epochs": 1.0}, lambda step: 0.2 * 0.5 ** (step / 7)),
    (
        {"kind": "piecewise", "boundaries": (2, 4), "values": (0.3, 0.2, 0.1)},
        lambda step: 0.3 if step < 14 else 0.2 if step < 28 else 0.1,
    ),
    ({"kind": "performance"}, lambda step: 0.2),
]


@pytest.mark.parametrize(("fields", "closed_form"), CLOSED_FORMS)
def test_rates_equal_the_closed_form_at_every_step(fields: dict[str, object], closed_form: object) -> None:
    assert callable(closed_form)
    np.testing.assert_allclose(rates(**fields), [closed_form(int(step)) for step in STEPS], rtol=1e-12)


@pytest.mark.parametrize(
    ("fields", "theirs"),
    [
        ({"kind": "power", "decay_steps": 10}, keras.optimizers.schedules.InverseTimeDecay(0.2, 10, 1.0)),
        ({"kind": "exponential", "decay_epochs": 2.0}, keras.optimizers.schedules.ExponentialDecay(0.2, 14, 0.1)),
        (
            {"kind": "exponential", "decay_epochs": 1.0, "every": "epoch"},
            keras.optimizers.schedules.ExponentialDecay(0.2, 7, 0.1, staircase=True),
        ),
        ({"kind": "cosine"}, keras.optimizers.schedules.CosineDecay(0.2, 42)),
        ({"kind": "cosine", "alpha": 0.1}, keras.optimizers.schedules.CosineDecay(0.2, 42, alpha=0.1)),
        (
            {"kind": "cosine_restarts", "first_epochs": 5 / 7, "m_mul": 0.8, "alpha": 0.1},
            keras.optimizers.schedules.CosineDecayRestarts(0.2, 5, t_mul=2.0, m_mul=0.8, alpha=0.1),
        ),
        (
            {"kind": "cosine_restarts", "first_epochs": 1.0, "t_mul": 1.0},
            keras.optimizers.schedules.CosineDecayRestarts(0.2, 7, t_mul=1.0),
        ),
        (
            {"kind": "polynomial", "power": 2.0, "end_learning_rate": 0.01},
            keras.optimizers.schedules.PolynomialDecay(0.2, 42, 0.01, power=2.0),
        ),
    ],
)
def test_rates_equal_the_schedules_of_keras(fields: dict[str, object], theirs: object) -> None:
    assert callable(theirs)
    np.testing.assert_allclose(rates(**fields), [float(theirs(step)) for step in STEPS], rtol=1e-5, atol=1e-8)


def test_a_warm_up_is_that_of_keras_without_its_first_step_at_rate_zero() -> None:
    theirs = keras.optimizers.schedules.CosineDecay(0.0, 42 - 14, warmup_target=0.2, warmup_steps=15)
    found = rates(kind="cosine", warmup=2.0)
    np.testing.assert_allclose(found, [float(theirs(step + 1)) for step in STEPS], rtol=1e-5)


@pytest.mark.parametrize("written", [{"kind": kind} for kind in SCHEDULES], ids=SCHEDULES)
def test_any_schedule_follows_its_own_course_behind_a_warm_up(written: dict[str, object]) -> None:
    schedule: Schedule = TypeAdapter(Schedule).validate_python(written | {"warmup": 1.0})
    shorter = Plan(PLAN.steps_per_epoch, PLAN.epochs - 1, PLAN.learning_rate, PLAN.momentum)
    alone: Schedule = TypeAdapter(Schedule).validate_python(written)
    course, momenta = alone.learning_rates(np.arange(35), shorter), alone.momenta(np.arange(35), shorter)
    found, found_momenta = schedule.learning_rates(STEPS, PLAN), schedule.momenta(STEPS, PLAN)
    assert momenta is not None and found_momenta is not None
    np.testing.assert_allclose(found, [*(course[0] * np.arange(1, 8) / 8), *course])
    np.testing.assert_allclose(found_momenta, [*[momenta[0]] * 7, *momenta])


def test_a_training_shorter_than_its_warm_up_only_rises() -> None:
    found = rates(kind="one_cycle", warmup=9.0)
    assert np.isfinite(found).all() and (np.diff(found) > 0).all()


def test_one_cycle_rises_and_falls_linearly_in_equal_halves_and_ends_far_lower() -> None:
    plan = Plan(steps_per_epoch=101, epochs=1, learning_rate=0.5, momentum=0.9)
    found = OneCycle().learning_rates(np.arange(101), plan)
    expected = [
        0.05 + 0.45 * step / 45
        if step <= 45
        else 0.5 - 0.45 * (step - 45) / 45
        if step <= 90
        else 0.05 - (0.05 - 0.00005) * (step - 90) / 10
        for step in range(101)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_one_cycle_momentum_goes_down_while_the_rate_goes_up_and_is_held_at_the_end() -> None:
    plan = Plan(steps_per_epoch=101, epochs=1, learning_rate=0.5, momentum=0.9)
    found = OneCycle().momenta(np.arange(101), plan)
    assert found is not None
    expected = [
        0.95 - 0.1 * step / 45 if step <= 45 else 0.85 + 0.1 * (step - 45) / 45 if step <= 90 else 0.95
        for step in range(101)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_one_cycle_in_cosine_form_follows_two_half_cosines() -> None:
    plan = Plan(steps_per_epoch=101, epochs=1, learning_rate=0.5, momentum=0.9)
    schedule = OneCycle(form="cosine", maximum=1.0)
    found, momenta = schedule.learning_rates(np.arange(101), plan), schedule.momenta(np.arange(101), plan)
    assert momenta is not None
    for step in range(101):
        rising = step < 30
        share = step / 30 if rising else (step - 30) / 70
        first, last = (0.1, 1.0) if rising else (1.0, 0.0001)
        low, high = (0.95, 0.85) if rising else (0.85, 0.95)
        falling = (1 + math.cos(math.pi * share)) / 2
        assert found[step] == pytest.approx(last + (first - last) * falling)
        assert momenta[step] == pytest.approx(high + (low - high) * falling)


def test_there_is_no_momentum_where_the_optimizer_has_none() -> None:
    plan = Plan(steps_per_epoch=5, epochs=1, learning_rate=0.1)
    assert OneCycle().momenta(np.arange(5), plan) is None


def test_momentum_stays_where_the_schedule_does_not_cycle_it() -> None:
    np.testing.assert_array_equal(Piecewise().momenta(STEPS, PLAN), np.full(len(STEPS), 0.9))


def test_a_cycle_of_a_single_step_is_finite() -> None:
    plan = Plan(steps_per_epoch=1, epochs=1, learning_rate=0.1, momentum=0.9)
    for form in ("linear", "cosine"):
        assert np.isfinite(OneCycle(form=form).learning_rates(np.arange(1), plan)).all()


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_performance_reduces_when_keras_does(patience: int) -> None:
    losses = [1.0, 0.8, 0.81, 0.80, 0.79995, 0.7, 0.7, 0.7, 0.7, 0.9, 0.6, 0.61, 0.62, 0.63]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.2), loss="mse")
    callback = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=patience, min_delta=1e-4, min_lr=0.03)
    callback.set_model(model)
    callback.on_train_begin()
    schedule, plateau = Performance(factor=0.5, patience=patience, min_delta=1e-4, min_lr=0.03), Plateau()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        plateau = schedule.update(plateau, loss, learning_rate=0.2)
        assert 0.2 * plateau.multiplier == pytest.approx(float(model.optimizer.learning_rate), rel=1e-6)
    assert plateau.multiplier < 1

"""Epochs, early stopping, performance scheduling and divergence, on real images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from dtrain.data.prepare import Data
from dtrain.engine import measures
from dtrain.engine.epoch import Engine
from dtrain.engine.evaluation import Evaluator
from dtrain.engine.model import build_model
from dtrain.engine.objectives import Classification
from dtrain.engine.state import EpochMetrics, History, Patience, TrainingState
from dtrain.engine.training import CHUNK_STEPS, Pace, Trainer
from dtrain.experiment.draft import EarlyStopping
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DivergedError


class Watcher:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.epochs: list[EpochMetrics] = []
        self.progress: list[int] = []
        self.states: list[TrainingState] = []

    def on_progress(self, step: int) -> None:
        """Remembers the step."""
        self.progress.append(step)

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Remembers the metrics."""
        self.epochs.append(metrics)

    def on_border(self, take_state: Callable[[], TrainingState], *, last: bool) -> None:
        """Remembers the state."""
        self.states.append(take_state())


COMPILED: dict[str, tuple[Engine, Evaluator]] = {}


def compiled(experiment: Experiment, data: Data) -> tuple[Engine, Evaluator]:
    """What trains and measures, at the experiment's first weights; compiled once for equal layers and optimizers."""
    model = build_model(experiment, data.image_shape, 10, experiment.seed)
    measured = [(one.name, one.kept) for one in measures.MEASURES]
    traced = f"{measured} {experiment.model_dump_json(exclude={'seed', 'schedule', 'training'})}"
    if traced not in COMPILED:
        engine = Engine(
            model, experiment.optimizer.build(), Classification("softmax"), data.train, data.scaling, 16, "graph"
        )
        COMPILED[traced] = engine, Evaluator(model, Classification("softmax"), data.scaling)
    COMPILED[traced][0].start_over(model.get_weights())
    return COMPILED[traced]


def trainer_of(
    data: Data,
    watcher: Watcher,
    epochs: int = 3,
    early_stopping: object = None,
    schedule_epochs: int | None = None,
    measures: str | None = None,
    **written: Any,
) -> Trainer:
    plain = {"network": [12], "schedule": "constant", "regularizer": []}
    training = {"epochs": epochs, "early_stopping": early_stopping, "schedule_epochs": schedule_epochs}
    training |= {"measures": measures}
    experiment = Experiment.model_validate(plain | written | {"training": training | {"batch_size": 16}})
    return Trainer(experiment, data, *compiled(experiment, data), watcher)


def train(data: Data, **written: Any) -> tuple[History, Engine, Watcher]:
    trainer = trainer_of(data, watcher := Watcher(), **written)
    return trainer.train(), trainer._engine, watcher


def test_metrics_are_the_means_of_the_steps(data: Data) -> None:
    history, _, watcher = train(data, epochs=2, regularizer="l2")
    assert history.epochs == tuple(watcher.epochs)
    assert [one["step"] for one in history.epochs] == [5, 10]
    sizes = [16, 16, 16, 16, 6]
    last = history.epochs[1]
    assert last["loss"] == pytest.approx(np.average(history.steps["loss"][5:], weights=sizes), rel=1e-6)
    assert last["accuracy"] == pytest.approx(np.average(history.steps["accuracy"][5:], weights=sizes), rel=1e-6)
    assert last["gradient_norm"] == pytest.approx(history.steps["gradient_norm"][5:].mean(), rel=1e-6)
    assert last["penalty"] > 0


def test_training_learns(data: Data) -> None:
    history, _, _ = train(data, epochs=8)
    assert history.epochs[-1]["loss"] < 0.5 * history.epochs[0]["loss"]


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(data: Data) -> None:
    histories, weights = [], []
    for seed in (1, 1, 2):
        history, engine, _ = train(data, epochs=2, regularizer="dropout", seed=seed)
        histories.append(history.epochs)
        weights.append(engine.model.get_weights())
    assert histories[0] == histories[1] != histories[2]
    assert all(map(np.array_equal, weights[0], weights[1]))


def test_every_epoch_has_an_order_of_its_own(data: Data) -> None:
    orders = []
    original = Engine.train

    def remember(self: Engine, order: Any, *rest: Any) -> Any:
        orders.append(order)
        return original(self, order, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "train", remember)
        train(data, epochs=2)
    assert sorted(orders[0]) == list(range(70))
    assert (orders[0] != orders[-1]).any()


def test_rates_and_momenta_are_recorded_for_every_step(data: Data) -> None:
    history, _, _ = train(data, epochs=2, schedule="one_cycle")
    assert history.steps["learning_rate"].shape == (10,)
    assert history.steps["learning_rate"].max() == pytest.approx(0.02, rel=0.2)
    assert history.steps["momentum"][0] == pytest.approx(0.95)
    assert history.epochs[-1]["momentum"] == pytest.approx(0.95)


def test_optimizers_without_momentum_record_none(data: Data) -> None:
    history, _, _ = train(data, epochs=1, optimizer="adam", schedule="one_cycle")
    assert "momentum" not in history.steps
    assert history.epochs[0]["momentum"] is None


def metrics(epoch: int, val_loss: float) -> EpochMetrics:
    return {"epoch": epoch, "val_loss": val_loss, "val_accuracy": 1 - val_loss}


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
@pytest.mark.parametrize(
    "losses", [[0.5, 0.4, 0.41, 0.405, 0.3], [0.5, 0.6, 0.7, 0.1], [0.5, 0.4, 0.3, 0.2], [0.4, 0.38]]
)
def test_early_stopping_stops_when_keras_does(monitor: str, losses: list[float]) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.stop_training = False
    mode = "min" if monitor == "val_loss" else "max"
    callback = keras.callbacks.EarlyStopping(monitor, patience=2, min_delta=0.03, mode=mode)
    callback.set_model(model)
    callback.on_train_begin()
    patience = Patience(EarlyStopping.model_validate({"monitor": monitor, "patience": 2, "min_delta": 0.03}))
    for epoch, loss in enumerate(losses, start=1):
        callback.on_epoch_end(epoch - 1, {"val_loss": loss, "val_accuracy": 1 - loss})
        patience.update(metrics(epoch, loss), [])
        stop = patience.ends_after(epoch)
        assert stop == bool(model.stop_training)
        assert patience.best_epoch == callback.best_epoch + 1
        if stop:
            break


WORSENING = {"kind": "piecewise", "boundaries": [3], "values": [0.02, 2.0]}
"""Good epochs, then steps so large that they undo them."""


@pytest.mark.parametrize("patience", [1, 50])
def test_the_best_weights_are_restored_whether_stopped_early_or_not(patience: int, data: Data) -> None:
    history, engine, watcher = train(data, epochs=6, early_stopping={"patience": patience}, schedule=WORSENING)
    assert (len(history.epochs) < 6) == (patience == 1)
    best = min(watcher.epochs, key=lambda one: one["val_loss"])
    assert history.best_epoch == best["epoch"] < len(watcher.epochs)
    found = Evaluator(engine.model, Classification("softmax"), data.scaling).evaluate(data.validation)
    assert found.loss == pytest.approx(best["val_loss"], rel=1e-6)


def test_without_early_stopping_the_last_weights_are_kept(data: Data) -> None:
    history, engine, _ = train(data, epochs=6, schedule=WORSENING)
    found = Evaluator(engine.model, Classification("softmax"), data.scaling).evaluate(data.validation)
    assert found.loss == pytest.approx(history.epochs[-1]["val_loss"], rel=1e-6)


PERFORMANCE = {"kind": "performance", "patience": 1, "min_delta": 1e9}
"""The first measurement is the best there is; none after it is better enough."""


def test_performance_scheduling_halves_the_rate_after_an_epoch_without_improvement(data: Data) -> None:
    history, _, _ = train(data, epochs=3, schedule=PERFORMANCE)
    rates = history.steps["learning_rate"].reshape(3, 5)
    np.testing.assert_allclose(rates, 0.02 * np.array([[1], [1], [0.5]]) * np.ones((3, 5)), rtol=1e-6)


def test_performance_scheduling_every_few_steps_counts_across_epochs(data: Data) -> None:
    history, _, _ = train(data, epochs=2, schedule=PERFORMANCE | {"every_steps": 3})
    np.testing.assert_allclose(
        history.steps["learning_rate"], 0.02 * 0.5 ** np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2]), rtol=1e-6
    )


def test_final_statistics_are_made_from_the_whole_training_set(data: Data) -> None:
    normalization = {"kind": "batch_norm", "inputs": True, "final_statistics": "full_pass"}
    _, engine, _ = train(data, epochs=1, normalization=normalization)
    images = data.scaling.apply(data.train.images).reshape(70, 784)
    layer = engine.model.get_layer("batch_norm_0")
    np.testing.assert_allclose(layer.moving_mean, images.mean(axis=0), atol=1e-5)


def test_row_70_divergence_names_step_rate_and_gradient(data: Data) -> None:
    with pytest.raises(
        DivergedError, match=r"step \d+, epoch 1: loss .* gradient norm .* at learning rate 1e\+15; the loss before was"
    ) as caught:
        train(data, epochs=5, activation="leaky_relu", optimizer={"kind": "sgd", "learning_rate": 1e15})
    assert "global_clipnorm" in caught.value.problems[0].hint


def test_progress_is_reported_in_chunks(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtrain.engine.training.CHUNK_STEPS", 2)
    monkeypatch.setattr("dtrain.engine.training.CHUNK_SECONDS", np.inf)
    monkeypatch.setattr("dtrain.engine.training.FIRST_CHUNK_STEPS", 2)
    cut = train(data, epochs=2, regularizer="dropout")
    assert cut[2].progress == [2, 4, 5, 7, 9, 10]
    monkeypatch.undo()
    whole = train(data, epochs=2, regularizer="dropout")
    assert cut[0].epochs == whole[0].epochs


def test_slow_steps_make_short_chunks() -> None:
    pace, lengths = Pace(), []
    for seconds_a_step in (30.0, 0.15, 0.15, 0.15, 0.15, 0.15, 2.0, 1e-4, 1e-4):
        lengths.append(pace.chunk_steps)
        pace.measure(pace.chunk_steps, pace.chunk_steps * seconds_a_step)
    assert lengths == [1, 1, 2, 4, 6, 6, 6, 1, 2]


def test_fast_steps_soon_make_the_longest_chunks() -> None:
    pace = Pace()
    for _ in range(10):
        pace.measure(pace.chunk_steps, pace.chunk_steps * 1e-4)
    assert pace.chunk_steps == CHUNK_STEPS


def test_row_71_a_weight_that_is_not_finite_is_named_where_the_loss_does_not_show_it(data: Data) -> None:
    class Saboteur(Watcher):
        def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
            trainer._engine.model.get_layer("dense_1").bias.assign(np.full(12, np.inf))

    trainer = trainer_of(data, Saboteur(), epochs=2)
    with pytest.raises(DivergedError, match="step 5: dense_1/bias is no longer finite"):
        trainer.train()


RESUMED = {
    "sgd, momentum and 1cycle": {"schedule": "one_cycle"},
    "nadam and plateau, measured between steps": {
        "optimizer": "nadam",
        "schedule": {"kind": "performance", "patience": 1, "min_delta": 1e9, "every_steps": 3},
    },
    "dropout and batch norm": {"normalization": "batch_norm", "regularizer": [{"kind": "dropout", "rate": 0.2}]},
    "early stopping": {"early_stopping": {"patience": 1}, "schedule": WORSENING},
    "averaged weights": {"optimizer": {"kind": "adam", "use_ema": True}},
}


@pytest.mark.parametrize("written", RESUMED.values(), ids=RESUMED)
def test_row_88_going_on_from_any_border_ends_where_training_through_does(
    written: dict[str, Any], data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtrain.engine.training.CHUNK_STEPS", 2)
    watcher, epochs = Watcher(), 6 if "early_stopping" in written else 2
    trainer, again = (trainer_of(data, one, epochs=epochs, **written) for one in (watcher, Watcher()))
    history = trainer.train()
    ended = [variable.numpy() for variable in trainer._engine.variables]
    assert len(watcher.states) >= 6
    for number, state in enumerate(watcher.states):
        # the chunks of another version of dtrain may be longer
        monkeypatch.setattr("dtrain.engine.training.CHUNK_STEPS", 2 + number % 3)
        again.restore(state)
        resumed = again.train()
        assert resumed.epochs == history.epochs
        assert (resumed.best_epoch, resumed.began) == (history.best_epoch, (0,))
        np.testing.assert_equal(resumed.steps, history.steps)
        assert all(map(np.array_equal, ended, (variable.numpy() for variable in again._engine.variables)))


def test_behind_its_schedule_a_training_holds_the_last_rate(data: Data) -> None:
    short = train(data, epochs=2, schedule="one_cycle")[0].steps
    long = train(data, epochs=3, schedule="one_cycle", schedule_epochs=2)[0].steps
    for name in ("loss", "learning_rate", "momentum"):
        np.testing.assert_array_equal(long[name][:10], short[name])
    assert set(long["learning_rate"][10:]) == {short["learning_rate"][-1]}


def test_an_average_of_the_weights_is_validated_and_kept_while_training_goes_on_without_it(data: Data) -> None:
    plain, _, _ = train(data, optimizer={"kind": "adam"})
    averaged, engine, _ = train(data, optimizer={"kind": "adam", "use_ema": True})
    np.testing.assert_allclose(averaged.steps["loss"], plain.steps["loss"], rtol=1e-5)
    kept = Evaluator(engine.model, Classification("softmax"), data.scaling).evaluate(data.validation)
    assert averaged.epochs[-1]["val_loss"] == kept.loss != plain.epochs[-1]["val_loss"]


def test_the_best_weights_are_the_best_average(data: Data) -> None:
    stopping = {"patience": 3, "monitor": "val_loss"}
    history, engine, _ = train(data, early_stopping=stopping, optimizer={"kind": "lion", "use_ema": True})
    kept = Evaluator(engine.model, Classification("softmax"), data.scaling).evaluate(data.validation)
    assert kept.loss == min(one["val_loss"] for one in history.epochs)

"""The arms: against Keras step by step, frozen layers that stay, and seeds that are paired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dtrain.data.prepare import Data
from dtrain.engine.epoch import Engine
from dtrain.engine.state import EpochMetrics, History, TrainingState
from dtrain.engine.training import Trainer, epoch_order
from dtrain.experiment.transfer import Arm
from dtrain.reuse.grafting import Graft, Weights
from dtrain.studies.transfer_arms import Cell, Design, labelled_images
from dtrain.studies.transfer_source import Source
from dtrain.trials.request import RunOptions
from dtrain.trials.training import train_stages
from dtrain.trials.workshop import Workshop
from tests.reuse.conftest import reader_in_this_process as reader_in_this_process
from tests.reuse.grafts import graft_of, save_base
from tests.workflows.test_run import Listener

ARMS: tuple[Arm, ...] = ("random", "scratch", "transfer")
EXPERIMENT: dict[str, Any] = {
    "dataset": {"classes": [0, 1], "train_limit": 48},
    "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "schedule": "constant",
    "training": {"batch_size": 16, "early_stopping": None, "engine": "graph"},
    "transfer": {"frozen_epochs": 1, "unfrozen_epochs": 2},
}


@dataclass
class Log:
    """Keeps what it is told, and a state at each border."""

    stages: list[str] = field(default_factory=list)
    states: list[TrainingState] = field(default_factory=list)

    def on_stage(self, name: str, trainer: Trainer) -> None:
        """Keeps the name."""
        self.stage = name

    def on_epoch(self, metrics: EpochMetrics, seconds: float) -> None:
        """Keeps stage, epoch, step and rate."""
        self.stages.append(f"{self.stage} {metrics['epoch']} {metrics['step']} {metrics['learning_rate']:g}")

    def on_progress(self, step: int) -> None:
        """Ignores the step."""

    def on_border(self, take_state: Callable[[], TrainingState], *, last: bool) -> None:
        """Keeps the state."""
        self.states.append(take_state())


@dataclass
class Arms:
    """The arms of a graft, all trained in one workshop."""

    graft: Graft
    pool: Data
    workshop: Workshop

    @property
    def design(self) -> Design:
        source = Source(self.graft.base, self.graft.experiment, self.pool, "", ())
        return Design(source, self.graft, self.graft.experiment, ARMS, (4, 5))

    def train(self, arm: Arm, seed: int, log: Log | None = None) -> tuple[Weights, History]:
        """Returns final weights and what was measured."""
        trial = self.design.trial(Cell(arm, seed))
        compiled = trial.compiled(self.workshop)
        history = train_stages(trial, compiled, log or Log())
        return compiled.model.get_weights(), history


@pytest.fixture(scope="module")
def pool(data: Data) -> Data:
    """Two classes, in images of 6 x 5 pixels."""

    def small(part: str) -> object:
        split = getattr(data, part)
        few = split.labels < 2
        return replace(split, images=split.images[few][:, 10:16, 10:15], labels=split.labels[few])

    parts = {part: small(part) for part in ("train", "validation", "test")}
    # the fixture's training part is small: the validation images are the pool
    parts["train"] = parts["validation"]
    return replace(data, **parts, class_names=("a", "b"), image_shape=(6, 5))  # type: ignore[arg-type]


@pytest.fixture
def graft(tmp_path: Path) -> Graft:
    return graft_of(save_base(tmp_path / "base.keras"), **EXPERIMENT)


def arms_of(graft: Graft, pool: Data) -> Arms:
    return Arms(graft, pool, Workshop(RunOptions(), Listener()))


def test_seeds_choose_other_images_and_the_same_ones_again() -> None:
    first = labelled_images(3, 1000, 200)
    assert len(set(first.tolist())) == 200 and first.tolist() == sorted(first)
    assert np.array_equal(first, labelled_images(3, 1000, 200))
    # of two draws of 200 from 1,000, about 40 are in both
    assert 20 < len(np.intersect1d(first, labelled_images(4, 1000, 200))) < 60
    assert labelled_images(3, 1000, None).tolist() == list(range(1000))


def test_a_frozen_stage_and_a_free_one_take_the_steps_that_keras_takes(tmp_path: Path, pool: Data) -> None:
    plain = [keras.layers.Flatten(name="flatten"), keras.layers.Dense(8, "tanh", name="low")]
    path = save_base(tmp_path / "base.keras", [*plain, keras.layers.Dense(3, name="output")])
    # 40 images end with a partial batch
    graft = graft_of(path, **EXPERIMENT | {"dataset": {"classes": [0, 1], "train_limit": 40}})
    trained, _ = arms_of(graft, pool).train("transfer", 5)

    model, chosen = graft.build(5), labelled_images(5, len(pool.train.labels), 40)
    model.set_weights(graft.first_weights(5))
    images, labels = pool.scaling.apply(pool.train.images[chosen]), pool.train.labels[chosen]
    for unfrozen, rate, epochs in ((0, 0.1, [0]), (1, 0.01, [1, 2])):
        graft.freeze(model, unfrozen)
        model.compile(keras.optimizers.SGD(rate, momentum=0.9), "binary_crossentropy", run_eagerly=True)
        for epoch in epochs:
            order = epoch_order(5, epoch, 40)
            for batch in (order[:16], order[16:32], order[32:]):
                model.train_on_batch(images[batch], labels[batch])
    for ours, theirs in zip(trained, model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("arm", ["transfer", "random"])
@pytest.mark.parametrize("statistics", ["moving", "full_pass"])
def test_frozen_layers_and_their_statistics_do_not_move(statistics: str, arm: Arm, tmp_path: Path, pool: Data) -> None:
    normalization = {"kind": "batch_norm", "final_statistics": statistics}
    graft = graft_of(save_base(tmp_path / "base.keras"), **EXPERIMENT | {"normalization": normalization})
    only_frozen = graft.experiment.transfer.model_copy(update={"unfrozen_epochs": 0})  # type: ignore[union-attr]
    graft = replace(graft, experiment=graft.experiment.model_copy(update={"transfer": only_frozen}))
    before = replace(graft, reused=arm == "transfer").first_weights(5)
    after, _ = arms_of(graft, pool).train(arm, 5)
    moved = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    # three dense layers and batch normalization, 2 + 1 + 4 + 2 arrays, then the output
    assert moved == 9 * [False] + 2 * [True]


def test_at_no_border_of_a_frozen_stage_has_a_byte_of_the_base_moved(graft: Graft, pool: Data) -> None:
    log = Log()
    arms_of(graft, pool).train("transfer", 5, log)
    frozen = [state for state in log.states if len(state.began) == 1]
    first = graft.first_weights(5)
    model = graft.build(5)
    places = [number for number, one in enumerate(model.weights) if one.path.split("/")[0] != "output"]
    paths = [one.path for one in model.variables]
    assert frozen and len(places) == 9
    for state in frozen:
        weights = dict(zip(paths, state.variables, strict=False))
        for place in places:
            assert weights[model.weights[place].path].tobytes() == first[place].tobytes()


def test_a_full_pass_measures_new_and_unfrozen_statistics_alone(tmp_path: Path, pool: Data) -> None:
    section = {"reuse": "middle", "hidden": [4], "unfreeze": 1, "frozen_epochs": 1, "unfrozen_epochs": 0}
    normalization = {"kind": "batch_norm", "final_statistics": "full_pass"}
    settings = EXPERIMENT | {"transfer": section, "normalization": normalization}
    graft = graft_of(save_base(tmp_path / "base.keras"), **settings)
    before, (after, _) = graft.first_weights(5), arms_of(graft, pool).train("transfer", 5)
    moved = {
        weight.path
        for weight, old, new in zip(graft.build(5).weights, before, after, strict=True)
        if "moving" in weight.path and not np.array_equal(old, new)
    }
    assert len(moved) == 2 and not any("normalized" in path for path in moved)
    section |= {"unfrozen_epochs": 1}
    after, _ = arms_of(graft_of(tmp_path / "base.keras", **settings), pool).train("transfer", 5)
    assert all(not np.array_equal(*pair) for pair in zip(before[3:9], after[3:9], strict=True))


def test_unfrozen_statistics_do_move(graft: Graft, pool: Data) -> None:
    before = graft.first_weights(5)
    after, _ = arms_of(graft, pool).train("transfer", 5)
    moved = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert moved == 11 * [True]


def test_arms_and_seeds_leave_nothing_behind(graft: Graft, pool: Data) -> None:
    used, fresh = arms_of(graft, pool), arms_of(graft, pool)
    for arm in ARMS:
        used.train(arm, 4)
    (again, measured), (first, expected) = used.train("transfer", 5), fresh.train("transfer", 5)
    assert all(map(np.array_equal, again, first))
    assert measured.epochs == expected.epochs


def test_three_arms_share_two_engines(graft: Graft, pool: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Engine] = []

    def counted(*arguments: Any) -> Engine:
        built.append(Engine(*arguments))
        return built[-1]

    monkeypatch.setattr("dtrain.engine.epoch.Engine", counted)
    arms = arms_of(graft, pool)
    for arm in ARMS:
        arms.train(arm, 5)
    assert len(built) == 2


def test_row_34_classes_that_no_labelled_image_shows(graft: Graft, pool: Data) -> None:
    assert arms_of(graft, pool).design.missing_classes(5) == ()
    one = graft.experiment.dataset.model_copy(update={"train_limit": 1})
    alone = replace(graft, experiment=graft.experiment.model_copy(update={"dataset": one}))
    assert len(arms_of(alone, pool).design.missing_classes(5)) == 1


def test_epochs_and_steps_are_counted_over_the_stages(graft: Graft, pool: Data) -> None:
    log, other = Log(), Log()
    arms = arms_of(graft, pool)
    arms.train("random", 5, log)
    assert log.stages == ["frozen 1 3 0.1", "unfrozen 2 6 0.01", "unfrozen 3 9 0.01"]
    arms.train("scratch", 5, other)
    assert other.stages == ["scratch 1 3 0.1", "scratch 2 6 0.1", "scratch 3 9 0.1"]


def test_a_stage_that_stops_early_is_counted_as_it_was(tmp_path: Path, pool: Data) -> None:
    stopping = {"patience": 1, "min_delta": 1e9, "monitor": "val_accuracy"}
    training = EXPERIMENT["training"] | {"early_stopping": stopping}
    transfer = {"frozen_epochs": 5, "unfrozen_epochs": 5}
    graft = graft_of(save_base(tmp_path / "base.keras"), **EXPERIMENT | {"training": training, "transfer": transfer})
    _, history = arms_of(graft, pool).train("transfer", 5)
    # nothing is better than the first epoch by so much: each stage has one more
    assert [one["epoch"] for one in history.epochs] == [1, 2, 3, 4]
    assert [one["step"] for one in history.epochs] == [3, 6, 9, 12]
    assert (history.best_epoch, history.began) == (3, (0, 2))

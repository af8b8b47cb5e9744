"""The arms: against Keras step by step, frozen statistics that stay, and seeds that are paired."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dtrain.data.prepare import Data
from dtrain.engine.epoch import Engine
from dtrain.engine.state import EpochMetrics
from dtrain.engine.training import epoch_order
from dtrain.experiment.transfer import Arm, Stage
from dtrain.reuse.grafting import Graft
from dtrain.trials.arms import Arms, labelled_images
from tests.reuse.conftest import reader_in_this_process as reader_in_this_process
from tests.reuse.grafts import graft_of, save_base

ARMS: tuple[Arm, ...] = ("random", "scratch", "transfer")
EXPERIMENT: dict[str, Any] = {
    "dataset": {"classes": [0, 1], "train_limit": 40},
    "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "schedule": "constant",
    "training": {"batch_size": 16, "early_stopping": None},
    "transfer": {"frozen_epochs": 1, "unfrozen_epochs": 2},
}


class Log:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def on_epoch(self, stage: Stage, metrics: EpochMetrics, seconds: float) -> None:
        """Keeps stage, epoch, step and rate."""
        self.stages.append(f"{stage.name} {metrics.epoch} {metrics.step} {metrics.learning_rate:g}")


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
    return Arms(graft.experiment, graft, pool, "graph")


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
    graft = graft_of(path, **EXPERIMENT)
    trained = arms_of(graft, pool).train("transfer", 5, Log())

    model, chosen = graft.build(5), labelled_images(5, len(pool.train.labels), 40)
    model.set_weights(graft.first_weights(5, reused=True))
    images, labels = pool.scaling.apply(pool.train.images[chosen]), pool.train.labels[chosen]
    for unfrozen, rate, epochs in ((0, 0.1, [0]), (1, 0.01, [1, 2])):
        graft.freeze(model, unfrozen)
        model.compile(keras.optimizers.SGD(rate, momentum=0.9), "binary_crossentropy", run_eagerly=True)
        for epoch in epochs:
            order = epoch_order(5, epoch, 40)
            for batch in (order[:16], order[16:32], order[32:]):
                model.train_on_batch(images[batch], labels[batch])
    for ours, theirs in zip(trained.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("arm", ["transfer", "random"])
@pytest.mark.parametrize("statistics", ["moving", "full_pass"])
def test_frozen_layers_and_their_statistics_do_not_move(statistics: str, arm: Arm, tmp_path: Path, pool: Data) -> None:
    normalization = {"kind": "batch_norm", "final_statistics": statistics}
    graft = graft_of(save_base(tmp_path / "base.keras"), **EXPERIMENT | {"normalization": normalization})
    only_frozen = graft.experiment.transfer.model_copy(update={"unfrozen_epochs": 0})  # type: ignore[union-attr]
    graft = replace(graft, experiment=graft.experiment.model_copy(update={"transfer": only_frozen}))
    before = graft.first_weights(5, reused=arm == "transfer")
    after = arms_of(graft, pool).train(arm, 5, Log()).weights
    moved = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    # three dense layers and batch normalization, 2 + 1 + 4 + 2 arrays, then the output
    assert moved == 9 * [False] + 2 * [True]


def test_a_full_pass_measures_new_and_unfrozen_statistics_alone(tmp_path: Path, pool: Data) -> None:
    section = {"reuse": "middle", "hidden": [4], "unfreeze": 1, "frozen_epochs": 1, "unfrozen_epochs": 0}
    normalization = {"kind": "batch_norm", "final_statistics": "full_pass"}
    settings = EXPERIMENT | {"transfer": section, "normalization": normalization}
    graft = graft_of(save_base(tmp_path / "base.keras"), **settings)
    arms = arms_of(graft, pool)
    before, after = graft.first_weights(5, reused=True), arms.train("transfer", 5, Log()).weights
    moved = {
        weight.path
        for weight, old, new in zip(arms.model.weights, before, after, strict=True)
        if "moving" in weight.path and not np.array_equal(old, new)
    }
    assert len(moved) == 2 and not any("normalized" in path for path in moved)
    section |= {"unfrozen_epochs": 1}
    graft = graft_of(tmp_path / "base.keras", **settings)
    after = arms_of(graft, pool).train("transfer", 5, Log()).weights
    assert all(not np.array_equal(*pair) for pair in zip(before[3:9], after[3:9], strict=True))


def test_unfrozen_statistics_do_move(graft: Graft, pool: Data) -> None:
    before = graft.first_weights(5, reused=True)
    after = arms_of(graft, pool).train("transfer", 5, Log()).weights
    moved = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert moved == 11 * [True]


def test_arms_and_seeds_leave_nothing_behind(graft: Graft, pool: Data) -> None:
    used, fresh = arms_of(graft, pool), arms_of(graft, pool)
    for arm in ARMS:
        used.train(arm, 4, Log())
    again = used.train("transfer", 5, Log())
    first = fresh.train("transfer", 5, Log())
    assert all(map(np.array_equal, again.weights, first.weights))
    assert again.epochs == first.epochs


def test_three_arms_share_two_engines(graft: Graft, pool: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Engine] = []

    def counted(*arguments: Any) -> Engine:
        built.append(Engine(*arguments))
        return built[-1]

    monkeypatch.setattr("dtrain.trials.arms.Engine", counted)
    arms = arms_of(graft, pool)
    for arm in ARMS:
        arms.train(arm, 5, Log())
    assert len(built) == 2


def test_row_34_classes_that_no_labelled_image_shows(graft: Graft, pool: Data) -> None:
    assert arms_of(graft, pool).missing_classes(5) == ()
    one = graft.experiment.dataset.model_copy(update={"train_limit": 1})
    alone = replace(graft, experiment=graft.experiment.model_copy(update={"dataset": one}))
    assert len(arms_of(alone, pool).missing_classes(5)) == 1


def test_epochs_and_steps_are_counted_over_the_stages(graft: Graft, pool: Data) -> None:
    log, other = Log(), Log()
    arms = arms_of(graft, pool)
    arms.train("random", 5, log)
    assert log.stages == ["frozen 1 3 0.1", "unfrozen 2 6 0.01", "unfrozen 3 9 0.01"]
    arms.train("scratch", 5, other)
    assert other.stages == ["scratch 1 3 0.1", "scratch 2 6 0.1", "scratch 3 9 0.1"]


def test_a_stage_that_stops_early_is_counted_as_it_was(tmp_path: Path, pool: Data) -> None:
    stopping = {"batch_size": 16, "early_stopping": {"patience": 1, "min_delta": 1e9, "monitor": "val_accuracy"}}
    transfer = {"frozen_epochs": 5, "unfrozen_epochs": 5}
    graft = graft_of(save_base(tmp_path / "base.keras"), **EXPERIMENT | {"training": stopping, "transfer": transfer})
    trained = arms_of(graft, pool).train("transfer", 5, Log())
    # nothing is better than the first epoch by so much: each stage has one more
    assert [one.epoch for one in trained.epochs] == [1, 2, 3, 4]
    assert [one.step for one in trained.epochs] == [3, 6, 9, 12]
    assert (trained.best_epoch, trained.stopped_early) == (3, True)

"""Bases of a few units, as Keras would load them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from dtrain.experiment.spec import Experiment
from dtrain.reuse.base import Base
from dtrain.reuse.cutting import cut
from dtrain.reuse.grafting import Graft
from tests.reuse.helpers import load_base

SHAPE = (6, 5)


def dense_layers() -> list[Any]:
    """Three hidden layers, the second with batch normalization and dropout behind it."""
    return [
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(8, "selu", name="low"),
        keras.layers.Dense(7, use_bias=False, name="middle"),
        keras.layers.BatchNormalization(name="normalized"),
        keras.layers.ReLU(name="cut_off"),
        keras.layers.Dropout(0.5, name="dropped"),
        keras.layers.Dense(6, "tanh", name="high"),
        keras.layers.Dense(4, "softmax", name="output"),
    ]


def save_base(path: Path, layers: list[Any] | None = None, shape: tuple[int, ...] = SHAPE) -> Path:
    """Saves a model whose weights and statistics are all of their own."""
    model = keras.Sequential([keras.Input(shape), *(dense_layers() if layers is None else layers)])
    random = np.random.default_rng(1)
    for weight in model.weights:
        values = random.uniform(-0.3, 0.3, weight.shape)
        weight.assign(np.abs(values) if weight.name == "moving_variance" else values)
    model.save(path)
    return path


def residual_base(path: Path) -> Path:
    """Saves two layers, the second of which is added to the first."""
    images = keras.Input(SHAPE, name="pixels")
    trunk = keras.layers.Dense(8, "relu", name="trunk")(keras.layers.Flatten(name="flatten")(images))
    branch = keras.layers.Dense(8, "relu", name="inside")(trunk)
    branch = keras.layers.Dense(8, name="branch")(branch)
    total = keras.layers.Add(name="sum")([trunk, branch])
    keras.Model(images, keras.layers.Dense(3, "softmax", name="classes")(total)).save(path)
    return path


def graft_of(path: Path, shape: tuple[int, ...] = SHAPE, classes: int = 2, **settings: Any) -> Graft:
    """The graft that an experiment makes of a base."""
    plain = {"regularizer": [], "normalization": "none", "transfer": {}}
    experiment = Experiment.model_validate(plain | settings)
    base: Base = load_base(path)
    assert experiment.transfer
    return Graft(base, cut(base, experiment.transfer), experiment, shape, classes)

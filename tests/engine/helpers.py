"""What the tests of the engine share: a fixed order, rates, and an engine at its first weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtrain.data.prepare import Data
from dtrain.engine.epoch import Compiler, Engine
from dtrain.engine.model import build_model, output_kind
from dtrain.engine.objectives import Classification
from dtrain.experiment.spec import Experiment

BATCH = 16
ORDER = np.random.default_rng(0).permutation(70)
RATES = np.array([0.01, 0.03, 0.02, 0.005, 0.01])
MOMENTA = np.array([0.95, 0.9, 0.85, 0.9, 0.95])


def experiment_of(**settings: Any) -> Experiment:
    """A small experiment; everything not given is plain."""
    plain = {
        "network": [12, 8],
        "optimizer": {"kind": "sgd", "momentum": 0.9},
        "regularizer": [],
        "training": {"batch_size": BATCH},
    }
    return Experiment.model_validate(plain | settings)


def engine_of(experiment: Experiment, data: Data, compiler: Compiler, seed: int = 3) -> Engine:
    """An engine at its first weights."""
    model = build_model(experiment, data.image_shape, len(data.class_names), seed)
    objective = Classification(output_kind(experiment, len(data.class_names)), experiment.training.class_weight)
    return Engine(model, experiment.optimizer.build(), objective, data.train, data.scaling, BATCH, compiler)

"""What is compiled once for many trials, and the fingerprint that says for which."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dtrain.data.prepare import Data
from dtrain.experiment.spec import Experiment

if TYPE_CHECKING:
    from dtrain.engine.epoch import Engine
    from dtrain.engine.evaluation import Evaluation
    from dtrain.trials.network import Network

RUNTIME_INPUTS: dict[str, Any] = {
    # first weights are put into the variables; orders and noise are arguments of each epoch
    "seed": True,
    "initializer": True,
    # rate and momentum of every step are arguments too
    "schedule": True,
    "optimizer": {"learning_rate"},
    # decided between two steps or epochs, or after the last
    "training": {"epochs", "schedule_epochs", "early_stopping", "save", "measures"},
}
"""What may differ between two experiments that share what is compiled; all else, also what is yet to come, may not."""


def fingerprint(experiment: Experiment, network: Network, data: Data) -> str:
    """Returns equal texts for trials that may share what is compiled.

    Args:
        experiment: What is trained, with nothing left to choose.
        network: Its network.
        data: The images, which are part of what is compiled, as is their scaling.
    """
    traced = experiment.model_dump(mode="json", exclude=RUNTIME_INPUTS)
    sizes = [len(data.train.labels), len(data.class_names), data.image_shape]
    scaling = [np.asarray(one).tobytes().hex() for one in (data.scaling.offset, data.scaling.factor)]
    everything = [traced, network.base_digest, data.digest, sizes, scaling]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


class Compiled:
    """One network with its compiled evaluation, and an epoch for each choice of layers that learn.

    Args:
        experiment: What is trained; of its `RUNTIME_INPUTS` nothing is kept.
        network: Builds it.
        data: The images.
    """

    def __init__(self, experiment: Experiment, network: Network, data: Data) -> None:
        from dtrain.engine.evaluation import Evaluator
        from dtrain.engine.model import output_kind
        from dtrain.engine.objectives import Classification

        self._experiment, self._network, self._data = experiment, network, data
        output = output_kind(experiment, len(data.class_names))
        self._objective = Classification(output, experiment.training.class_weight)
        self.model = network.build(experiment.seed)
        self.evaluator = Evaluator(self.model, self._objective, data.scaling)
        self._engines: dict[int, Engine] = {}

    def evaluate(self, data: Data) -> dict[str, Evaluation]:
        """Returns what the model says of each part of the data."""
        parts = {"train": data.train, "validation": data.validation, "test": data.test}
        return {name: self.evaluator.evaluate(part) for name, part in parts.items()}

    def engine(self, unfrozen: int = 0) -> Engine:
        """Returns the epoch in which so many layers of the base learn; which do is decided when it is compiled."""
        from dtrain.engine.epoch import Engine

        self._network.freeze(self.model, unfrozen)
        if unfrozen not in self._engines:
            training = self._experiment.training
            assert training.engine != "auto"
            optimizer, train = self._experiment.optimizer.build(), self._data.train
            self._engines[unfrozen] = Engine(
                self.model, optimizer, self._objective, train, self._data.scaling, training.batch_size, training.engine
            )
        return self._engines[unfrozen]

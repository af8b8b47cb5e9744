"""One trial: an experiment with its seed, the images and the network, and the stages that it is trained in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dtrain.data.prepare import Data, Split
from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.experiment.transfer import Stage
from dtrain.runs.checkpoints import Circumstances
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import Reuse
from dtrain.trials.compiled import Compiled
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.trials.network import Network


@dataclass(frozen=True, eq=False)
class Trial:
    """What is trained, and how.

    Args:
        experiment: With its seed, and nothing left to choose.
        stages: In their order.
        whole: The images; the training part holds all that may be trained on.
        network: The network.
        chosen: Which of the training images are trained on, by their indices; None for all.
        reuse: Its arm and base; None for a network of its own, whose model goes into the run folder.
        models: Where the model of a base's layers goes, if anywhere: how to build it, the run folder does not tell.
    """

    experiment: Experiment
    stages: tuple[Stage, ...]
    whole: Data
    network: Network
    chosen: npt.NDArray[np.int64] | None = None
    reuse: Reuse | None = None
    models: RunFolder | None = None

    @property
    def data(self) -> Data:
        """The images, the training part being those that are trained on."""
        if self.chosen is None:
            return self.whole
        train = Split(self.whole.train.images[self.chosen], self.whole.train.labels[self.chosen])
        return replace(self.whole, train=train)

    @property
    def epochs(self) -> int:
        """Epochs of all stages, where none stops early."""
        return sum(stage.epochs for stage in self.stages)

    def of_stage(self, stage: Stage) -> Experiment:
        """Returns the experiment with epochs and rate of a stage, over which its schedule is planned."""
        if self.reuse is None:
            return self.experiment
        optimizer = self.experiment.optimizer.model_copy(update={"learning_rate": stage.learning_rate})
        training = self.experiment.training.model_copy(update={"epochs": stage.epochs, "schedule_epochs": None})
        return self.experiment.model_copy(update={"optimizer": optimizer, "training": training})

    def compiled(self, workshop: Workshop) -> Compiled:
        """Returns its compiled network, which it may share with other trials."""
        return workshop.compiled(self.experiment, self.network, self.whole)

    def circumstances(self, workshop: Workshop) -> Circumstances:
        """Returns what it happens under when it begins here and now."""
        surroundings = workshop.start().surroundings | {"data": self.whole.digest}
        return Circumstances(dump_experiment(self.experiment), surroundings)

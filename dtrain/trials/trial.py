"""What a trial is, and the way to it from an experiment, after all checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dtrain.data.prepare import Data, Split
from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.fit.findings import check_data
from dtrain.experiment.fit.rule import Facts
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.networks import ConvNetwork
from dtrain.experiment.transfer import Stage
from dtrain.ground.errors import ConfigError
from dtrain.runs.checkpoints import Circumstances
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import Reuse
from dtrain.trials.compiled import Compiled
from dtrain.trials.network import OwnNetwork
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

    @cached_property
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


def prepare_trial(experiment: Experiment, workshop: Workshop) -> Trial:
    """Returns the trial of an experiment with a network of its own, and tells what the user should know of it.

    Args:
        experiment: What to train.
        workshop: Reads the images and starts TensorFlow.

    Raises:
        DtrainError: Data or environment do not allow the experiment.
    """
    if experiment.transfer:
        hint = "reuse a base with `dtrain transfer --base MODEL CONFIG`, or leave the section out"
        raise ConfigError("got a section; expected none, for a network of its own", where="transfer", hint=hint)
    data = workshop.data(experiment.dataset)
    check_fit(experiment, data)
    resolved = workshop.resolved(experiment, convolutional=isinstance(experiment.network, ConvNetwork))
    advised = (one.warning for one in workshop.options.advice)
    for text in (*advised, *experiment.notices(), *data.warnings):
        workshop.observer.on_warning(text)
    return own_trial(resolved, data)


def own_trial(experiment: Experiment, data: Data) -> Trial:
    """Returns the trial of an experiment with a network of its own: one stage in which everything learns.

    Args:
        experiment: What to train, with nothing left to choose.
        data: Its images.
    """
    stage = Stage("", 0, experiment.training.epochs, experiment.optimizer.learning_rate)
    return Trial(experiment, (stage,), data, OwnNetwork(experiment, data.image_shape, len(data.class_names)))


def check_fit(experiment: Experiment, data: Data) -> None:
    """Refuses an experiment that does not fit its data.

    Raises:
        ConfigError: Everything that does not fit.
    """
    check_data(experiment, Facts(len(data.train.labels), data.image_shape, len(data.class_names)))

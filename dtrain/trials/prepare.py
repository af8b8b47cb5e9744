"""From an experiment to its trial, after all checks and before anything is written."""

from __future__ import annotations

from dtrain.data.prepare import Data
from dtrain.experiment.fit.findings import check_data
from dtrain.experiment.fit.rule import Facts
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.networks import ConvNetwork
from dtrain.experiment.transfer import Stage
from dtrain.ground.errors import ConfigError
from dtrain.trials.network import OwnNetwork
from dtrain.trials.trial import Trial
from dtrain.trials.workshop import Workshop


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

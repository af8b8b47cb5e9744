"""One trial: an experiment with its seed, trained stage by stage into a run folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dtrain.data.prepare import Data, Split
from dtrain.engine.shortage import shortage_explained
from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.experiment.transfer import Stage
from dtrain.ground.signals import signals_wait
from dtrain.runs.checkpoints import Checkpoint, Circumstances
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import Reuse, RunResult
from dtrain.trials.compiled import Compiled
from dtrain.trials.observer import Phases
from dtrain.trials.outcome import Outcome
from dtrain.trials.recording import Recorder
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.engine.state import History
    from dtrain.engine.training import StagesObserver
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


def train(trial: Trial, workshop: Workshop, folder: RunFolder, start: Checkpoint | None = None) -> RunResult:
    """Trains into a run folder, which this process owns.

    Args:
        trial: What to train.
        workshop: Where.
        folder: The run folder: a new one, or the one of `start`.
        start: The state to go on from; None begins with the first step.

    Raises:
        DivergedError: A loss, gradient or weight is not finite.
        ResumeError: The state is of other variables.
    """
    phases, device = Phases(workshop.observer), workshop.start()
    circumstances = start.circumstances if start else trial.circumstances(workshop)
    with shortage_explained(trial.experiment, trial.data, device.device):
        with phases.of("build"):
            compiled = trial.compiled(workshop)
        with phases.of("train", before=circumstances.seconds), signals_wait() as request:
            recorder = Recorder(trial, folder, workshop.observer, circumstances, request)
            with recorder.shown_and_kept(start.state if start else None):
                history = train_stages(trial, compiled, recorder, start)
        with phases.of("evaluate"):
            outcome = Outcome(trial, folder, compiled.model, history, compiled.evaluate(trial.data))
        with phases.of("save", "saving" if outcome.models else ""):
            weights = outcome.save()
    if outcome.failure:
        workshop.observer.on_warning(outcome.failure)
    seconds = workshop.take_seconds() | phases.seconds
    result = replace(outcome.result(seconds), advice=workshop.options.advice, departures=circumstances.departures)
    outcome.summarise(result, device.versions, weights)
    return result


def train_stages(
    trial: Trial, compiled: Compiled, observer: StagesObserver, start: Checkpoint | None = None
) -> History:
    """Trains the stages of a trial one after the other, each from the weights that the one before left in the model.

    Args:
        trial: What to train.
        compiled: Its compiled network.
        observer: Told how it goes on.
        start: The state to go on from; None begins with the first step.
    """
    from dtrain.engine.training import Trainer

    weights, data, trainer = trial.network.first_weights(trial.experiment.seed), trial.data, None
    begun = len(start.state.began) - 1 if start else 0
    for stage in trial.stages[begun:]:
        engine = compiled.engine(stage.unfrozen)
        engine.choose(np.arange(len(data.train.labels)) if trial.chosen is None else trial.chosen)
        engine.start_over(weights)
        trainer = Trainer(trial.of_stage(stage), data, engine, compiled.evaluator, observer, trainer)
        observer.on_stage(stage.name, trainer)
        if start:
            start.check_fits(trainer.variables)
            trainer.restore(start.state)
            start = None
        trainer.train()
        weights = compiled.model.get_weights()
    assert trainer
    return trainer.history()

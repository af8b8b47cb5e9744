"""Train a trial stage by stage, and into its run folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dtrain.engine.shortage import shortage_explained
from dtrain.ground.signals import signals_wait
from dtrain.runs.checkpoints import Checkpoint
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import RunResult
from dtrain.trials.compiled import Compiled
from dtrain.trials.illness import divergence_explained
from dtrain.trials.observer import Phases
from dtrain.trials.outcome import Outcome
from dtrain.trials.recording import Recorder
from dtrain.trials.trial import Trial
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.engine.state import History
    from dtrain.engine.training import StagesObserver


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
            kept = recorder.shown_and_kept(start.state if start else None)
            with divergence_explained(trial.experiment, trial.data), kept:
                history = train_stages(trial, compiled, recorder, start)
        with phases.of("evaluate"):
            outcome = Outcome(trial, folder, compiled.model, history, compiled.evaluate(trial.data))
        with phases.of("save", "saving" if outcome.models else ""):
            weights = outcome.save()
    if warning := outcome.warning:
        workshop.observer.on_warning(warning)
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

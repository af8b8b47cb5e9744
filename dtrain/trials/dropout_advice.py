"""Advise from a training that has ended whether dropout should be more or less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dtrain.experiment.config.placing import Advice
from dtrain.experiment.fit.steps import SETTLED_EPOCHS
from dtrain.experiment.techniques.activations import Selu
from dtrain.experiment.techniques.regularizers import Noise
from dtrain.runs.results import SplitResult

if TYPE_CHECKING:
    from dtrain.experiment.spec import Experiment

FAR = 0.1
"""How far apart the intervals of training and validation accuracy are where that is called overfitting. No story comes
to 0.09, and the quickstart, at 0.06, gains nothing from dropout over six seeds."""
LEARNT = 0.95
"""Who gets as many training images right has learnt them, whatever dropout takes away."""
FIRST_RATE, HIGHEST_RATE, USUAL_RATE = 0.3, 0.5, 0.2
"""Of a layer that had none; the highest that is useful; and one that hardly keeps a network from learning."""


def dropout_advice(experiment: Experiment, train: SplitResult, validation: SplitResult) -> Advice | None:
    """Returns what to change, as an override, and by which evidence; None where that is not strong.

    Args:
        experiment: What was trained.
        train: The final model on the training images.
        validation: The final model on the validation images.
    """
    if experiment.training.epochs < SETTLED_EPOCHS or not experiment.network.hidden_layers:
        return None
    rule, change = "", ""
    if train.accuracy_interval.low - validation.accuracy_interval.high > FAR:
        rule, change = "overfitting", _more(experiment)
    elif train.accuracy <= validation.accuracy and train.accuracy_interval.high < LEARNT:
        rule, change = "underfitting", _less(experiment)
    seen = f"{train.accuracy:.1%} of the training images are right, {validation.accuracy:.1%} of the validation images"
    return Advice(f"{rule}: {seen}", "regularizer", change, rule) if change else None


def _more(experiment: Experiment) -> str:
    for index, each in enumerate(experiment.regularizer):
        if isinstance(each, Noise):
            return _moved(index, each, HIGHEST_RATE) if _highest(each) < HIGHEST_RATE else ""
    kind = "alpha_dropout" if isinstance(experiment.activation, Selu) else "dropout"
    return f"regularizer.{len(experiment.regularizer)}={{kind: {kind}, rate: {FIRST_RATE}, layers: last}}"


def _less(experiment: Experiment) -> str:
    for index, each in enumerate(experiment.regularizer):
        if isinstance(each, Noise) and _highest(each) > USUAL_RATE:
            return _moved(index, each, 0.0)
    return ""


def _highest(noise: Noise) -> float:
    return max(noise.rate, default=0.0) if isinstance(noise.rate, tuple) else noise.rate


def _moved(index: int, noise: Noise, towards: float) -> str:
    """Returns an override that moves each rate halfway; what drops nothing goes on so."""
    rates = noise.rate if isinstance(noise.rate, tuple) else (noise.rate,)
    moved = [rate and round((rate + towards) / 2, 3) for rate in rates]
    return f"regularizer.{index}.rate={moved if isinstance(noise.rate, tuple) else moved[0]}"

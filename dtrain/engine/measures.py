"""The one table of measures: what every step and every epoch has a number of, and the name that it goes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.engine.penalties import sum_of_elements
from dtrain.ground.reading import Array

EXAMPLES = "examples"
"""Under which name steps have the size of their batch."""


@dataclass(frozen=True, eq=False)
class Step:
    """What is known of a step before it changes the weights.

    Args:
        targets: What the objective expects of each example [batch, ...].
        outputs: What the model made of it [batch, ...].
        loss: Mean loss of the batch, without penalties.
        penalty: The penalties on the weights.
        weights: The variables that learn.
        gradients: The gradient of each, before any clipping.
    """

    targets: tf.Tensor
    outputs: tf.Tensor
    loss: tf.Tensor
    penalty: tf.Tensor
    weights: Sequence[keras.Variable]
    gradients: Sequence[tf.Tensor]


ExampleMeasure = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From targets and outputs to a number for each example [batch]."""


@dataclass(frozen=True)
class Measure:
    """A number that each step has, and of which each epoch makes one.

    Args:
        name: Its key in the lines of metrics.jsonl, and in steps.npz.
        of_step: Returns it, a finite scalar unless training has diverged; None where it is no result but given.
        of_epoch: What an epoch has: the mean over its examples or over its steps, or what its last step has.
        summed: Whether `of_step` returns the sum over the examples of the batch, of which the mean is the measure.
        kept: Whether a run folder keeps it of each step.
    """

    name: str
    of_step: Callable[[Step], tf.Tensor] | None = None
    of_epoch: Literal["examples", "steps", "last"] = "steps"
    summed: bool = False
    kept: bool = True

    def over(self, steps: Mapping[str, Array]) -> float | None:
        """Returns the measure of the epoch that these are the steps of; None where they do not have it."""
        values = steps.get(self.name)
        if values is None:
            return None
        if self.of_epoch == "last":
            return float(values[-1])
        return float(np.average(values, weights=steps[EXAMPLES] if self.of_epoch == "examples" else None))


def _gradient_norm(step: Step) -> tf.Tensor:
    """Returns the norm of all gradients together."""
    return tf.sqrt(tf.add_n([sum_of_elements(tf.square(gradient)) for gradient in step.gradients]))


MEASURES = (
    Measure("loss", lambda step: step.loss, of_epoch="examples"),
    Measure("penalty", lambda step: step.penalty, kept=False),
    Measure("learning_rate", of_epoch="last"),
    Measure("momentum", of_epoch="last"),
    Measure("gradient_norm", _gradient_norm),
)
"""What is measured whatever the objective; momentum only where the optimizer has one that can change."""


def all_measures(of_examples: Mapping[str, ExampleMeasure]) -> tuple[Measure, ...]:
    """Returns every measure of a training.

    Args:
        of_examples: What its objective measures of each example, by name.
    """
    return (*MEASURES, *(Measure(name, _sum_of(one), "examples", summed=True) for name, one in of_examples.items()))


def _sum_of(measure: ExampleMeasure) -> Callable[[Step], tf.Tensor]:
    return lambda step: tf.reduce_sum(measure(step.targets, step.outputs))


def are_finite(records: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
    """Returns for each step [steps] whether all that it measured is finite: where not, training has diverged."""
    finite: npt.NDArray[np.bool_] = np.isfinite(np.stack(list(records.values()))).all(axis=0)
    return finite

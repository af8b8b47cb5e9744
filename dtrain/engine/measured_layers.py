"""What goes through the layers of a network, forwards and backwards, without changing any of its variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.engine.depth import any_depth
from dtrain.engine.layer_measures import FLAT, NormalizationStep
from dtrain.engine.objectives import Objective
from dtrain.engine.penalties import weight_penalty
from dtrain.ground.reading import Array
from dtrain.layers.noise import NoisePlace, noise
from dtrain.layers.rrelu import RReLU

BATCH = 1000
"""Images in one forward pass over a whole set."""
STEEP_WITHIN = np.linspace(-10, 10, 41, dtype=np.float32)
"""Where the steepest slope of an activation is looked for."""
ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
    RReLU,
)


@dataclass(frozen=True, eq=False)
class Signals:
    """What goes through one layer in one batch; None where there is no such thing: see `LayerStep`."""

    gradient: Array | None
    pre_activations: Array
    activations: Array
    slopes: Array | None
    signal_gradients: Array | None


@dataclass(frozen=True, eq=False)
class Pass:
    """What goes through a network in one batch.

    Args:
        loss: The mean loss, without penalties.
        layers: Of each layer.
        normalizations: Of each batch normalization.
    """

    loss: float
    layers: list[Signals]
    normalizations: list[NormalizationStep]


@dataclass(frozen=True, eq=False)
class MeasuredLayer:
    """A layer with a kernel, and the activation behind it.

    Args:
        layer: The layer.
        activation: The activation where it is a layer of its own; else it is within the layer, or there is none.
    """

    layer: keras.layers.Layer
    activation: keras.layers.Layer | None

    @property
    def kernels(self) -> list[keras.Variable]:
        """Its weights without biases."""
        return kernels_of(self.layer)

    @property
    def fused(self) -> bool:
        """Whether the activation is within the layer."""
        inner = getattr(self.layer, "activation", keras.activations.linear)
        return self.activation is None and inner is not keras.activations.linear

    @property
    def tensors(self) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """What goes into the activation, or into the layer where it is within, and what comes out of it."""
        if self.activation:
            return self.activation.input, self.activation.output
        return (self.layer.input if self.fused else self.layer.output), self.layer.output

    def pre_activations(self, signal: tf.Tensor) -> tf.Tensor:
        """Returns what goes into the activation, given the first of `tensors`."""
        if not self.fused:
            return signal
        activation, self.layer.activation = self.layer.activation, keras.activations.linear
        try:
            return self.layer(signal)
        finally:
            self.layer.activation = activation

    def slopes(self, pre_activations: tf.Tensor) -> tf.Tensor | None:
        """Returns the slope of the activation at each of these, in inference; None where it is no function of one."""
        activate = self._activate
        if activate is None:
            return tf.ones_like(pre_activations)
        if "softmax" in getattr(activate, "__name__", type(activate).__name__).lower():
            return None
        with tf.GradientTape() as tape:
            tape.watch(pre_activations)
            activations = activate(pre_activations)
        return tape.gradient(activations, pre_activations)

    @cached_property
    def flat_below(self) -> float:
        """The slope below which the activation is flat."""
        slopes = self.slopes_on(STEEP_WITHIN)
        return FLAT * (1.0 if slopes is None else min(1.0, float(np.abs(slopes).max())))

    def slopes_on(self, grid: npt.NDArray[np.float32]) -> Array | None:
        """Returns the slope of each unit at each of the pre-activations [grid, ..., units]."""
        shape = self.tensors[1].shape[1:]
        slopes = self.slopes(tf.constant(np.broadcast_to(grid.reshape(-1, *[1] * len(shape)), (len(grid), *shape))))
        return None if slopes is None else slopes.numpy()

    @property
    def _activate(self) -> Callable[..., tf.Tensor] | None:
        if isinstance(self.activation, keras.layers.Activation):
            return self.activation.activation  # type: ignore[no-any-return]
        return self.activation or (self.layer.activation if self.fused else None)


def kernels_of(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Returns the weights of a layer that are multiplied with what goes in."""
    return [one for one in layer.weights if one.name.endswith("kernel")]


def measured_layers(model: keras.Model) -> list[MeasuredLayer]:
    """Returns the layers of a model that have kernels, in its order, each with the activation behind it."""
    behind: dict[keras.layers.Layer, keras.layers.Layer] = {}
    for layer in model.layers:
        if isinstance(layer, ACTIVATIONS) and (owner := _layer_before(layer)):
            behind.setdefault(owner, layer)
    return [MeasuredLayer(one, behind.get(one)) for one in model.layers if kernels_of(one)]


def _layer_before(activation: keras.layers.Layer) -> keras.layers.Layer | None:
    """Returns the layer with a kernel that an activation stands behind: of a sum the one at the end of the branch."""
    step = activation
    while not isinstance(step, keras.layers.InputLayer):
        inputs = step.input
        step = (inputs[-1] if isinstance(inputs, list | tuple) else inputs)._keras_history.operation
        if isinstance(step, ACTIVATIONS):
            return None
        if isinstance(step, keras.layers.Layer) and kernels_of(step):
            return step
    return None


class MeasuredNetwork:
    """The layers of a model, compiled to be looked into; its variables stay as they are.

    Args:
        model: From the objective's inputs to its outputs.
        objective: What it learns from.
        mean_loss: From targets, outputs and the indices of the examples to what training makes smaller.
    """

    @any_depth()
    def __init__(
        self,
        model: keras.Model,
        objective: Objective,
        mean_loss: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
    ) -> None:
        self._model, self._objective, self._mean_loss = model, objective, mean_loss
        self.layers = measured_layers(model)
        self.normalizations = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
        tensors = [one.tensors for one in self.layers]
        signals = {"before": [one for one, _ in tensors], "behind": [one for _, one in tensors]}
        normalized = [one.input for one in self.normalizations]
        self._inner = keras.Model(model.input, {"outputs": model.output, "normalized": normalized} | signals)
        self._step = tf.function(self._take_in, reduce_retracing=True)
        self._activity = tf.function(self._active_units, reduce_retracing=True)
        self._batches: list[int] = []

    def look(self, images: tf.Tensor, labels: tf.Tensor, place: NoisePlace, *, compiled: bool = True) -> Pass:
        """Returns what goes through the layers in training with a batch.

        Args:
            images: Scaled images [batch, ...].
            labels: int32 [batch].
            place: Where the noise is drawn.
            compiled: Whether it pays to compile that first, because it is done more than a few times.
        """
        look = self._step if compiled else self._take_in
        loss, layers, moments = look(images, labels, place.seed, place.step, place.examples)
        signals = [Signals(*map(_to_array, layer)) for layer in layers]
        moving = [(one.moving_mean.numpy(), one.moving_variance.numpy()) for one in self.normalizations]
        pairs = zip(moving, moments, strict=True)
        return Pass(
            float(loss), signals, [NormalizationStep(*one, *(part.numpy() for part in two)) for one, two in pairs]
        )

    def kernels(self) -> list[npt.NDArray[np.float32]]:
        """Returns the kernel of each layer in a row; one after the other where it has several."""
        return [np.concatenate([kernel.numpy().ravel() for kernel in one.kernels]) for one in self.layers]

    def dead_units(self, batch_of: Callable[[slice], tuple[tf.Tensor, tf.Tensor]], examples: int) -> list[float]:
        """Returns of each layer how many units have a slope of zero for every example, so that none can change them.

        What shows that a unit is alive need be seen only once: as soon as all are, no more examples are looked at.

        Args:
            batch_of: Returns scaled images and labels of some examples.
            examples: How many there are.
        """
        alive = [np.zeros(one.tensors[1].shape[-1], bool) for one in self.layers]
        starts, telling = [*range(0, examples, BATCH)], []
        starts = self._batches if sorted(self._batches) == starts else starts
        for start in starts:
            found = self._activity(*batch_of(slice(start, start + BATCH)))
            more = [one | two.numpy() for one, two in zip(alive, found, strict=True)]
            if any((one != two).any() for one, two in zip(alive, more, strict=True)):
                telling.append(start)
            alive = more
            if all(one.all() for one in alive):
                break
        # what told most this time is asked first the next time
        self._batches = [*telling, *(one for one in starts if one not in telling)]
        return [float((~one).sum()) for one in alive]

    def _take_in(self, images: tf.Tensor, labels: tf.Tensor, *place: tf.Tensor) -> tuple[Any, ...]:
        kernels = [[kernel.value for kernel in one.kernels] for one in self.layers]
        # batch normalization would move its statistics
        with tf.GradientTape() as tape, noise(NoisePlace(*place)), keras.StatelessScope():
            inputs, targets = self._objective.batch(images, labels)
            signals = self._inner(inputs, training=True)
            loss = self._mean_loss(targets, signals["outputs"], place[-1])
            total = loss + weight_penalty(self._model)
        of_kernels, of_signals = tape.gradient(total, (kernels, signals["before"]))
        layers = []
        for number, one in enumerate(self.layers):
            before, behind = one.pre_activations(signals["before"][number]), signals["behind"][number]
            parts = [part for part in of_kernels[number] if part is not None]
            gradient = tf.concat([tf.reshape(part, [-1]) for part in parts], 0) if parts else None
            # of the mean loss is a share of that of an example's own
            backward = None if one.fused else of_signals[number] * tf.cast(tf.shape(images)[0], tf.float32)
            layers.append((gradient, before, behind, one.slopes(before), backward))
        pairs = zip(self.normalizations, signals["normalized"], strict=True)
        return loss, layers, [_moments(signal, one.axis) for one, signal in pairs]

    def _active_units(self, images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        with noise(None):
            signals = self._inner(self._objective.batch(images, labels)[0], training=False)
        found = []
        for one, before in zip(self.layers, signals["before"], strict=True):
            slopes = one.slopes(one.pre_activations(before))
            units = one.tensors[1].shape[-1]
            found.append(
                tf.ones(units, tf.bool) if slopes is None else tf.reduce_any(tf.reshape(slopes, [-1, units]) != 0, 0)
            )
        return found


def _to_array(tensor: tf.Tensor | None) -> Any:
    return None if tensor is None else tensor.numpy()


def _moments(signal: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
    axes = np.delete(np.arange(len(signal.shape)), axis)
    return tf.nn.moments(signal, axes.tolist())  # type: ignore[no-any-return]

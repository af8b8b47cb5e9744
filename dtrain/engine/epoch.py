"""The compiled epoch: the only place that takes a gradient step.

An epoch is one call whose inputs are all explicit: the order of the examples, the rate and momentum of every step, the
seed of the noise and the number of the first step. The images lie on the device once, as they are stored; batches are
gathered, scaled and trained on inside the compiled loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.data.prepare import Scaling, Split
from dtrain.engine.measured_layers import MeasuredNetwork
from dtrain.engine.measures import EXAMPLES, Step, all_measures
from dtrain.engine.objectives import Objective
from dtrain.engine.penalties import weight_penalty
from dtrain.ground.reading import Array
from dtrain.layers.noise import NoisePlace, noise
from dtrain.layers.scheduled_momentum import ScheduledMomentumSGD

Compiler = Literal["graph", "xla"]
FloatArray = npt.NDArray[np.float64]


class Scaler:
    """Scales images on the device exactly as `Scaling.apply` does in NumPy.

    Args:
        scaling: Offset and factor, of scalar or image shape.
    """

    def __init__(self, scaling: Scaling) -> None:
        self._offset = tf.constant(scaling.offset, tf.float32)
        self._factor = tf.constant(scaling.factor, tf.float32)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns float32 images [batch, ...] for stored ones."""
        return (tf.cast(images, tf.float32) - self._offset) * self._factor


def choose_compiler(requested: str, *, convolutional: bool, device: str) -> Compiler:
    """Returns the compiler of the epoch: as requested, else by a fixed rule, so that equal runs give equal bytes.

    XLA fuses the small operations of dense nets; its convolutions on the CPU are slower than the graph's.
    """
    if requested in ("graph", "xla"):
        return "graph" if requested == "graph" else "xla"
    return "graph" if convolutional and device == "cpu" else "xla"


class Engine:
    """Trains one model on one training set, a chunk of an epoch at a time.

    Args:
        model: From the objective's inputs to its outputs.
        optimizer: A Keras optimizer, not yet built.
        objective: What it learns from.
        train: Images as stored, and labels.
        scaling: How the images are scaled.
        batch_size: Examples in a step; the last step of an epoch takes what is left.
        compiler: What compiles the loop.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer,
        objective: Objective,
        train: Split,
        scaling: Scaling,
        batch_size: int,
        compiler: Compiler,
    ) -> None:
        optimizer.build(model.trainable_variables)
        self.model, self.optimizer, self.batch_size = model, optimizer, batch_size
        self._objective, self.measures = objective, all_measures(objective.measures)
        self._measured = [one for one in self.measures if one.of_step]
        self._scaler = Scaler(scaling)
        self._images, self._labels = tf.constant(train.images), tf.constant(train.labels, tf.int32)
        self._weights: tf.Variable | None = None
        self.choose(np.arange(len(train.labels)))
        self._loop = tf.function(self._take_steps, jit_compile=compiler == "xla")
        # one step a whole epoch: not worth a compilation of its own
        self._last_step = tf.function(self._take_step)
        self._first_values = [variable.numpy() for variable in self.variables]

    def choose(self, examples: npt.NDArray[np.int64]) -> None:
        """Trains on some of the training images from now on; as many others later need no compilation.

        Args:
            examples: Their indices.
        """
        self._chosen, self.examples = examples, len(examples)
        self._whole_steps, self.steps_per_epoch = self.examples // self.batch_size, -(-self.examples // self.batch_size)
        chosen = self._objective.weights(self._labels.numpy()[examples])
        if chosen is not None:
            weights = np.zeros(len(self._labels), np.float32)
            weights[examples] = chosen
            if self._weights is None:
                self._weights = tf.Variable(weights)
            self._weights.assign(weights)

    @property
    def variables(self) -> list[keras.Variable]:
        """Everything that a step changes: the model's variables, then the optimizer's."""
        return [*self.model.variables, *self.optimizer.variables]

    @property
    def variable_descriptions(self) -> tuple[str, ...]:
        """Path, shape and type of each of `variables`, equal in every process that builds the same."""
        # Keras numbers the optimizers of a process
        paths = [one.path for one in self.model.variables]
        paths += [f"optimizer/{one.path.partition('/')[2]}" for one in self.optimizer.variables]
        return tuple(f"{path} {tuple(one.shape)} {one.dtype}" for path, one in zip(paths, self.variables, strict=True))

    def start_over(self, weights: list[npt.NDArray[np.float32]]) -> None:
        """Makes the compiled epoch fit for another training: first weights, and the optimizer as it was when built.

        Args:
            weights: What `keras.Model.get_weights` returned of an equally built model.
        """
        self.restore(self._first_values)
        self.model.set_weights(weights)

    def restore(self, values: Sequence[npt.NDArray[Any]]) -> None:
        """Gives every variable a value.

        Args:
            values: One for each of `variables`, of its shape and type.
        """
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    @cached_property
    def network(self) -> MeasuredNetwork:
        """The layers of the model, to be looked into between two steps."""
        return MeasuredNetwork(self.model, self._objective, self._mean_loss)

    def batch(
        self, places: npt.NDArray[np.int64], noise_seed: int, step: int
    ) -> tuple[tf.Tensor, tf.Tensor, NoisePlace]:
        """Returns what a step is taken with: scaled images, labels and where noise is drawn.

        Args:
            places: Of its examples among the chosen images.
            noise_seed: As for `train`.
            step: Its number in the whole training, from 0.
        """
        indices = self._chosen[places]
        place = NoisePlace(*(tf.constant(one, tf.uint32) for one in (noise_seed, step, indices)))
        return *self._gathered(tf.constant(indices, tf.int32)), place

    def examples_of(self, places: slice) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns scaled images and labels of some of the chosen examples."""
        return self._gathered(tf.constant(self._chosen[places], tf.int32))

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Lets the model have the moving average of its weights inside, where the optimizer keeps one."""
        weights = self.model.trainable_variables if self.optimizer.use_ema else []
        trained = [one.numpy() for one in weights]
        self.finalize()
        try:
            yield
        finally:
            for one, value in zip(weights, trained, strict=True):
                one.assign(value)

    def finalize(self) -> None:
        """Gives the model the moving average of its weights for good, where the optimizer keeps one."""
        self.optimizer.finalize_variable_values(self.model.trainable_variables)

    def train(
        self,
        order: npt.NDArray[np.int64],
        learning_rates: FloatArray,
        momenta: FloatArray | None,
        noise_seed: int,
        first_step: int,
        start: int,
        stop: int,
    ) -> dict[str, Array]:
        """Takes the steps `start` to `stop` of an epoch.

        Args:
            order: Places among the chosen images [examples] in the order of the epoch.
            learning_rates: Rate of each step of the epoch [steps_per_epoch].
            momenta: Momentum of each step [steps_per_epoch]; None where the optimizer has none that can change.
            noise_seed: Seeds the noise layers, below 2^32.
            first_step: Number of the epoch's first step in the whole training.
            start: First step to take, from 0.
            stop: Step to stop before.

        Returns:
            What each of these steps measured before it changed the weights, by name, and the size of its batch.
        """
        whole, order = self._whole_steps * self.batch_size, self._chosen[order]
        rates = tf.constant(learning_rates, tf.float32)
        momentum = tf.constant(np.zeros_like(learning_rates) if momenta is None else momenta, tf.float32)
        seed, first = tf.constant(noise_seed, tf.uint32), tf.constant(first_step, tf.uint32)
        records = []
        if start < min(stop, self._whole_steps):
            batches = tf.constant(order[:whole].reshape(self._whole_steps, self.batch_size), tf.int32)
            end = min(stop, self._whole_steps)
            taken = self._loop(batches, rates, momentum, seed, first, tf.constant(start), tf.constant(end))
            records.append(taken.numpy()[start:end])
        if stop > self._whole_steps:
            last = tf.constant(order[whole:], tf.int32)
            step = first + tf.constant(self._whole_steps, tf.uint32)
            records.append(self._last_step(last, rates[-1], momentum[-1], seed, step).numpy()[None])
        return self._to_records(np.concatenate(records).astype(np.float64), start, stop)

    def _to_records(self, measured: FloatArray, start: int, stop: int) -> dict[str, Array]:
        sizes = np.full(stop - start, self.batch_size, np.int64)
        if stop > self._whole_steps:
            sizes[-1] = self.examples - self._whole_steps * self.batch_size
        # a sum is divided in double precision: float32 holds the count of examples exactly, but not their share
        columns = zip(self._measured, measured.T, strict=True)
        return {one.name: values / sizes if one.summed else values for one, values in columns} | {EXAMPLES: sizes}

    def _mean_loss(self, targets: tf.Tensor, outputs: tf.Tensor, examples: tf.Tensor) -> tf.Tensor:
        losses = self._objective.losses(targets, outputs)
        if self._weights is not None:
            losses *= tf.gather(self._weights, tf.cast(examples, tf.int32))
        return tf.reduce_mean(losses)

    def _gathered(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._scaler(tf.gather(self._images, indices)), tf.gather(self._labels, indices)

    def _take_steps(
        self,
        batches: tf.Tensor,
        learning_rates: tf.Tensor,
        momenta: tf.Tensor,
        seed: tf.Tensor,
        first_step: tf.Tensor,
        start: tf.Tensor,
        stop: tf.Tensor,
    ) -> tf.Tensor:
        def body(number: tf.Tensor, records: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            step = first_step + tf.cast(number, tf.uint32)
            measured = self._take_step(batches[number], learning_rates[number], momenta[number], seed, step)
            return number + 1, records.write(number, measured)

        records = tf.TensorArray(tf.float32, self._whole_steps, element_shape=[len(self._measured)])
        _, records = tf.while_loop(lambda number, _: number < stop, body, (start, records))
        return records.stack()

    def _take_step(
        self, indices: tf.Tensor, learning_rate: tf.Tensor, momentum: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
    ) -> tf.Tensor:
        images, labels = self._gathered(indices)
        self.optimizer.learning_rate.assign(learning_rate)
        if isinstance(self.optimizer, ScheduledMomentumSGD):
            self.optimizer.scheduled_momentum.assign(momentum)
        place = NoisePlace(seed, step, tf.cast(indices, tf.uint32))
        with tf.GradientTape() as tape, noise(place):
            inputs, targets = self._objective.batch(images, labels)
            outputs = self.model(inputs, training=True)
            loss = self._mean_loss(targets, outputs, place.examples)
            penalty = weight_penalty(self.model)
            total = loss + penalty
        weights = self.model.trainable_variables
        gradients = tape.gradient(total, weights)
        known = Step(targets, outputs, loss, penalty, weights, gradients)
        measured = tf.stack([one.of_step(known) for one in self._measured if one.of_step])
        self.optimizer.apply(gradients, weights)
        return measured

"""The layers and the optimizer that Keras lacks, registered as serialisable.

The noise layers draw from a counter-based generator (Salmon et al. 2011): every number is a pure function of seed,
layer, step and element, so that no generator state exists and any step can be replayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_PACKAGE = "dtrain"
_GOLDEN = 0x9E3779B9


@dataclass(frozen=True)
class NoisePlace:
    """Where in a training the noise is drawn.

    Args:
        seed: uint32 scalar of the run.
        step: uint32 scalar, the number of the step or of the stochastic pass.
        examples: uint32 [batch], what tells one example's noise from another's.
    """

    seed: tf.Tensor
    step: tf.Tensor
    examples: tf.Tensor


_place: ContextVar[NoisePlace | None] = ContextVar("noise_place")


@contextmanager
def noise(place: NoisePlace | None) -> Iterator[None]:
    """Lets the noise layers that are called inside draw at `place`; None switches them off."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def current_place() -> NoisePlace | None:
    """Returns where noise is drawn now, or None where it is off.

    Raises:
        RuntimeError: No `noise()` is open, so that nobody has said where.
    """
    try:
        return _place.get()
    except LookupError:
        raise RuntimeError("noise layers are active only inside dtrain.keras_objects.noise()") from None


def mix(state: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Returns `state` hashed with `value`, both uint32 and broadcast.

    The value is scrambled before it meets the state: otherwise neighbouring layers and steps would share shifted masks.
    """
    return _finalise(tf.bitwise.bitwise_xor(state, _finalise(value + tf.constant(_GOLDEN, tf.uint32))))


def _finalise(word: tf.Tensor) -> tf.Tensor:
    """Scrambles 32 bits by multiply-xorshift rounds with the low-bias constants of Wellons's search (2018)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        word = tf.bitwise.bitwise_xor(word, tf.bitwise.right_shift(word, tf.constant(shift, tf.uint32)))
        word = word * tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(word, tf.bitwise.right_shift(word, tf.constant(16, tf.uint32)))


def random_words(shape: tuple[int, ...], noise_index: int) -> tf.Tensor | None:
    """Returns a uint32 for each element of `shape` of each example [batch, *shape], or None where noise is off."""
    place = current_place()
    if place is None:
        return None
    features = int(np.prod(shape))
    stream = mix(mix(place.seed, tf.constant(noise_index, tf.uint32)), place.step)
    elements = place.examples[:, None] * tf.constant(features, tf.uint32) + tf.constant(
        np.arange(features, dtype=np.uint32)
    )
    return tf.reshape(mix(stream, elements), [-1, *shape])


def normal_numbers(words: tf.Tensor) -> tf.Tensor:
    """Returns float32 numbers of mean 0 and deviation 1 made of uint32 words.

    They are the inverse normal function of the middles of 2^23 equal parts of [0, 1], the finest that float32 holds
    apart.
    """
    parts = tf.cast(tf.bitwise.right_shift(words, tf.constant(9, tf.uint32)), tf.float32)
    return np.float32(np.sqrt(2)) * tf.math.erfinv((parts + 0.5) * 2.0**-22 - 1)


class NoiseLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer that is random in training; it holds no generator, unlike Keras's, so it has no state to save.

    Args:
        noise_index: The number of the layer in its network.
    """

    def __init__(self, *, noise_index: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.noise_index = noise_index

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "noise_index": self.noise_index}


class DroppingLayer(NoiseLayer):
    """A noise layer with a rate, that drops units or disturbs them as much as if it did.

    Args:
        rate: Probability to drop a unit.
        noise_index: The number of the layer in its network.
    """

    def __init__(self, rate: float, *, noise_index: int, **kwargs: Any) -> None:
        super().__init__(noise_index=noise_index, **kwargs)
        self.rate = rate

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns `inputs`, in training with units dropped."""
        words = random_words(self._noise_shape(inputs), self.noise_index) if training and self.rate > 0 else None
        return inputs if words is None else self._disturb(inputs, words)

    def _noise_shape(self, inputs: tf.Tensor) -> tuple[int, ...]:
        return tuple(inputs.shape[1:])

    def _disturb(self, inputs: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        return self._drop(inputs, words >= tf.constant(int(self.rate * 2**32), tf.uint32))

    def _drop(self, inputs: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        raise AssertionError("every dropping layer says what takes a dropped unit's place")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(_PACKAGE)
class CounterDropout(DroppingLayer):
    """Dropout with counter-based masks: zero for dropped units, the others scaled by 1 / (1 - rate)."""

    def _drop(self, inputs: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        return tf.where(kept, inputs / (1 - self.rate), tf.zeros_like(inputs))

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.Dropout(self.rate, name=self.name)


@keras.saving.register_keras_serializable(_PACKAGE)
class CounterSpatialDropout(CounterDropout):
    """Dropout of whole channels of images [batch, height, width, channels], with counter-based masks."""

    def _noise_shape(self, inputs: tf.Tensor) -> tuple[int, ...]:
        return (1, 1, inputs.shape[-1])

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.SpatialDropout2D(self.rate, name=self.name)


@keras.saving.register_keras_serializable(_PACKAGE)
class CounterGaussianDropout(DroppingLayer):
    """Multiplicative Gaussian noise of mean 1 and variance rate / (1 - rate), counter-based."""

    def _disturb(self, inputs: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        return inputs * (1 + np.float32(np.sqrt(self.rate / (1 - self.rate))) * normal_numbers(words))

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.GaussianDropout(self.rate, name=self.name)


_SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772
"""The value that SELU saturates at, -scale x alpha (Klambauer et al. 2017, eq. 14)."""


@keras.saving.register_keras_serializable(_PACKAGE)
class CounterAlphaDropout(DroppingLayer):
    """Alpha dropout with counter-based masks: SELU's floor for dropped units, then mean and variance restored."""

    def _drop(self, inputs: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        scale = ((1 - self.rate) * (1 + self.rate * _SELU_FLOOR**2)) ** -0.5
        shift = -scale * _SELU_FLOOR * self.rate
        return scale * tf.where(kept, inputs, tf.fill(tf.shape(inputs), np.float32(_SELU_FLOOR))) + shift

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with Keras's own random numbers."""
        return keras.layers.AlphaDropout(self.rate, name=self.name)


@keras.saving.register_keras_serializable(_PACKAGE)
class RReLU(NoiseLayer):
    """Leaky ReLU with a random slope for each element in training and the mean slope in use (Xu et al. 2015, 2.4).

    Args:
        lower: Smallest slope.
        upper: Largest slope.
        noise_index: The number of the layer in its network.
    """

    def __init__(self, lower: float, upper: float, *, noise_index: int, **kwargs: Any) -> None:
        super().__init__(noise_index=noise_index, **kwargs)
        self.lower, self.upper = lower, upper

    @property
    def mean_slope(self) -> float:
        """The slope in use: the mean of the range."""
        return (self.lower + self.upper) / 2

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns inputs above zero as they are and the others times their slope."""
        words = random_words(inputs.shape[1:], self.noise_index) if training else None
        if words is None:
            return tf.where(inputs > 0, inputs, inputs * self.mean_slope)
        # 24 bits fill a float32's mantissa exactly
        uniform = tf.cast(tf.bitwise.right_shift(words, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
        return tf.where(inputs > 0, inputs, inputs * (self.lower + (self.upper - self.lower) * uniform))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "lower": self.lower, "upper": self.upper}

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that predicts the same: Keras has no random slopes."""
        return keras.layers.LeakyReLU(negative_slope=self.mean_slope, name=self.name)


@keras.saving.register_keras_serializable(_PACKAGE)
class TrainedScalar(keras.layers.Layer):  # type: ignore[misc]
    """One trained number that all inputs are multiplied by, or that is added to all (Zhang et al. 2019, section 3).

    Args:
        multiplies: Whether the number multiplies, from 1 on, or is added, from 0 on.
    """

    def __init__(self, *, multiplies: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiplies = multiplies

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the number."""
        self.scalar = self.add_weight(shape=(1,), initializer="ones" if self.multiplies else "zeros", name="scalar")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `inputs` times the number, or plus it."""
        return inputs * self.scalar if self.multiplies else inputs + self.scalar

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "multiplies": self.multiplies}

    def stock(self) -> keras.layers.Layer:
        """Returns the layer of Keras that does the same with the number as a constant: Keras has no trained one."""
        number = float(self.scalar[0])
        scale, offset = (number, 0.0) if self.multiplies else (1.0, number)
        return keras.layers.Rescaling(scale, offset, name=self.name)


@keras.saving.register_keras_serializable(_PACKAGE)
class ScheduledMomentumSGD(keras.optimizers.SGD):  # type: ignore[misc]
    """Keras's SGD with a momentum that can be assigned at every step, which Keras bakes into the compiled step."""

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the momentum and a velocity for each of `variables`."""
        if self.built:
            return
        super().build(variables)
        self.scheduled_momentum = self.add_variable(
            shape=(), initializer=keras.initializers.Constant(self.momentum), name="scheduled_momentum"
        )

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """Moves one variable: v <- momentum v - rate g, then w <- w + v, or Nesterov's w + momentum v - rate g."""
        velocity = self.momentums[self._get_variable_index(variable)]
        momentum = tf.convert_to_tensor(self.scheduled_momentum)
        downhill = gradient * tf.cast(learning_rate, gradient.dtype)
        self.assign(velocity, velocity * momentum - downhill)
        self.assign_add(variable, velocity * momentum - downhill if self.nesterov else velocity)

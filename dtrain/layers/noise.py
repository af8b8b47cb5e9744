"""Noise as a pure function of seed, layer, step and example: what every random layer stands on.

The noise layers draw from a counter-based generator (Salmon et al. 2011): every number is a pure function of seed,
layer, step, example and element, so that no generator state exists, any step can be replayed, and an example's noise
is the same wherever it stands in a batch.
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

_GOLDEN = 0x9E3779B9


@dataclass(frozen=True)
class NoisePlace:
    """Where in a training the noise is drawn.

    Args:
        seed: uint32 scalar of the run.
        step: uint32 scalar, the number of the step or of the stochastic pass.
        examples: uint32 [batch], the index of each example in the data set.
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
        raise RuntimeError("noise layers are active only inside dtrain.layers.noise.noise()") from None


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
    stream = mix(mix(place.seed, tf.constant(noise_index, tf.uint32)), place.step)
    # one by one: a common number of example and element would overflow where both are many
    elements = tf.constant(np.arange(np.prod(shape), dtype=np.uint32))
    return tf.reshape(mix(mix(stream, place.examples)[:, None], elements), [-1, *shape])


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

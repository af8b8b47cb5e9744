"""The noise of dtrain's layers computed again in NumPy, from its definition alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Words = npt.NDArray[np.uint32]


def scramble(word: Words) -> Words:
    """Two multiply-xorshift rounds on 32 bits."""
    word = (word ^ (word >> np.uint32(16))) * np.uint32(0x7FEB352D)
    word = (word ^ (word >> np.uint32(15))) * np.uint32(0x846CA68B)
    return word ^ (word >> np.uint32(16))


def mix(state: Words, value: Words) -> Words:
    """Hashes `state` with `value`."""
    return scramble(state ^ scramble(value + np.uint32(0x9E3779B9)))


def words(seed: int, layer: int, step: int, examples: npt.NDArray[np.int64], features: int) -> Words:
    """The random word of each element [examples, features]."""
    one = np.array([seed], np.uint32)
    stream = mix(mix(one, np.array([layer], np.uint32)), np.array([step], np.uint32))
    return mix(mix(stream, examples.astype(np.uint32))[:, None], np.arange(features, dtype=np.uint32))


def kept(seed: int, layer: int, step: int, batch: int, features: int, rate: float) -> npt.NDArray[np.bool_]:
    """Which elements [batch, features] dropout keeps."""
    return words(seed, layer, step, np.arange(batch), features) >= np.uint32(rate * 2**32)


def normal(words: Words) -> npt.NDArray[np.float64]:
    """The standard normal number of each word: that of the middle of one of 2^23 equal parts of [0, 1]."""
    numbers: npt.NDArray[np.float64] = ndtri(((words >> np.uint32(9)) + 0.5) / 2**23)
    return numbers

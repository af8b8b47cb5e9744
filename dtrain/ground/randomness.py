"""The one enumeration of random streams: what is drawn for one purpose is independent of what is drawn for another."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers are drawn for. A number is never given to another purpose: runs could not be repeated."""

    ORDER = 1
    """The order of the examples in an epoch; its place is the epoch."""
    NOISE = 2
    """The noise layers of a training, which hash layer, step and example into it themselves."""
    PASSES = 3
    """The masks of Monte Carlo dropout, hashed in the same way."""
    LABELLED_IMAGES = 4
    """Which images a seed of a transfer experiment may use."""
    KEPT_INITIALIZERS = 5
    """Random first weights of layers kept from a base; its place is the layer."""
    INITIALIZERS = 6
    """First weights; its places are the layer and the part of it."""
    FINAL_STATISTICS = 7
    """The batches of the pass that makes the final statistics of batch normalization."""
    BOOTSTRAP = 8
    """Images drawn with replacement for intervals."""
    SIGN_FLIPS = 9
    """A sample of the sign-flip test where there are too many signs to go through."""


def generator(seed: int, stream: Stream, *places: int) -> np.random.Generator:
    """Returns a generator for a place in a stream under a seed, which depends on nothing else.

    Args:
        seed: Of the run, below 2^32, as everything here.
        stream: What for.
        places: Where in the stream.
    """
    return np.random.default_rng(_sequence(seed, stream, *places))


def word(seed: int, stream: Stream, *places: int) -> int:
    """Returns 32 random bits for a place in a stream under a seed, to seed other generators with.

    Args:
        seed: Of the run, below 2^32, as everything here.
        stream: What for.
        places: Where in the stream.
    """
    return int(_sequence(seed, stream, *places).generate_state(1)[0])


def _sequence(seed: int, stream: Stream, *places: int) -> np.random.SeedSequence:
    # NumPy pads plain entropy with zeros, so that [1] is [1, 0]; behind a spawn key it pads the seed alone
    return np.random.SeedSequence(seed, spawn_key=(stream, *places))

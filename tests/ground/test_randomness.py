"""Random streams: no two places of any two share a state, and nothing is drawn beside them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

import dtrain
from dtrain.ground import randomness
from dtrain.ground.randomness import Stream, generator, word

ROOT = Path(dtrain.__file__).parent
FEW = (0, 1, 2, 3, 2**32 - 1)
PLACES = [places for length in range(3) for places in itertools.product(FEW, repeat=length)]


def test_no_two_places_of_any_streams_and_seeds_share_a_state() -> None:
    whole = list(itertools.product(FEW, Stream, PLACES))
    states = {tuple(randomness._sequence(seed, stream, *places).generate_state(4)) for seed, stream, places in whole}
    assert len(states) == len(whole) == len(FEW) * len(Stream) * len(PLACES)


def test_numbers_of_two_streams_are_uncorrelated() -> None:
    drawn = np.array([generator(1, stream, 0).normal(size=10_000) for stream in Stream])
    assert np.abs(np.corrcoef(drawn) - np.eye(len(Stream))).max() < 5 / np.sqrt(10_000)


def test_a_place_gives_the_same_numbers_again() -> None:
    assert word(3, Stream.NOISE) == word(3, Stream.NOISE) < 2**32
    first, again = (generator(3, Stream.ORDER, 7).permutation(100) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_no_module_numbers_streams_of_its_own() -> None:
    words = ("default_rng(", "SeedSequence(", "RandomState(", "random.seed(")
    users = {path for path in ROOT.rglob("*.py") if any(word in path.read_text() for word in words)}
    assert users == {Path(randomness.__file__)}

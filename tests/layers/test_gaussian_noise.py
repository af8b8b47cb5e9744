"""Gaussian noise of a base: the oracle's normal numbers in training, nothing in use."""

from __future__ import annotations

import numpy as np

from dtrain.layers.gaussian_noise import CounterGaussianNoise
from tests.layers import noise_oracle
from tests.layers.test_layers import SIX, in_training

INPUTS = np.random.default_rng(0).normal(size=(6, 10))


def test_the_oracles_normal_numbers_are_added() -> None:
    expected = INPUTS + 0.3 * noise_oracle.normal(noise_oracle.words(7, 3, 5, SIX, 10))
    np.testing.assert_allclose(in_training(CounterGaussianNoise(0.3, noise_index=3), INPUTS), expected, rtol=1e-4)


def test_in_use_it_does_nothing_and_keras_has_its_name_and_deviation() -> None:
    layer = CounterGaussianNoise(0.3, noise_index=3, name="noisy")
    np.testing.assert_array_equal(layer(INPUTS, training=False), INPUTS.astype(np.float32))
    assert layer.stock().get_config()["stddev"] == 0.3
    assert layer.stock().name == "noisy"

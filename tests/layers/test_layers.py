"""Noise: what the masks are, how often they drop, and that no two places share one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from dtrain.layers.dropout import CounterAlphaDropout, CounterDropout, CounterGaussianDropout, CounterSpatialDropout
from dtrain.layers.noise import NoisePlace, noise
from dtrain.layers.rrelu import RReLU
from dtrain.layers.scheduled_momentum import ScheduledMomentumSGD
from dtrain.layers.trained_scalar import TrainedScalar
from tests.layers import noise_oracle

SIX = np.arange(6)
FAR_APART = np.array([0, 1, 2**20, 2**20 + 1, 2**31, 2**32 - 1])
"""Images whose numbers, times those of their elements, would be the same in 32 bits."""


def in_training(
    layer: keras.layers.Layer, inputs: np.ndarray, step: int = 5, examples: np.ndarray | None = None
) -> np.ndarray:
    """The layer's output in training at one place; the first images of the data set where nothing else is said."""
    examples = np.arange(len(inputs)) if examples is None else examples
    with noise(NoisePlace(*(tf.constant(one, tf.uint32) for one in (7, step, examples)))):
        return np.asarray(layer(tf.constant(inputs, tf.float32), training=True))


def masks(layer: int, step: int, features: int = 4096) -> np.ndarray:
    """+1 where a unit of two images is kept and -1 where it is dropped, at rate 0.5."""
    outputs = in_training(CounterDropout(0.5, noise_index=layer), np.ones((2, features)), step)
    return np.where(outputs > 0, 1.0, -1.0)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_is_the_oracle_mask_scaled_up(rate: float) -> None:
    inputs = np.random.default_rng(0).normal(size=(6, 10))
    outputs = in_training(CounterDropout(rate, noise_index=3), inputs)
    expected = inputs * noise_oracle.kept(7, 3, 5, 6, 10, rate) / (1 - rate)
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_dropout_drops_as_often_as_its_rate_says(rate: float) -> None:
    count = 400_000
    outputs = in_training(CounterDropout(rate, noise_index=1), np.ones((100, count // 100)))
    deviation = np.sqrt(rate * (1 - rate) / count)
    assert abs((outputs == 0).mean() - rate) < 4 * deviation
    assert abs(outputs.mean() - 1) < 4 * deviation / (1 - rate)


def bells(layer: int, step: int, features: int = 4096) -> np.ndarray:
    """The standard normal numbers that disturb two images."""
    return in_training(CounterGaussianDropout(0.5, noise_index=layer), np.ones((2, features)), step) - 1


def channels(layer: int, step: int, features: int = 4096) -> np.ndarray:
    """+1 where a channel of two images is kept and -1 where it is dropped, at rate 0.5."""
    outputs = in_training(CounterSpatialDropout(0.5, noise_index=layer), np.ones((2, 1, 1, features)), step)
    return np.where(outputs[:, 0, 0] > 0, 1.0, -1.0)


@pytest.mark.parametrize("draw", [masks, bells, channels])
def test_masks_of_layers_steps_and_images_are_uncorrelated_at_every_small_shift(
    draw: Callable[[int, int], np.ndarray],
) -> None:
    drawn = [one for layer, step in itertools.product((0, 1, 2), (4, 5, 6)) for one in draw(layer, step)]
    length = len(drawn[0]) - 64
    for first, second in itertools.combinations(drawn, 2):
        for shift in range(-32, 33):
            correlation = (first[32 : 32 + length] * second[32 + shift : 32 + shift + length]).mean()
            assert abs(correlation) < 5.5 / np.sqrt(length)


def test_a_mask_is_uncorrelated_with_itself_shifted() -> None:
    one = masks(1, 5)[0]
    for shift in range(1, 200):
        assert abs((one[shift:] * one[:-shift]).mean()) < 5 / np.sqrt(len(one) - shift)


@pytest.mark.parametrize("examples", [SIX, FAR_APART], ids=["neighbours", "far apart"])
@pytest.mark.parametrize("noisy", [CounterDropout, CounterGaussianDropout])
def test_no_two_images_of_a_batch_share_their_noise(noisy: type[keras.layers.Layer], examples: np.ndarray) -> None:
    images = in_training(noisy(0.5, noise_index=1), np.ones((6, 4096)), examples=examples) - 1
    for first, second in itertools.combinations(images, 2):
        for shift in range(-8, 9):
            assert abs((first[8:-8] * second[8 + shift : 4088 + shift]).mean()) < 5 / np.sqrt(4080)


RANDOM_LAYERS = [
    CounterDropout(0.5, noise_index=1),
    CounterAlphaDropout(0.5, noise_index=1),
    CounterGaussianDropout(0.5, noise_index=1),
    CounterSpatialDropout(0.5, noise_index=1),
    RReLU(0.1, 0.3, noise_index=1),
]


@pytest.mark.parametrize("layer", RANDOM_LAYERS)
def test_noise_belongs_to_images_and_not_to_their_places_in_a_batch(layer: keras.layers.Layer) -> None:
    inputs, places = np.random.default_rng(0).normal(size=(6, 2, 2, 5)), np.array([4, 0, 5, 2, 1, 3])
    expected = in_training(layer, inputs, examples=FAR_APART)[places]
    np.testing.assert_array_equal(in_training(layer, inputs[places], examples=FAR_APART[places]), expected)


def test_gaussian_dropout_multiplies_by_the_oracles_normal_numbers() -> None:
    rate, inputs = 0.2, np.random.default_rng(0).normal(size=(6, 10))
    expected = inputs * (1 + np.sqrt(rate / (1 - rate)) * noise_oracle.normal(noise_oracle.words(7, 3, 5, SIX, 10)))
    np.testing.assert_allclose(in_training(CounterGaussianDropout(rate, noise_index=3), inputs), expected, rtol=1e-4)


def test_gaussian_dropout_is_normal_with_the_variance_of_dropout() -> None:
    rate = 0.2
    outputs = in_training(CounterGaussianDropout(rate, noise_index=1), np.ones((100, 2000)))
    numbers = (outputs.ravel() - 1) / np.sqrt(rate / (1 - rate))
    assert stats.kstest(numbers, "norm").pvalue > 1e-4
    assert np.isfinite(noise_oracle.normal(np.array([0, 2**32 - 1], np.uint32))).all()


def test_spatial_dropout_drops_the_oracles_channels_as_a_whole() -> None:
    inputs = np.random.default_rng(0).normal(size=(6, 3, 4, 10))
    kept = noise_oracle.kept(7, 3, 5, 6, 10, 0.3)[:, None, None]
    outputs = in_training(CounterSpatialDropout(0.3, noise_index=3), inputs)
    np.testing.assert_allclose(outputs, inputs * kept / 0.7, rtol=1e-6)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    inputs = np.random.default_rng(1).normal(size=(1000, 400))
    outputs = in_training(CounterAlphaDropout(0.2, noise_index=2), inputs)
    assert outputs.mean() == pytest.approx(0, abs=0.01)
    assert outputs.var() == pytest.approx(1, abs=0.01)


def test_alpha_dropout_is_an_affine_map_of_units_set_to_the_floor_of_selu() -> None:
    rate, inputs = 0.3, np.random.default_rng(0).normal(size=(6, 10))
    floor = float(keras.activations.selu(tf.constant(-1e9)))
    scale = ((1 - rate) * (1 + rate * floor**2)) ** -0.5
    dropped = np.where(noise_oracle.kept(7, 2, 5, 6, 10, rate), inputs, floor)
    outputs = in_training(CounterAlphaDropout(rate, noise_index=2), inputs)
    np.testing.assert_allclose(outputs, scale * dropped - scale * rate * floor, rtol=1e-5, atol=1e-6)


def test_rrelu_slopes_are_uniform_in_their_range_and_the_mean_in_use() -> None:
    layer = RReLU(0.1, 0.3, noise_index=4)
    slopes = -in_training(layer, np.full((200, 500), -1.0))
    assert slopes.min() >= 0.1 and slopes.max() <= 0.3
    assert slopes.mean() == pytest.approx(0.2, abs=0.001)
    assert slopes.std() == pytest.approx(0.2 / np.sqrt(12), abs=0.001)
    np.testing.assert_allclose(layer(np.array([[-2.0, 3.0]]), training=False), [[-0.4, 3.0]], rtol=1e-6)


@pytest.mark.parametrize("kind", [CounterDropout, CounterAlphaDropout, CounterGaussianDropout])
def test_dropout_does_nothing_in_use_and_when_switched_off(kind: type[keras.layers.Layer]) -> None:
    inputs, layer = np.ones((2, 3), np.float32), kind(0.5, noise_index=1)
    np.testing.assert_array_equal(layer(inputs, training=False), inputs)
    with noise(None):
        np.testing.assert_array_equal(layer(inputs, training=True), inputs)


def test_noise_outside_a_place_is_an_error_and_not_silence() -> None:
    with pytest.raises(RuntimeError, match="only inside"):
        CounterDropout(0.5, noise_index=1)(np.ones((2, 3)), training=True)


@pytest.mark.parametrize("layer", RANDOM_LAYERS)
def test_the_stock_layer_predicts_the_same(layer: keras.layers.Layer) -> None:
    inputs = np.random.default_rng(0).normal(size=(4, 2, 2, 5)).astype(np.float32)
    np.testing.assert_allclose(layer.stock()(inputs, training=False), layer(inputs, training=False), rtol=1e-6)
    assert type(layer.stock()).__module__.startswith("keras.")


@pytest.mark.parametrize("multiplies", [False, True])
def test_a_trained_scalar_becomes_a_constant_of_keras(multiplies: bool) -> None:
    inputs = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    layer = TrainedScalar(multiplies=multiplies)
    np.testing.assert_array_equal(layer(inputs), inputs)
    layer.scalar.assign([-0.3])
    np.testing.assert_allclose(layer(inputs), inputs * -0.3 if multiplies else inputs - 0.3, rtol=1e-6)
    np.testing.assert_allclose(layer.stock()(inputs), layer(inputs), rtol=1e-6)
    assert TrainedScalar.from_config(layer.get_config()).multiplies == multiplies


def test_layers_survive_their_configuration() -> None:
    again = RReLU.from_config(RReLU(0.1, 0.3, noise_index=4).get_config())
    assert (again.lower, again.upper, again.noise_index) == (0.1, 0.3, 4)
    assert CounterDropout.from_config(CounterDropout(0.4, noise_index=2).get_config()).noise_index == 2


@pytest.mark.parametrize("nesterov", [False, True])
def test_scheduled_momentum_follows_its_recurrence(nesterov: bool) -> None:
    weight = keras.Variable([1.0])
    optimizer = ScheduledMomentumSGD(learning_rate=0.1, momentum=0.9, nesterov=nesterov)
    optimizer.build([weight])
    value, velocity = 1.0, 0.0
    for momentum in (0.9, 0.5, 0.8):
        optimizer.scheduled_momentum.assign(momentum)
        gradient = 2 * value
        velocity = momentum * velocity - 0.1 * gradient
        value += momentum * velocity - 0.1 * gradient if nesterov else velocity
        optimizer.apply([tf.constant([gradient], tf.float32)], [weight])
        assert float(weight[0]) == pytest.approx(value, rel=1e-5)

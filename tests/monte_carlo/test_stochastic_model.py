"""Stochastic passes: only dropout is random, masks belong to images, and the mean is what theory says."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import dtrain.monte_carlo.passes
from dtrain.data.scaling import Scaling, fit_scaling
from dtrain.engine.model import Output
from dtrain.ground.errors import ConfigError, EnvironmentProblem, ModelFileError
from dtrain.ground.randomness import Stream, word
from dtrain.monte_carlo.passes import Batch, check_varies, kept_passes, sample
from dtrain.monte_carlo.stochastic_model import StochasticModel, always_on_copy
from dtrain.statistics.uncertainty import Uncertainty
from tests.layers import noise_oracle

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 3, 3), dtype=np.uint8)
UNIT = fit_scaling("unit", IMAGES)
AS_STORED = fit_scaling("none", IMAGES)


def network(*layers: keras.layers.Layer, output: int = 3) -> keras.Model:
    last = keras.layers.Dense(output, "softmax" if output > 1 else "sigmoid")
    return keras.Sequential([keras.Input((3, 3)), keras.layers.Flatten(), *layers, last])


def stochastic(model: keras.Model, output: Output = "softmax", scaling: Scaling = UNIT) -> StochasticModel:
    return StochasticModel(model, output, scaling, "model")


def sampled(model: StochasticModel, samples: int = 10, seed: int = 1) -> Uncertainty:
    return sample(model, IMAGES, None, samples, seed, lambda batch: None)[0]


def test_only_dropout_is_random_and_the_model_stays_as_it_is() -> None:
    layers = keras.layers
    model = network(layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.5), layers.GaussianNoise(1.0))
    model.layers[2].moving_mean.assign(np.arange(8.0))
    before = [np.array(variable) for variable in model.variables]
    active = stochastic(model)
    passes = active.passes(active.begin(IMAGES), np.arange(12), 1, 0, 2)
    assert np.ptp(passes, axis=0).max() > 0.01
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    # by hand: what goes into dropout, the mask of the oracle, what comes out
    signal = model.layers[2](model.layers[1](IMAGES.reshape(12, 9) / 255.0), training=False)
    kept = noise_oracle.kept(word(1, Stream.PASSES), 1, 1, 12, 8, 0.5)
    np.testing.assert_allclose(passes[1], model.layers[-1](signal * kept / 0.5), rtol=1e-4, atol=1e-6)


def test_with_dropout_off_it_predicts_as_keras_does() -> None:
    model = network(keras.layers.Dropout(0.3), keras.layers.Dense(5, "selu"), keras.layers.AlphaDropout(0.2))
    active = stochastic(model)
    np.testing.assert_allclose(active.plain(active.begin(IMAGES)), model(IMAGES / 255.0), rtol=1e-5)
    assert [(one.kind, one.rate) for one in active.layers] == [("Dropout", 0.3), ("AlphaDropout", 0.2)]


def test_masks_depend_on_seed_pass_and_image_and_not_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    active = stochastic(network(keras.layers.Dropout(0.3), keras.layers.Dense(4, "relu")))
    whole = sampled(active)
    monkeypatch.setattr(dtrain.monte_carlo.passes, "BATCH", 5)
    monkeypatch.setattr(dtrain.monte_carlo.passes, "CHUNK_PASSES", 2)
    np.testing.assert_allclose(sampled(active).deviation, whole.deviation, atol=1e-6)
    assert np.abs(sampled(active, seed=2).deviation - whole.deviation).max() > 1e-3
    alone = active.passes(active.begin(IMAGES[7:8]), np.array([7]), 1, 3, 1)
    together = active.passes(active.begin(IMAGES), np.arange(12), 1, 0, 4)
    np.testing.assert_allclose(alone[0, 0], together[3, 7], atol=1e-6)


def test_the_mean_of_a_linear_model_is_its_plain_prediction_and_the_deviation_has_a_closed_form() -> None:
    rate, samples = 0.4, 2000
    images = np.full((12, 3, 3), 0.05, np.float32) * (1 + np.arange(12, dtype=np.float32))[:, None, None]
    model = keras.Sequential([keras.Input((3, 3)), keras.layers.Flatten(), keras.layers.Dropout(rate)])
    model.add(keras.layers.Dense(2))
    # two outputs that are linear in dropout's: 0.2 + the mean pixel, and 1 minus that
    model.set_weights([np.tile([1 / 9, -1 / 9], (9, 1)), np.array([0.2, 0.8])])
    active = stochastic(model, scaling=AS_STORED)
    passes = active.passes(active.begin(images), np.arange(12), 1, 0, samples)
    pixel = images[:, 0, 0]
    deviation = pixel * np.sqrt(rate / (1 - rate) / 9)
    np.testing.assert_allclose(passes[:, :, 0].std(axis=0), deviation, rtol=0.08)
    assert np.all(np.abs(passes[:, :, 0].mean(axis=0) - (0.2 + pixel)) < 4 * deviation / np.sqrt(samples))


def test_two_dropout_layers_have_masks_of_their_own() -> None:
    """With one mask for both, what is kept would be doubled twice and dropped once: the mean would double."""
    model = keras.Sequential([keras.Input((3, 3)), keras.layers.Flatten()])
    for layer in (keras.layers.Dropout(0.5), keras.layers.Dropout(0.5), keras.layers.Dense(2)):
        model.add(layer)
    model.set_weights([np.tile([1 / 9, -1 / 9], (9, 1)), np.array([0.2, 0.8])])
    active = stochastic(model, scaling=AS_STORED)
    passes = active.passes(active.begin(np.full((12, 3, 3), 0.2, np.float32)), np.arange(12), 1, 0, 500)
    # the root of 3 / 9 is the deviation of a mean of nine that are 4 or 0, 4 with a probability of a quarter
    assert passes[:, :, 0].mean() == pytest.approx(0.4, abs=4 * 0.2 * (3 / 9) ** 0.5 / 6000**0.5)


def branched() -> keras.Model:
    images = keras.Input((3, 3))
    flat = keras.layers.Flatten()(images)
    first = keras.layers.Dropout(0.5)(keras.layers.Dense(4)(flat))
    second = keras.layers.Dropout(0.5)(keras.layers.Dense(4)(flat))
    return keras.Model(images, keras.layers.Dense(3, "softmax")(keras.layers.Add()([first, second])))


def nested() -> keras.Model:
    images = keras.Input((3, 3))
    return keras.Model(images, network(keras.layers.Dropout(0.5))(images))


@pytest.mark.parametrize("build", [branched, nested])
def test_models_that_are_no_chain(build: Any) -> None:
    model = build()
    active = stochastic(model)
    np.testing.assert_allclose(sampled(active).plain, model(IMAGES / 255.0), rtol=1e-5)
    assert sampled(active).deviation.max() > 0.01


def test_two_classes_by_a_sigmoid() -> None:
    found = sampled(stochastic(network(keras.layers.Dropout(0.5), output=1), "sigmoid"))
    np.testing.assert_allclose(found.mean.sum(axis=1), 1, rtol=1e-6)
    assert found.mean.shape == (12, 2)


def test_row_53_models_without_any_variance() -> None:
    with pytest.raises(ConfigError, match="no dropout layer"):
        stochastic(network(keras.layers.GaussianNoise(0.5)))
    with pytest.raises(ConfigError, match="rate 0"):
        stochastic(network(keras.layers.Dropout(0.0)))
    dead = network(keras.layers.Dropout(0.5))
    dead.layers[-1].kernel.assign(np.zeros((9, 3)))
    with pytest.raises(ConfigError, match="same probabilities in 50 passes for 12 images"):
        check_varies(stochastic(dead), IMAGES, 1, "model")


def test_outputs_that_are_no_probabilities() -> None:
    logits = keras.Sequential([network(keras.layers.Dropout(0.5)), keras.layers.Dense(3)])
    with pytest.raises(ModelFileError, match="expected probabilities"):
        check_varies(stochastic(logits), IMAGES, 1, "model")


def test_passes_are_kept_in_the_order_of_passes_and_images_whatever_the_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = stochastic(network(keras.layers.Dropout(0.3)))
    monkeypatch.setattr(dtrain.monte_carlo.passes, "BATCH", 5)
    monkeypatch.setattr(dtrain.monte_carlo.passes, "CHUNK_PASSES", 2)
    with kept_passes(tmp_path / "passes.npy", (7, 12, 3)) as keep:
        sample(active, IMAGES, None, 7, 1, keep)
    expected = active.passes(active.begin(IMAGES), np.arange(12), 1, 0, 7)
    np.testing.assert_allclose(np.load(tmp_path / "passes.npy"), expected, atol=1e-6)


def test_a_disk_that_fills_up_is_told_of_and_leaves_no_part_of_the_passes(tmp_path: Path) -> None:
    with (
        pytest.raises(EnvironmentProblem, match="No space left"),
        kept_passes(tmp_path / "passes.npy", (7, 12, 3)) as keep,
    ):
        keep(Batch(0, 0, np.zeros((2, 12, 3))))
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_the_saved_model_is_random_in_prediction_and_has_the_same_weights(tmp_path: Path) -> None:
    model = network(keras.layers.Dropout(0.5), keras.layers.Dense(4, "selu"), keras.layers.AlphaDropout(0.3))
    always_on_copy(model).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = np.repeat(IMAGES[:1] / 255.0, 2000, axis=0)
    predicted = loaded.predict(inputs, batch_size=2000, verbose=0)
    assert predicted.std(axis=0).max() > 0.01
    for ours, kept in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, kept)
    assert [type(layer).__name__ for layer in loaded.layers[1::2]] == ["MCDropout", "MCAlphaDropout"]

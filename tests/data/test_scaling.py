"""Scaling is computed from the training images, and hardly ever lit pixels do no harm."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.data.scaling import DEVIATION_FLOOR, fit_scaling
from dtrain.data.sources import load_images
from dtrain.ground.errors import DataError
from tests.peak_memory import peak_memory

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (2_500, 5, 4)).astype("u1")


def test_unit_brings_bytes_to_zero_and_one() -> None:
    scaled = fit_scaling("unit", BYTES).apply(np.array([[0, 51, 255]], "u1"))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[0, 0.2, 1]], rtol=1e-6)
    assert scaled.max() == 1


@pytest.mark.parametrize(
    ("low", "high", "offset", "factor"),
    [(0.0, 1.0, 0, 1), (0.25, 0.5, 0, 1), (-1, 1, -1, 0.5), (0, 255, 0, 1 / 255)],
)
def test_unit_brings_floats_to_zero_and_one_unless_they_are_there(
    low: float, high: float, offset: float, factor: float
) -> None:
    scaling = fit_scaling("unit", np.linspace(low, high, 40, dtype=np.float32).reshape(10, 2, 2))
    assert (scaling.offset.shape, scaling.factor.shape) == ((), ())
    np.testing.assert_allclose([scaling.offset, scaling.factor], [offset, factor], rtol=1e-6)


def test_none_leaves_the_values() -> None:
    np.testing.assert_array_equal(fit_scaling("none", BYTES).apply(BYTES), BYTES.astype(np.float32))


@pytest.mark.parametrize("images", [BYTES, BYTES / np.float32(7) + 1000, BYTES.reshape(-1, 5, 2, 2)])
def test_standardize_gives_each_pixel_mean_0_and_deviation_1(images: np.ndarray) -> None:
    scaling = fit_scaling("standardize", images)
    assert scaling.offset.shape == scaling.factor.shape == images.shape[1:]
    assert scaling.offset.dtype == scaling.factor.dtype == np.float32
    scaled = scaling.apply(images)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-3)


def test_nearly_constant_pixels_are_divided_by_the_floor() -> None:
    images = BYTES.copy()
    images[:, 0, 0] = 0
    images[7, 0, 0] = 1
    factor = fit_scaling("standardize", images).factor
    expected = 1 / (DEVIATION_FLOOR * images.std())
    np.testing.assert_allclose(factor[0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(factor[0, 1], 1 / images[:, 0, 1].std(), rtol=1e-5)


@pytest.mark.parametrize("name", ["mnist_sample", "fashion_mnist_sample"])
def test_no_test_pixel_lands_far_outside(name: str) -> None:
    images = load_images(name)
    scaled = fit_scaling("standardize", images.train_images).apply(images.test_images)
    assert np.abs(scaled).max() < 255 / (DEVIATION_FLOOR * images.train_images.std()) < 12


def test_the_training_images_are_never_copied_whole() -> None:
    images = np.tile(BYTES, (40, 2, 2))
    with peak_memory() as peak:
        fit_scaling("standardize", images)
        assert peak() < images.nbytes / 2


@pytest.mark.parametrize("kind", ["unit", "standardize"])
def test_one_value_everywhere_cannot_be_scaled(kind: str) -> None:
    with pytest.raises(DataError, match="same value"):
        fit_scaling(kind, np.full((5, 2, 2), 7, np.float32))  # type: ignore[arg-type]

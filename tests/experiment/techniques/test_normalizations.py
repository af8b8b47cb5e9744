"""Each normalization against NumPy, and the numbers of groups that fit a layer."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from dtrain.experiment.techniques.normalizations import BatchNorm, GroupNorm, LayerNorm
from dtrain.experiment.techniques.technique import Contradiction, LayerSite

RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(3, 2, size=(4, 12)).astype(np.float32)
IMAGES = RANDOM.normal(3, 2, size=(4, 3, 5, 6)).astype(np.float32)
EPSILON = 1e-3


def normalized(signal: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    mean, variance = signal.mean(axis=axes, keepdims=True), signal.var(axis=axes, keepdims=True)
    return np.asarray((signal - mean) / np.sqrt(variance + EPSILON))


def site(width: int, *, convolutional: bool = False) -> LayerSite:
    return LayerSite("norm_1", 1, convolutional, width)


def test_layer_norm_is_over_all_units_of_an_example() -> None:
    layer = LayerNorm(epsilon=EPSILON).build(site(12))
    np.testing.assert_allclose(layer(VECTORS), normalized(VECTORS, (1,)), atol=1e-5)


def test_layer_norm_of_images_is_over_positions_and_channels() -> None:
    layer = LayerNorm(epsilon=EPSILON).build(site(6, convolutional=True))
    np.testing.assert_allclose(layer(IMAGES), normalized(IMAGES, (1, 2, 3)), atol=1e-5)


@pytest.mark.parametrize("groups", [None, 6])
def test_group_norm_is_over_the_units_of_a_group(groups: int | None) -> None:
    layer = GroupNorm(groups=groups).build(site(12))
    expected = normalized(VECTORS.reshape(4, groups or 3, -1), (2,)).reshape(4, 12)
    np.testing.assert_allclose(layer(VECTORS), expected, atol=1e-5)


def test_group_norm_of_images_is_over_positions_and_the_channels_of_a_group() -> None:
    layer = GroupNorm(groups=2).build(site(6, convolutional=True))
    expected = normalized(IMAGES.reshape(4, 3, 5, 2, 3), (1, 2, 4)).reshape(IMAGES.shape)
    np.testing.assert_allclose(layer(IMAGES), expected, atol=1e-5)


@pytest.mark.parametrize(("width", "groups"), [(300, 30), (100, 25), (784, 28), (64, 16), (16, 4), (17, 1), (2, 1)])
def test_the_default_groups_are_the_most_that_divide_a_layer_into_groups_of_four_or_more(
    width: int, groups: int
) -> None:
    assert GroupNorm().build(site(width)).groups == groups


@pytest.mark.parametrize(
    ("technique", "where", "message"),
    [
        (GroupNorm(groups=7), site(100), "got 7 with a layer of 100 units; expected 5 or 10"),
        (GroupNorm(groups=100), site(100), "got 100 with a layer of 100 units; expected 50"),
        (GroupNorm(groups=8), site(1, convolutional=True), "got 8 with a layer of 1 channel; expected 1"),
        (LayerNorm(), site(1), "got 'layer_norm' behind a layer of 1 unit; expected 2 or more"),
    ],
)
def test_what_does_not_fit_a_width_is_refused(technique: GroupNorm | LayerNorm, where: LayerSite, message: str) -> None:
    with pytest.raises(Contradiction) as caught:
        technique.check(where, "a layer")
    assert caught.value.message == message


def test_an_axis_is_one_of_the_inputs() -> None:
    with pytest.raises(ValidationError, match="expected both, or neither"):
        BatchNorm(axis=-1)


def test_what_fits_is_let_through() -> None:
    GroupNorm(groups=6).check(site(6, convolutional=True), "a convolution")
    GroupNorm(groups=50).check(site(100), "a layer")

"""What a graft computes, starts from and freezes, against Keras's own model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from dtrain.engine.model import stock_model
from dtrain.ground.errors import ModelFileError
from dtrain.layers.dropout import CounterDropout
from dtrain.reuse.grafting import GENERATORS
from tests.reuse.grafts import SHAPE, graft_of, residual_base, save_base

IMAGES = np.random.default_rng(0).uniform(size=(9, *SHAPE)).astype(np.float32)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_base(tmp_path / "base.keras")


def kept_signal(path: Path, layer: str) -> np.ndarray:
    """What the original makes of the images up to a layer."""
    original = keras.models.load_model(path)
    if not isinstance(original, keras.Sequential):
        return np.asarray(keras.Model(original.input, original.get_layer(layer).output)(IMAGES))
    signal = IMAGES
    for one in original.layers[: original.layers.index(original.get_layer(layer)) + 1]:
        signal = one(signal)
    return np.asarray(signal)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_kept_layers_compute_what_the_base_does(tmp_path: Path, suffix: str) -> None:
    path = save_base(tmp_path / f"base.{suffix}")
    graft = graft_of(path)
    model = graft.build(3)
    model.set_weights(graft.first_weights(3))
    inner = keras.Model(model.input, model.get_layer("high").output)
    np.testing.assert_allclose(inner(IMAGES), kept_signal(path, "high"), rtol=1e-5, atol=1e-6)


def test_a_residual_base_keeps_its_branches(tmp_path: Path) -> None:
    path = residual_base(tmp_path / "base.keras")
    graft = graft_of(path)
    model = graft.build(3)
    model.set_weights(graft.first_weights(3))
    inner = keras.Model(model.input, model.get_layer("sum").output)
    np.testing.assert_allclose(inner(IMAGES), kept_signal(path, "sum"), rtol=1e-5, atol=1e-6)


def test_convolutions_alone_are_flattened_for_the_new_output(tmp_path: Path) -> None:
    layers = [keras.layers.Conv2D(3, 3, activation="relu"), keras.layers.MaxPooling2D(name="pool")]
    layers += [keras.layers.Flatten(), keras.layers.Dense(4)]
    path = save_base(tmp_path / "base.keras", layers, (6, 5, 1))
    graft = graft_of(path, classes=3, transfer={"reuse": "pool", "hidden": [7]})
    model = graft.build(0)
    assert graft.convolutional
    assert [layer.name for layer in model.layers][3:5] == ["pool", "flatten_kept"]
    assert model.get_layer("dense_2").kernel.shape == (2 * 1 * 3, 7)
    assert model.output_shape == (None, 3)


def test_the_output_fits_the_classes(base: Path) -> None:
    assert graft_of(base).build(0).output_shape == (None, 1)
    assert graft_of(base, classes=3).build(0).output_shape == (None, 3)
    assert graft_of(base, network={"hidden": [1], "output": "softmax"}).build(0).output_shape == (None, 2)


def test_random_layers_follow_the_pairs_of_the_lesson_and_the_new_ones_are_shared(tmp_path: Path) -> None:
    layers = [keras.layers.Flatten()]
    layers += [keras.layers.Dense(400, "selu", name="selu"), keras.layers.Dense(400, name="relu"), keras.layers.ReLU()]
    layers += [keras.layers.Dense(300, "tanh", name="tanh"), keras.layers.Dense(3, "softmax")]
    graft = graft_of(save_base(tmp_path / "base.keras", layers, (20, 20)), (20, 20))
    model = graft.build(7)
    variances = {"selu": 1 / 400, "relu": 2 / 400, "tanh": 2 / 700}
    for name, variance in variances.items():
        assert np.var(model.get_layer(name).kernel) == pytest.approx(variance, rel=0.02)
    fresh = replace(graft, reused=False)
    random, reused = fresh.first_weights(7), graft.first_weights(7)
    assert [np.array_equal(*pair) for pair in zip(random, reused, strict=True)] == 6 * [False] + 2 * [True]
    assert not np.array_equal(fresh.first_weights(8)[0], random[0])


def test_freezing_goes_from_the_images_up_and_new_layers_always_train(base: Path) -> None:
    graft = graft_of(base)
    model = graft.build(0)
    for unfrozen, expected in (
        (0, ["output"]),
        (1, ["high", "output"]),
        (2, ["middle", "normalized", "high", "output"]),
    ):
        graft.freeze(model, unfrozen)
        assert list(dict.fromkeys(one.path.split("/")[0] for one in model.trainable_variables)) == expected
    graft.freeze(model, 3)
    assert len(model.trainable_variables) == 9


def test_a_kept_layer_gives_way_to_new_ones_of_its_name(tmp_path: Path) -> None:
    layers = [keras.layers.Flatten(name="images"), keras.layers.Dense(5, "relu", name="dense_2")]
    graft = graft_of(
        save_base(tmp_path / "base.keras", [*layers, keras.layers.Dense(3, name="x")]), transfer={"hidden": [4]}
    )
    names = [layer.name for layer in graft.build(0).layers]
    assert names == ["images", "base_images", "base_dense_2", "dense_2", "activation_2", "output"]


def test_penalty_and_constraint_hold_for_kept_and_new_layers(base: Path) -> None:
    model = graft_of(base, regularizer=[{"kind": "l2", "factor": 0.1}, {"kind": "max_norm", "value": 2.0}]).build(0)
    kernels = [model.get_layer(name) for name in ("low", "middle", "high")]
    assert [float(one.kernel_regularizer.l2) for one in kernels] == pytest.approx([0.1, 0.1, 0.1])
    assert {one.kernel_constraint.max_value for one in kernels} == {2.0}


def test_dropout_of_the_base_draws_from_counters(base: Path) -> None:
    layer = graft_of(base).build(0).get_layer("dropped")
    assert isinstance(layer, CounterDropout) and layer.rate == 0.5


@pytest.mark.parametrize("kind", sorted(GENERATORS))
def test_every_noise_on_the_list_of_safe_layers_can_be_kept(kind: str, tmp_path: Path) -> None:
    noisy = getattr(keras.layers, kind)(0.3, name="noisy")
    layers = [keras.layers.Reshape((6, 5, 1), name="shaped"), noisy, keras.layers.Flatten(name="flatten")]
    path = save_base(tmp_path / "base.keras", [*layers, keras.layers.Dense(5, name="low"), keras.layers.Dense(3)])
    stock = stock_model(graft_of(path).build(0)).get_layer("noisy").get_config()
    original = noisy.get_config()
    assert {key: stock[key] for key in ("name", "rate", "stddev") if key in stock} == {
        key: original[key] for key in ("name", "rate", "stddev") if key in original
    }


def test_a_noise_shape_is_refused(tmp_path: Path) -> None:
    noisy = [keras.layers.Flatten(), keras.layers.Dropout(0.1, noise_shape=(None, 1), name="noisy")]
    path = save_base(tmp_path / "base.keras", [*noisy, keras.layers.Dense(5), keras.layers.Dense(3)])
    with pytest.raises(ModelFileError, match="layer 'noisy' is a Dropout with a noise_shape"):
        graft_of(path).build(0)


def test_the_base_stays_as_it_is(base: Path) -> None:
    graft = graft_of(base)
    before = [one.copy() for one in graft.base.model.get_weights()]
    model = graft.build(0)
    model.set_weights([one + 1 for one in graft.first_weights(0)])
    graft.freeze(model, 0)
    assert all(map(np.array_equal, before, graft.base.model.get_weights()))
    assert all(layer.trainable for layer in graft.base.model.layers)

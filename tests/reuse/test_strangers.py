"""The ordinary files of strangers predict in dtrain what they predict in Keras."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from dtrain.ground.errors import ModelFileError
from dtrain.reuse.allow_list import IDLE
from tests.reuse import strangers
from tests.reuse.helpers import arrays_of, edit_archive, load_base, read_member, refusal, with_weights, write_keras_2


@pytest.mark.parametrize("style", strangers.STYLES)
def test_a_file_predicts_what_keras_does(style: str, tmp_path: Path) -> None:
    model = strangers.trained(style)
    images = np.random.default_rng(1).random((3, *model.input_shape[1:]), np.float32)
    for suffix in ("keras", "h5"):
        path = tmp_path / f"{style}.{suffix}"
        model.save(path)
        base = load_base(path)
        expected = model(images, training=False)
        np.testing.assert_allclose(base.model(images, training=False), expected, rtol=1e-4, atol=1e-6, err_msg=suffix)
        names = [plan.name for plan in base.architecture.layers]
        assert len(names) == len(set(names))


def test_an_inner_model_of_keras_2_predicts_what_its_arrays_say(tmp_path: Path) -> None:
    base = load_base(strangers.write_keras_2_nested(tmp_path / "old.h5"))
    arrays, images = arrays_of([12, 5, 4, 3]), np.random.default_rng(1).random((2, 12), np.float32)
    signal = np.maximum(images @ arrays["dense_0"]["kernel"] + arrays["dense_0"]["bias"], 0)
    signal = signal @ arrays["dense_1"]["kernel"] + arrays["dense_1"]["bias"]
    signal = np.where(signal > 0, signal, 0.25 * signal) @ arrays["dense_2"]["kernel"] + arrays["dense_2"]["bias"]
    exponentials = np.exp(signal - signal.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(base.model(images), expected, rtol=1e-5)
    assert [plan.name for plan in base.architecture.layers][:2] == ["inner.dense_0", "inner.dense_1"]


def test_optimizer_loss_and_metrics_are_not_judged(archive: Path) -> None:
    config = json.loads(read_member(archive, "config.json"))
    foreign = {"class_name": "MyOptimizer", "module": "mine", "registered_name": "mine>MyOptimizer", "config": {}}
    config["compile_config"] = {"optimizer": foreign, "loss": foreign}
    config["config"]["layers"][2]["build_config"] = foreign
    edit_archive(archive, config=json.dumps(config).encode())
    assert load_base(archive).classes == 3


@pytest.mark.parametrize("name", sorted(IDLE))
def test_what_is_left_out_does_nothing_in_use(name: str) -> None:
    options = {"RandomTranslation": (0.5, 0.5), "RandomFlip": (), "Identity": (), "ActivityRegularization": (0.1,)}
    layer = getattr(keras.layers, name)(*options.get(name, (0.5,)))
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32) * 255
    assert not layer.weights
    np.testing.assert_array_equal(keras.Sequential([keras.Input((8, 8, 3)), layer])(images, training=False), images)


def test_arrays_in_another_order_come_with_the_version_that_wrote_them(tmp_path: Path, archive: Path) -> None:
    with_weights(archive, lambda file: file["layers/dense/vars"].attrs.modify("name", "b"))
    edit_archive(archive, metadata=b'{"keras_version": "3.0.5"}')
    path = write_keras_2(tmp_path / "old.h5", arrays=arrays_of([12, 6, 5, 3]))
    said = [refusal_hint(archive), refusal_hint(path)]
    assert said == [f"Keras {one} wrote it: save the model again with Keras 3.15" for one in ("3.0.5", "2.15.0")]


def refusal_hint(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        load_base(path)
    return caught.value.problems[0].hint


def test_a_normalization_that_nobody_adapted(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Normalization(mean=2, variance=4, name="n"), keras.layers.Dense(2)]
    )
    model.save(tmp_path / "model.keras")
    base, images = load_base(tmp_path / "model.keras"), np.random.default_rng(0).random((2, 4), np.float32)
    np.testing.assert_allclose(base.model(images), model(images), rtol=1e-5)
    config = json.loads(read_member(tmp_path / "model.keras", "config.json"))
    config["config"]["layers"][1]["config"]["mean"] = None
    edit_archive(tmp_path / "model.keras", config=json.dumps(config).encode())
    assert "layer 'n' has no mean" in refusal(tmp_path / "model.keras")

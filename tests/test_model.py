"""From an experiment to layers: their order, their seeds, and the stock model that is saved."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dtrain.model import build_model, output_kind, stock_model
from dtrain.spec import Experiment
from dtrain.techniques.activations import ActivationTechnique

IMAGES = np.random.default_rng(0).normal(size=(20, 28, 28)).astype(np.float32)


def model_of(seed: int = 1, classes: int = 10, shape: tuple[int, ...] = (28, 28), **written: Any) -> keras.Model:
    plain = {"network": [12, 8], "dataset": {"classes": list(range(classes))}}
    return build_model(Experiment.model_validate(plain | written), shape, classes, seed)


def layers_of(**written: Any) -> list[str]:
    return [layer.name for layer in model_of(**written).layers]


def test_the_activation_is_a_layer_of_its_own_behind_the_linear_one() -> None:
    assert layers_of() == ["images", "flatten", "dense_1", "activation_1", "dense_2", "activation_2", "output"]


def test_batch_norm_behind_the_activation() -> None:
    assert layers_of(normalization="batch_norm")[2:5] == ["dense_1", "activation_1", "batch_norm_1"]


def test_batch_norm_before_the_activation_takes_the_place_of_the_bias() -> None:
    model = model_of(normalization={"kind": "batch_norm", "position": "before"})
    assert [layer.name for layer in model.layers][2:5] == ["dense_1", "batch_norm_1", "activation_1"]
    assert not model.get_layer("dense_1").use_bias
    assert model.get_layer("output").use_bias


def test_the_lessons_network_with_batch_norm_has_its_parameters() -> None:
    model = model_of(network=[300, 100], normalization={"kind": "batch_norm", "inputs": True})
    assert model.get_layer("batch_norm_0").count_params() == 3136
    assert model.get_layer("batch_norm_1").count_params() == 1200
    assert model.get_layer("batch_norm_2").count_params() == 400
    assert model.count_params() == 271_346
    assert sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights) == 2368


def test_dropout_stands_before_every_dense_layer_and_never_behind_the_output() -> None:
    names = layers_of(regularizer="dropout")
    places = [name for name in names if name.startswith(("dropout", "dense", "output"))]
    assert places == ["dropout_0", "dense_1", "dropout_1", "dense_2", "dropout_2", "output"]


def test_every_random_layer_draws_noise_of_its_own() -> None:
    model = model_of(activation="rrelu", regularizer="dropout")
    numbers = [layer.noise_index for layer in model.layers if hasattr(layer, "noise_index")]
    assert len(numbers) == len(set(numbers)) == 5


def test_dropout_on_the_last_hidden_layer_only() -> None:
    names = layers_of(regularizer={"kind": "dropout", "layers": "last"})
    assert [name for name in names if "dropout" in name] == ["dropout_2"]


def test_a_convolutional_network_and_its_noise() -> None:
    names = layers_of(network={"filters": [4, 6], "hidden": [5]}, regularizer={"kind": "dropout", "layers": "hidden"})
    assert names[2:6] == ["conv_1", "activation_1", "pooling_1", "dropout_1"]
    assert names[-4:] == ["dense_3", "activation_3", "dropout_3", "output"]


def test_colour_images_keep_their_channels() -> None:
    model = model_of(shape=(8, 10, 3), network={"filters": [4], "hidden": []})
    assert model.get_layer("conv_1").kernel.shape == (3, 3, 3, 4)


def test_many_poolings_of_a_small_image_do_no_harm() -> None:
    assert model_of(network={"filters": [2] * 7, "hidden": []}).output_shape == (None, 10)


def test_penalties_act_on_every_kernel_and_max_norm_on_hidden_ones() -> None:
    model = model_of(regularizer=["l2", {"kind": "max_norm", "biases": True}])
    hidden, output = model.get_layer("dense_1"), model.get_layer("output")
    assert hidden.kernel_regularizer and output.kernel_regularizer
    assert hidden.kernel_constraint and hidden.bias_constraint
    assert output.kernel_constraint is None


def test_hidden_layers_follow_the_initializer_and_the_output_keeps_glorot() -> None:
    model = model_of(initializer="he_normal")
    assert isinstance(model.get_layer("dense_1").kernel_initializer, keras.initializers.HeNormal)
    assert isinstance(model.get_layer("output").kernel_initializer, keras.initializers.GlorotUniform)


def test_weights_depend_on_the_seed_and_differ_between_layers_of_one_shape() -> None:
    network = {"depth": 3, "width": 784}
    first, again, other = (model_of(seed=seed, network=network) for seed in (1, 1, 2))
    for one, two in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first.get_weights()[0] != other.get_weights()[0]).any()
    assert (first.get_layer("dense_1").get_weights()[0] != first.get_layer("dense_2").get_weights()[0]).any()


def test_two_classes_get_one_sigmoid_and_more_a_softmax() -> None:
    assert model_of(classes=2).output_shape == (None, 1)
    assert model_of(classes=3).output_shape == (None, 3)
    softmax = Experiment.model_validate({"network": {"hidden": [4], "output": "softmax"}})
    assert output_kind(softmax, classes=2) == "softmax"


ACTIVATIONS = [kind.model_fields["kind"].default for kind in ActivationTechnique.__subclasses__()]
SAVED: dict[str, dict[str, Any]] = {name: {"activation": name} for name in ACTIVATIONS} | {
    "everything dense": {
        "activation": "rrelu",
        "normalization": {"kind": "batch_norm", "position": "before", "inputs": True},
        "regularizer": ["l1_l2", {"kind": "max_norm", "biases": True}, "dropout"],
    },
    "everything convolutional": {
        "network": {"filters": [3], "hidden": [8]},
        "activation": "prelu",
        "normalization": {"kind": "batch_norm", "inputs": True},
        "regularizer": ["l2", "max_norm", "alpha_dropout"],
    },
}
RELOAD = """
import sys, keras, numpy as np
images = np.load("images.npy")
for number in range(int(sys.argv[1])):
    for suffix in ("keras", "h5"):
        model = keras.models.load_model(f"{number}.{suffix}", compile=False)
        np.save(f"{number}-{suffix}.npy", model(images))
assert not any(name.startswith("dtrain") for name in sys.modules)
"""


def test_saved_models_reload_in_plain_keras_with_equal_predictions(tmp_path: Path) -> None:
    models = [model_of(**written) for written in SAVED.values()]
    np.save(tmp_path / "images.npy", IMAGES)
    for number, model in enumerate(models):
        for suffix in ("keras", "h5"):
            stock_model(model).save(tmp_path / f"{number}.{suffix}")
    command = [sys.executable, "-c", RELOAD, str(len(models))]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    for number, model in enumerate(models):
        for suffix in ("keras", "h5"):
            reloaded = np.load(tmp_path / f"{number}-{suffix}.npy")
            np.testing.assert_allclose(reloaded, model(IMAGES), rtol=1e-5, atol=1e-6)

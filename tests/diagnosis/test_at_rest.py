"""Networks before their first step: what the lesson says of them, NumPy's word for it, and images learnt by heart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtrain.data.images import ImageSet
from dtrain.data.prepare import Data, prepare
from dtrain.diagnosis.at_rest import NetworkAtRest, Probed
from dtrain.engine.training import epoch_order
from dtrain.experiment.spec import Experiment


def at_rest(data: Data, depth: int, activation: str, **written: Any) -> tuple[NetworkAtRest, Experiment]:
    network = {"depth": depth, "width": 100}
    plain = {"network": network, "activation": activation, "normalization": "none", "regularizer": []}
    experiment = Experiment.model_validate(plain | written)
    return NetworkAtRest(experiment, data), experiment


def probed(data: Data, depth: int, activation: str, initializer: Any) -> Probed:
    network, experiment = at_rest(data, depth, activation, initializer=initializer)
    return network.probe(experiment, "own")


NORMAL = {"kind": "random_normal", "stddev": 1.0}


@pytest.mark.parametrize(
    ("depth", "activation", "initializer", "fate"),
    [
        (8, "sigmoid", NORMAL, "saturates"),
        (8, "sigmoid", "glorot_uniform", "vanishes"),
        (20, "sigmoid", "glorot_uniform", "vanishes"),
        (20, "relu", "he_normal", "keeps"),
        (20, "relu", NORMAL, "explodes"),
        (20, "tanh", "glorot_uniform", "keeps"),
        (8, "relu", "constant", "symmetric"),
        (3, "sigmoid", "glorot_uniform", "keeps"),
    ],
)
def test_what_the_lesson_says_of_networks_is_seen(
    depth: int, activation: str, initializer: Any, fate: str, data: Data
) -> None:
    found = probed(data, depth, activation, initializer)
    assert found.verdict.fate == fate and len(found.layers) == depth


def test_a_layer_of_sigmoid_takes_three_quarters_of_a_gradient(data: Data) -> None:
    """Its slope is at most 1/4, and Glorot's weights keep what is left: 4^-7 over seven layers."""
    found = probed(data, 8, "sigmoid", "glorot_uniform")
    assert found.verdict.backward == pytest.approx(0.25, rel=0.1)
    assert found.first_loss == pytest.approx(np.log(10), rel=0.2)


def test_other_first_weights_in_the_same_network(data: Data) -> None:
    network, experiment = at_rest(data, 3, "relu", initializer="he_normal")
    other = experiment.model_copy(update={"initializer": probed_initializer("glorot_uniform")})
    side_by_side = network.probe(other, "other")
    assert side_by_side.layers == probed(data, 3, "relu", "glorot_uniform").layers
    assert side_by_side.layers != network.probe(experiment, "own").layers


def probed_initializer(kind: str) -> Any:
    return Experiment.model_validate({"initializer": kind}).initializer


@pytest.mark.parametrize(("rate", "learnt"), [(0.05, 0.05), (1e-5, 1e-3)])
def test_images_are_learnt_by_heart_at_the_first_rate_that_does(rate: float, learnt: float, data: Data) -> None:
    optimizer = {"kind": "sgd", "learning_rate": rate, "momentum": 0.9}
    network, _ = at_rest(data, 2, "relu", network=[100], optimizer=optimizer, initializer="he_normal")
    found = network.learn_by_heart()
    assert found.learning_rate == pytest.approx(learnt) and found.images == 16
    assert found.steps and 5 < found.steps < 200 and found.tried[0] == rate


def test_a_network_whose_units_are_all_off_learns_nothing_by_heart(data: Data) -> None:
    network, experiment = at_rest(data, 2, "relu", network=[8, 8], initializer="zeros")
    found = network.learn_by_heart()
    assert (found.learning_rate, found.steps, found.tried) == (None, None, (0.02, 0.2, 0.002, 2, 0.0002))
    assert network.probe(experiment, "own").verdict.fate == "vanishes"


@pytest.mark.slow
def test_selu_normalises_itself_through_a_thousand_layers(image_set: ImageSet) -> None:
    dataset = Experiment.model_validate({"dataset": {"scaling": "standardize"}}).dataset
    data = prepare(dataset, image_set)
    network, experiment = at_rest(data, 1000, "selu", initializer="lecun_normal", dataset=dataset)
    found = network.probe(experiment, "own")
    images = data.train.images[epoch_order(experiment.seed, 0, len(data.train.labels))[:128]]
    signal = data.scaling.apply(images).reshape(len(images), -1).astype(np.float64)
    weights = network._engine.model.get_weights()
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    for number, (kernel, layer) in enumerate(zip(weights[:-2:2], found.layers, strict=True)):
        signal = signal @ kernel
        signal = scale * np.where(signal > 0, signal, alpha * np.expm1(np.minimum(signal, 0)))
        # further on rounding grows: images drift apart from layer to layer
        if number < 100:
            assert layer.mean == pytest.approx(signal.mean(), abs=1e-3)
            assert layer.deviation == pytest.approx(signal.std(axis=0).mean(), abs=1e-3)
    means, deviations = np.array([(one.mean, one.deviation) for one in found.layers]).T.reshape(2, 10, 100)
    # a single layer of 100 units is off by chance
    assert (np.abs(means.mean(axis=1)) <= 0.05).all()
    assert ((deviations.mean(axis=1) >= 0.83) & (deviations.mean(axis=1) <= 1)).all()

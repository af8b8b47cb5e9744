"""The engine against Keras: equal weights, equal batches, step by step, compared with `train_on_batch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from dtrain.data.images import ImageSet
from dtrain.data.prepare import Data, prepare
from dtrain.engine.epoch import Compiler, Engine, choose_compiler
from dtrain.engine.model import build_model, stock_model
from dtrain.experiment.config.schema import every_kind
from dtrain.experiment.dataset import Dataset
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.regularizers import Noise
from tests.engine.helpers import BATCH, MOMENTA, ORDER, RATES, engine_of, experiment_of
from tests.engine.test_noise import NOISES

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "sgd with momentum": {"kind": "sgd", "momentum": 0.9},
    "sgd with nesterov": {"kind": "sgd", "momentum": 0.9, "nesterov": True},
    "adagrad": {},
    "rmsprop": {},
    "rmsprop with momentum": {"kind": "rmsprop", "momentum": 0.9, "centered": True},
    "adam": {},
    "adam with amsgrad": {"kind": "adam", "amsgrad": True},
    "adamax": {},
    "nadam": {},
    "adamw": {},
    "adadelta": {},
    "lion": {},
    "lamb": {},
    "ftrl": {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.01},
    "adafactor": {},
    "muon": {},
    "adam with an average": {"kind": "adam", "use_ema": True, "ema_momentum": 0.8},
    "sgd with weight decay that goes on from an average": {
        "kind": "sgd",
        "weight_decay": 0.1,
        "momentum": 0.9,
        "use_ema": True,
        "ema_momentum": 0.5,
        "ema_overwrite_frequency": 2,
    },
    "clipvalue": {"kind": "sgd", "momentum": 0.9, "clipvalue": 0.01},
    "clipnorm": {"kind": "adam", "clipnorm": 0.1},
    "global_clipnorm": {"kind": "nadam", "global_clipnorm": 0.1},
}

TECHNIQUES: dict[str, dict[str, Any]] = {
    "l1": {"regularizer": "l1"},
    "l2": {"regularizer": "l2"},
    "l1_l2": {"regularizer": "l1_l2"},
    "max_norm": {"regularizer": {"kind": "max_norm", "value": 0.5, "biases": True}},
    "batch norm after": {"normalization": "batch_norm"},
    "batch norm before": {"normalization": {"kind": "batch_norm", "position": "before", "momentum": 0.9}},
    "batch norm on the inputs": {"normalization": {"kind": "batch_norm", "inputs": True}},
    "prelu": {"activation": "prelu"},
    "layer norm, gelu and orthogonal": {
        "normalization": {"kind": "layer_norm", "position": "before", "inputs": True},
        "activation": {"kind": "gelu", "approximate": True},
        "regularizer": {"kind": "orthogonal", "factor": 1.0, "mode": "columns"},
    },
    "residual with group norm and unit_norm": {
        "network": {"hidden": [12, 8, 8, 8], "residual": True},
        "normalization": "group_norm",
        "regularizer": "unit_norm",
    },
    "selu": {"activation": "selu", "regularizer": []},
    "residual convolutions with layer norm and non_neg": {
        "network": {"filters": [3, 3, 3, 4], "hidden": [8], "residual": True},
        "normalization": {"kind": "layer_norm", "position": "before"},
        "regularizer": "non_neg",
    },
    "convolution": {"network": {"filters": [3, 4], "hidden": [8]}},
    "convolution with batch norm, max_norm and prelu": {
        "network": {"filters": [3], "hidden": [8]},
        "normalization": {"kind": "batch_norm", "position": "before", "inputs": True},
        "activation": "prelu",
        "regularizer": {"kind": "max_norm", "value": 0.5, "biases": True},
    },
}


NOISE_KINDS = {"rrelu"} | {one.model_fields["kind"].default for one in Noise.__subclasses__()}
"""Kinds that are random in training, so that Keras needs the same masks to do the same."""


WHOLE, ALL = 4, 5
"""The steps of whole batches; the one of the partial batch behind them takes a compilation of its own."""


def train_with_keras(experiment: Experiment, model: keras.Model, data: Data, steps: int) -> list[float]:
    """Trains a stock model with a stock optimizer, a batch at a time, and returns its losses with penalties."""
    settings = experiment.optimizer.settings()
    stock = {one.lower(): getattr(keras.optimizers, one) for one in dir(keras.optimizers)}
    optimizer = stock[experiment.optimizer.kind](**settings)
    loss = "binary_crossentropy" if model.output_shape[-1] == 1 else "sparse_categorical_crossentropy"
    model.compile(optimizer=optimizer, loss=loss, run_eagerly=True)  # faster than to compile for five steps
    images = data.scaling.apply(data.train.images)
    losses = []
    for step in range(steps):
        batch = ORDER[step * BATCH : (step + 1) * BATCH]
        optimizer.learning_rate = RATES[step]
        model.reset_metrics()
        losses.append(float(model.train_on_batch(images[batch], data.train.labels[batch])))
    return losses


def assert_equals_keras(
    experiment: Experiment,
    data: Data,
    compiler: Compiler,
    copy: Callable[[keras.Model], keras.Model] = stock_model,
    steps: int = WHOLE,
) -> None:
    engine = engine_of(experiment, data, compiler)
    reference = copy(engine.model)
    momentum = getattr(experiment.optimizer, "momentum", 0)
    records = engine.train(ORDER, RATES, np.full(5, momentum), noise_seed=1, first_step=0, start=0, stop=steps)
    losses = train_with_keras(experiment, reference, data, steps)
    engine.finalize()
    reference.optimizer.finalize_variable_values(reference.trainable_variables)
    np.testing.assert_allclose(records["loss"] + records["penalty"], losses, rtol=2e-5)
    for ours, theirs in zip(engine.model.get_weights(), reference.get_weights(), strict=True):
        # adaptive steps magnify the rounding of gradients near zero, most of all that of XLA, in another order
        np.testing.assert_allclose(ours, theirs, atol=1e-3 if compiler == "xla" else 1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_and_clipping_equals_keras(name: str, data: Data) -> None:
    optimizer = {"kind": name} | OPTIMIZERS[name]
    assert_equals_keras(experiment_of(optimizer=optimizer, network=[8]), data, "graph")


@pytest.mark.parametrize("name", TECHNIQUES)
def test_every_deterministic_technique_equals_keras(name: str, data: Data) -> None:
    assert_equals_keras(experiment_of(**TECHNIQUES[name]), data, "graph")


@pytest.mark.parametrize("compiler", ["graph", "xla"])
@pytest.mark.parametrize("classes", [(5, 6), None], ids=["sigmoid", "softmax"])
def test_balanced_classes_weigh_what_keras_makes_them_weigh(
    classes: tuple[int, ...] | None, compiler: Compiler, image_set: ImageSet
) -> None:
    """In the whole of `fit`, by its `class_weight`; of every other class three of four images are left out."""
    data = prepare(Dataset(name="fashion_mnist_sample", classes=classes, train_limit=140), image_set)
    kept = np.flatnonzero((data.train.labels % 2 == 0) | (np.arange(140) % 4 == 0))
    labels = data.train.labels[kept]
    experiment = experiment_of(training={"batch_size": BATCH, "class_weight": "balanced"})
    engine = engine_of(experiment, data, compiler)
    engine.choose(kept)
    reference, rates = stock_model(engine.model), np.full(engine.steps_per_epoch, 0.02)
    found = engine.train(np.arange(len(kept)), rates, np.full(len(rates), 0.9), 1, 0, 0, len(rates))
    loss = "binary_crossentropy" if classes else "sparse_categorical_crossentropy"
    reference.compile(keras.optimizers.SGD(0.02, momentum=0.9), loss)
    weights = dict(enumerate(compute_class_weight("balanced", classes=np.unique(labels), y=labels)))
    images = data.scaling.apply(data.train.images[kept])
    history = reference.fit(
        images, labels, batch_size=BATCH, shuffle=False, class_weight=weights, epochs=1, verbose=cast(Any, 0)
    )
    assert np.average(found["loss"], weights=found["examples"]) == pytest.approx(history.history["loss"][0], rel=1e-5)
    for ours, theirs in zip(engine.model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-4)


def exact_copy(model: keras.Model) -> keras.Model:
    """The same model with dtrain's own layers, which train as well as predict."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def test_fixup_equals_keras(data: Data) -> None:
    network = {"depth": 4, "width": 8, "residual": True, "fixup": True}
    assert_equals_keras(experiment_of(network=network), data, "graph", exact_copy)


DETERMINISTIC = [
    (kind, family)
    for kind, family in every_kind()
    if family in ("initializer", "activation", "normalization", "regularizer") and kind not in NOISE_KINDS
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "family"), DETERMINISTIC)
def test_every_deterministic_kind_equals_keras(kind: str, family: str, data: Data) -> None:
    assert_equals_keras(experiment_of(**{family: {"kind": kind}}), data, "graph")


def test_no_kind_is_left_out() -> None:
    assert {settings.get("kind", name) for name, settings in OPTIMIZERS.items()} >= {
        kind for kind, family in every_kind() if family == "optimizer"
    }
    assert {name for name in NOISES if " " not in name} == NOISE_KINDS


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_and_clipping_equals_keras_under_xla(name: str, data: Data) -> None:
    assert_equals_keras(experiment_of(optimizer={"kind": name} | OPTIMIZERS[name]), data, "xla")


@pytest.mark.slow
@pytest.mark.parametrize("name", TECHNIQUES)
def test_every_deterministic_technique_equals_keras_under_xla(name: str, data: Data) -> None:
    assert_equals_keras(experiment_of(**TECHNIQUES[name]), data, "xla")


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": {"kind": "sgd", "momentum": 0.9, "nesterov": True}, "regularizer": ["l2", "max_norm"]},
        {"optimizer": {"kind": "nadam", "global_clipnorm": 0.1}, "normalization": "batch_norm"},
    ],
    ids=["nesterov with l2 and max_norm", "nadam with clipping and batch norm"],
)
def test_xla_equals_keras(settings: dict[str, Any], data: Data) -> None:
    assert_equals_keras(experiment_of(**settings), data, "xla")


def everything_in(engine: Engine) -> list[np.ndarray]:
    return [variable.numpy() for variable in engine.variables]


NOISY = experiment_of(
    network=[8], regularizer={"kind": "dropout", "rate": 0.3}, normalization="batch_norm", optimizer="nadam"
)


@pytest.fixture(scope="module", params=["graph", pytest.param("xla", marks=pytest.mark.slow)])
def compiled(request: pytest.FixtureRequest, data: Data) -> tuple[Compiler, Engine]:
    """An engine with noise, compiled once for the tests that start it over."""
    return request.param, engine_of(NOISY, data, request.param)


def start_over(engine: Engine, data: Data, seed: int = 3) -> None:
    engine.start_over(build_model(NOISY, data.image_shape, 10, seed).get_weights())


def test_a_reused_epoch_equals_a_fresh_one(compiled: tuple[Compiler, Engine], data: Data) -> None:
    compiler, reused = compiled
    reused.train(ORDER, RATES, None, 1, 0, 0, 5)
    start_over(reused, data, seed=4)
    fresh = engine_of(NOISY, data, compiler, seed=4)
    for engine in (reused, fresh):
        engine.train(ORDER, RATES, None, 2, 0, 0, 5)
    assert all(map(np.array_equal, everything_in(reused), everything_in(fresh)))


def test_cutting_an_epoch_into_chunks_changes_nothing(compiled: tuple[Compiler, Engine], data: Data) -> None:
    engine = compiled[1]
    start_over(engine, data)
    expected = engine.train(ORDER, RATES, None, 1, first_step=10, start=0, stop=5)
    whole = everything_in(engine)
    start_over(engine, data)
    chunks = [engine.train(ORDER, RATES, None, 1, 10, start, stop) for start, stop in ((0, 1), (1, 3), (3, 5))]
    np.testing.assert_array_equal(np.concatenate([chunk["loss"] for chunk in chunks]), expected["loss"])
    assert all(map(np.array_equal, everything_in(engine), whole))


def test_the_noise_depends_on_the_seed_and_on_the_step(compiled: tuple[Compiler, Engine], data: Data) -> None:
    losses = set()
    for noise_seed, first_step in ((1, 0), (2, 0), (1, 5)):
        start_over(compiled[1], data)
        losses.add(float(compiled[1].train(ORDER, RATES, None, noise_seed, first_step, 0, 1)["loss"][0]))
    assert len(losses) == 3


def test_the_partial_last_batch_is_trained_on(data: Data) -> None:
    engine = engine_of(experiment_of(), data, "graph")
    engine.train(ORDER, RATES, MOMENTA, 1, 0, 0, 4)
    before = engine.model.get_weights()
    records = engine.train(ORDER, RATES, MOMENTA, 1, 0, 4, 5)
    assert records["examples"].tolist() == [70 - 4 * BATCH]
    assert any((new != old).any() for new, old in zip(engine.model.get_weights(), before, strict=True))


@pytest.mark.parametrize("nesterov", [False, True])
def test_cycled_momentum_equals_keras_with_its_momentum_set_at_every_step(nesterov: bool, data: Data) -> None:
    experiment = experiment_of(optimizer={"kind": "sgd", "momentum": 0.9, "nesterov": nesterov})
    engine = engine_of(experiment, data, "graph")
    reference = stock_model(engine.model)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=nesterov)
    reference.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", run_eagerly=True)
    images = data.scaling.apply(data.train.images)
    for step, batch in enumerate(ORDER[: WHOLE * BATCH].reshape(WHOLE, BATCH)):
        optimizer.learning_rate, optimizer.momentum = RATES[step], float(MOMENTA[step])
        reference.train_on_batch(images[batch], data.train.labels[batch])
    engine.train(ORDER, RATES, MOMENTA, 1, 0, start=0, stop=WHOLE)
    for ours, theirs in zip(engine.model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_one_sigmoid_for_two_classes_on_standardised_images_equals_keras(image_set: ImageSet) -> None:
    dataset = {"name": "fashion_mnist_sample", "classes": [5, 6], "train_limit": 70, "scaling": "standardize"}
    experiment = experiment_of(dataset=dataset)
    two_classes = prepare(experiment.dataset, image_set)
    assert_equals_keras(experiment, two_classes, "graph", steps=ALL)


def test_the_gradient_norm_is_that_of_the_whole_gradient_before_clipping(data: Data) -> None:
    experiment = experiment_of(optimizer={"kind": "sgd", "global_clipnorm": 1e-3})
    engine = engine_of(experiment, data, "graph")
    before = engine.model.get_weights()
    norm = engine.train(ORDER, RATES, None, 1, 0, 0, 1)["gradient_norm"][0]
    moved = [new - old for new, old in zip(engine.model.get_weights(), before, strict=True)]
    unclipped = engine_of(experiment_of(optimizer="sgd"), data, "graph")
    first = unclipped.model.get_weights()
    unclipped.train(ORDER, RATES, None, 1, 0, 0, 1)
    steps = [(new - old) / RATES[0] for new, old in zip(unclipped.model.get_weights(), first, strict=True)]
    assert norm == pytest.approx(np.sqrt(sum((step**2).sum() for step in steps)), rel=1e-3)
    assert np.sqrt(sum((one**2).sum() for one in moved)) == pytest.approx(1e-3 * RATES[0], rel=1e-2)


def test_the_compiler_is_chosen_by_a_fixed_rule() -> None:
    assert choose_compiler("auto", convolutional=False, device="cpu") == "xla"
    assert choose_compiler("auto", convolutional=True, device="cpu") == "graph"
    assert choose_compiler("auto", convolutional=True, device="gpu:0") == "xla"
    assert choose_compiler("graph", convolutional=False, device="cpu") == "graph"

"""A network before its first step, with one initializer after the other; and a few images that it learns by heart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import keras
import numpy as np

from dtrain.data.prepare import Data, Split
from dtrain.diagnosis.propagation import LayerAtRest, Verdict, is_symmetric, layer_at_rest, verdict_on
from dtrain.engine.epoch import Engine
from dtrain.engine.layer_measures import LayerStep
from dtrain.engine.measures import are_finite
from dtrain.engine.model import build_model, output_kind
from dtrain.engine.objectives import Classification
from dtrain.engine.training import epoch_order, noise_seed
from dtrain.experiment.spec import Experiment

IMAGES = 128
"""That go through the network, at most."""
BY_HEART = 16
"""Images that every network which trains at all can learn by heart."""
STEPS_PER_LOOK, LOOKS = 50, 4
"""Steps of each try to learn them."""
MULTIPLES = (1.0, 10.0, 0.1, 100.0, 0.01)
"""Of the experiment's rate, in the order in which they are tried."""

STANDARD_NORMAL = np.array([NormalDist().inv_cdf((number + 0.5) / 1000) for number in range(1000)], np.float32)
"""The middles of a thousand equal parts of it."""


@dataclass(frozen=True)
class Probed:
    """A network with the first weights of one initializer.

    Args:
        initializer: Its kind, with the settings that are not its defaults.
        verdict: What its signals and gradients promise.
        first_loss: Cross-entropy before the first step; None where it is not finite.
        layers: Its hidden layers, from the images on.
    """

    initializer: str
    verdict: Verdict
    first_loss: float | None
    layers: tuple[LayerAtRest, ...]


@dataclass(frozen=True)
class ByHeart:
    """Whether some images can be learnt by heart, without regularizers.

    Args:
        images: How many.
        learning_rate: The first rate at which all of them were right; None where there was none.
        steps: After how many steps; None where they were never all right.
        tried: The rates that were tried, in this order.
    """

    images: int
    learning_rate: float | None
    steps: int | None
    tried: tuple[float, ...]


class NetworkAtRest:
    """The network of an experiment without its regularizers, which act on training and not on first weights.

    Args:
        experiment: The experiment.
        data: Its images, of which the first ones of the first epoch are taken.
    """

    def __init__(self, experiment: Experiment, data: Data) -> None:
        self._experiment, self._data = experiment.model_copy(update={"regularizer": ()}), data
        order = epoch_order(experiment.seed, 0, len(data.train.labels))[:IMAGES]
        train = Split(data.train.images[order], data.train.labels[order])
        objective = Classification(output_kind(experiment, len(data.class_names)))
        model = self._build(self._experiment)
        self._first_weights = model.get_weights()
        optimizer = self._experiment.optimizer.build()
        self._engine = Engine(model, optimizer, objective, train, data.scaling, min(BY_HEART, len(order)), "graph")

    def probe(self, initializer: Experiment, name: str) -> Probed:
        """Returns what goes through the network with other first weights.

        Args:
            initializer: The experiment with another initializer.
            name: What to call it.
        """
        network, engine = self._engine.network, self._engine
        other = self._experiment.model_copy(update={"initializer": initializer.initializer})
        own = other.initializer == self._experiment.initializer
        engine.start_over(self._first_weights if own else self._build(other).get_weights())
        engine.choose(np.arange(min(IMAGES, len(self._data.train.labels))))
        examples = np.arange(engine.examples)
        found = network.look(*engine.batch(examples, noise_seed(self._experiment.seed), 0), compiled=False)
        hidden = [
            (layer, LayerStep(kernel, np.zeros(0), flat_below=layer.flat_below, **vars(signals)))
            for layer, kernel, signals in zip(network.layers, network.kernels(), found.layers, strict=True)
            if signals.signal_gradients is not None and layer.activation is not None
        ]
        layers = tuple(layer_at_rest(layer.layer.name, step) for layer, step in hidden)
        symmetric = any(is_symmetric(step) for _, step in hidden)
        verdict = verdict_on(layers, self._flat_at_best, symmetric=symmetric)
        loss = found.loss if np.isfinite(found.loss) else None
        return Probed(name, verdict, loss, layers)

    def learn_by_heart(self) -> ByHeart:
        """Returns at which rate the experiment's network learns some images, and how soon."""
        rate, tried = self._experiment.optimizer.learning_rate, list[float]()
        for multiple in MULTIPLES:
            tried.append(float(f"{multiple * rate:.12g}"))
            if steps := self._steps_to_learn(tried[-1]):
                return ByHeart(self._engine.batch_size, tried[-1], steps, tuple(tried))
        return ByHeart(self._engine.batch_size, None, None, tuple(tried))

    def _steps_to_learn(self, rate: float) -> int | None:
        """Returns after how many steps at a rate all images are right; None where that takes too long, or diverges."""
        engine, momentum = self._engine, self._experiment.optimizer.cycled_momentum
        engine.start_over(self._first_weights)
        # the same images again and again, as if they were many
        engine.choose(np.tile(np.arange(engine.batch_size), STEPS_PER_LOOK))
        order, rates = np.arange(engine.examples), np.full(STEPS_PER_LOOK, rate)
        momenta = None if momentum is None else np.full(STEPS_PER_LOOK, momentum)
        for look in range(LOOKS):
            first = look * STEPS_PER_LOOK
            seed = noise_seed(self._experiment.seed)
            records = engine.train(order, rates, momenta, seed, first, 0, STEPS_PER_LOOK)
            if not are_finite(records).all():
                return None
            learnt = np.flatnonzero(records["accuracy"] == 1)
            if len(learnt):
                return first + int(learnt[0])
        return None

    @cached_property
    def _flat_at_best(self) -> float:
        """Share of standard normal pre-activations at which the activation is flat."""
        layer = next(one for one in self._engine.network.layers if one.activation is not None)
        slopes = layer.slopes_on(STANDARD_NORMAL)
        return 0.0 if slopes is None else float(np.mean(np.abs(slopes) < layer.flat_below))

    def _build(self, experiment: Experiment) -> keras.Model:
        return build_model(experiment, self._data.image_shape, len(self._data.class_names), experiment.seed)

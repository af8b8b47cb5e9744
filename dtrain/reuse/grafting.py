"""The network of kept and new layers: built with the base's weights or random ones, and frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from dtrain.engine.depth import any_depth
from dtrain.engine.model import build_top
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.activations import INITIALIZERS
from dtrain.experiment.techniques.networks import DenseNetwork
from dtrain.experiment.techniques.regularizers import Penalty, WeightConstraint
from dtrain.ground.errors import ModelFileError
from dtrain.ground.randomness import Stream, word
from dtrain.layers.dropout import COUNTERS
from dtrain.layers.gaussian_noise import CounterGaussianNoise
from dtrain.layers.noise import NoiseLayer
from dtrain.reuse.base import Base
from dtrain.reuse.building import build_layer
from dtrain.reuse.cutting import KERNELS, Cut
from dtrain.reuse.plans import LayerPlan

Weights = list[npt.NDArray[np.float32]]

GENERATORS = {"Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise"}
ACTIVATIONS = {"ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax"}
NAMES_OF_NEW_LAYERS = re.compile(r"images|reshape_images|output|flatten_kept|.*_(\d+)")
FIRST_NOISE_OF_BASE = 2**16
"""Number of the base's first noise layer, beyond those of new layers."""


@dataclass(frozen=True)
class Graft:
    """A network of kept layers and new ones, to be built as often as it takes.

    Args:
        base: Where the kept layers are from.
        cut: What is kept.
        experiment: Initializer, activation and more of new layers, penalty and constraint of all.
        image_shape: Height, width and, for colour, channels.
        classes: Classes to tell apart.
        reused: Whether kept layers begin with the base's weights; with random ones if not.
    """

    base: Base
    cut: Cut
    experiment: Experiment
    image_shape: tuple[int, ...]
    classes: int
    reused: bool = True

    @property
    def base_digest(self) -> str:
        """SHA-256 of the base."""
        return self.base.digest

    @property
    def convolutional(self) -> bool:
        """Whether there is a convolution in it."""
        return any("Conv2D" in plan.kind for plan in self.cut.kept)

    @any_depth()
    def build(self, seed: int) -> keras.Model:
        """Returns the network with random first weights throughout.

        Kept layers get the initializer that the lesson pairs with their activation, new ones the experiment's.

        Args:
            seed: Seeds every layer's initializer, each in its own way.
        """
        images = keras.Input(self.image_shape, name="images")
        signal = images
        if self.base.input_shape != self.image_shape:
            signal = keras.layers.Reshape(self.base.input_shape, name="reshape_images")(images)
        signals = {self.base.architecture.input_name: signal}
        for number, plan in enumerate(self.cut.kept):
            inputs = [signals[source] for source in plan.inputs]
            signals[plan.name] = self._layer(plan, number, seed)(inputs if len(inputs) > 1 else inputs[0])
        signal = signals[self.cut.end]
        if len(signal.shape) > 2:
            signal = keras.layers.Flatten(name="flatten_kept")(signal)
        below, network = len(self.cut.groups), self.experiment.network
        assert self.experiment.transfer
        # a dense network of as many hidden layers, so that rates such as "the last layers only" are those of the whole
        sizes = (1,) * below + self.experiment.transfer.hidden
        whole = self.experiment.model_copy(update={"network": DenseNetwork(hidden=sizes, output=network.output)})
        return keras.Model(images, build_top(signal, whole, below, self.classes, seed), name="transfer")

    def first_weights(self, seed: int) -> Weights:
        """Returns the weights that a training begins with; those of new layers are the same, reused or not.

        Args:
            seed: Seeds what is random.
        """
        model = self.build(seed)
        for plan in self.cut.kept if self.reused else ():
            layer = model.get_layer(self._name(plan.name))
            if layer.weights:
                layer.set_weights(self.base.model.get_layer(plan.name).get_weights())
        return list(model.get_weights())

    def freeze(self, model: keras.Model, unfrozen: int) -> None:
        """Freezes the kept layers of a model but for the top ones; their weights and statistics stay.

        Dropout and noise of frozen layers go on: they are no weights.

        Args:
            model: As `build` returned it.
            unfrozen: How many hidden layers, from the top, are trained.
        """
        frozen = len(self.cut.groups) - unfrozen
        for number, group in enumerate(self.cut.groups):
            for name in group:
                model.get_layer(self._name(name)).trainable = number >= frozen

    def _name(self, name: str) -> str:
        """New layers are numbered on from the kept ones; a kept one with such a name gives way."""
        taken = NAMES_OF_NEW_LAYERS.fullmatch(name)
        clashes = taken and (taken[1] is None or int(taken[1]) > len(self.cut.groups))
        return f"base_{name}" if clashes else name

    def _layer(self, plan: LayerPlan, number: int, seed: int) -> keras.layers.Layer:
        name = self._name(plan.name)
        if plan.kind in GENERATORS:
            return self._noise(plan, name, number)
        more: dict[str, Any] = {}
        layer_seed = word(seed, Stream.KEPT_INITIALIZERS, number)
        for kernel in KERNELS.get(plan.kind, ()):
            more |= {f"{kernel}_{role}": one for role, one in self._kernel_options(plan, layer_seed).items()}
        return build_layer(LayerPlan(name, plan.kind, plan.options, plan.inputs), **more)

    def _kernel_options(self, plan: LayerPlan, seed: int) -> dict[str, Any]:
        regularizers, options = self.experiment.regularizer, dict[str, Any]()
        options["initializer"] = getattr(keras.initializers, self._initializer(plan))(seed=seed)
        penalty = next((one for one in regularizers if isinstance(one, Penalty)), None)
        constraint = next((one for one in regularizers if isinstance(one, WeightConstraint)), None)
        if penalty:
            options["regularizer"] = penalty.build()
        if constraint:
            options["constraint"] = constraint.build(convolutional=plan.kind != "Dense")
        return options

    def _initializer(self, plan: LayerPlan) -> str:
        activation = plan.options.get("activation", "linear")
        if activation == "linear":
            activation = self._activation_behind(plan)
        kind = activation.kind.lower() if isinstance(activation, LayerPlan) else activation
        return "glorot_uniform" if kind == "softmax" else INITIALIZERS.get(kind, "he_normal")

    def _activation_behind(self, plan: LayerPlan) -> Any:
        """Returns the activation that stands as a layer behind one with a kernel."""
        group = next(one for one in self.cut.groups if plan.name in one)
        behind = [one for one in self.cut.kept if one.name in group[group.index(plan.name) + 1 :]]
        for one in behind:
            if one.kind == "Activation":
                return one.options["activation"]
            if one.kind in ACTIVATIONS:
                return one.kind.lower()
        return "linear"

    def _noise(self, plan: LayerPlan, name: str, number: int) -> NoiseLayer:
        """Returns a noise layer that draws from counters, as all noise of the engine does."""
        index = FIRST_NOISE_OF_BASE + number
        if plan.kind == "GaussianNoise":
            return CounterGaussianNoise(plan.options["stddev"], noise_index=index, name=name)
        if plan.options.get("noise_shape") is not None:
            message = f"layer {plan.name!r} is a {plan.kind} with a noise_shape; expected one without"
            hint = "save the model again without it, or keep only layers below: transfer.reuse"
            raise ModelFileError(message, where=str(self.base.path), hint=hint)
        return COUNTERS[getattr(keras.layers, plan.kind)](plan.options["rate"], noise_index=index, name=name)

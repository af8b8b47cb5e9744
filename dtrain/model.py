"""From an experiment to a Keras model, and from a trained model to one of stock Keras layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np

from dtrain.spec import Experiment
from dtrain.techniques.networks import ConvNetwork, DenseNetwork
from dtrain.techniques.normalizations import NormalizationTechnique
from dtrain.techniques.regularizers import MaxNorm, Noise, Penalty
from dtrain.techniques.technique import LayerSite

Output = Literal["softmax", "sigmoid"]


def build_model(experiment: Experiment, image_shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """Builds the network that the experiment describes, with its first weights.

    Args:
        experiment: The experiment.
        image_shape: Height, width and, for colour, channels.
        classes: Classes to tell apart.
        seed: Seeds every layer's initializer, each in its own way.

    Returns:
        A model from images [batch, *image_shape] to probabilities [batch, classes], or [batch, 1] with sigmoid.
    """
    return _Builder(experiment, seed, isinstance(experiment.network, ConvNetwork)).build(image_shape, classes)


def output_kind(experiment: Experiment, classes: int) -> Output:
    """Returns the activation of the output layer: where it is left open, sigmoid for two classes, else softmax."""
    chosen = experiment.network.output
    if chosen == "auto":
        return "sigmoid" if classes == 2 else "softmax"
    return chosen


@dataclass
class _Builder:
    """The layers that are stacked so far.

    Args:
        experiment: What to build.
        seed: Seeds the initializers.
        convolutional: Whether the next layer acts on images.
        layer: How many weight layers stand already.
        noise_layers: How many layers that may be random stand already; each draws noise of its own.
    """

    experiment: Experiment
    seed: int
    convolutional: bool
    layer: int = 0
    noise_layers: int = 0

    def __post_init__(self) -> None:
        regularizers = self.experiment.regularizer
        self.penalty = next((one for one in regularizers if isinstance(one, Penalty)), None)
        self.constraint = next((one for one in regularizers if isinstance(one, MaxNorm)), None)
        self.noise = next((one for one in regularizers if isinstance(one, Noise)), None)
        normalization = self.experiment.normalization
        self.normalization = normalization if isinstance(normalization, NormalizationTechnique) else None

    def build(self, image_shape: tuple[int, ...], classes: int) -> keras.Model:
        images = keras.Input(image_shape, name="images")
        signal = self._inputs(images)
        network = self.experiment.network
        if isinstance(network, ConvNetwork):
            for filters in network.filters:
                signal = self._convolution(signal, filters, network.kernel_size)
            signal = keras.layers.Flatten(name="flatten")(signal)
            self.convolutional = False
        for units in network.sizes if isinstance(network, DenseNetwork) else network.hidden:
            signal = self._noise(self._activated(self._dense(units), signal))
        return keras.Model(images, self._output(signal, classes), name=network.kind)

    def _site(self, role: str) -> LayerSite:
        self.noise_layers += 1
        return LayerSite(f"{role}_{self.layer}", self.noise_layers, self.convolutional)

    def _inputs(self, images: keras.KerasTensor) -> keras.KerasTensor:
        if not self.convolutional:
            signal = keras.layers.Flatten(name="flatten")(images)
        elif len(images.shape) == 3:
            signal = keras.layers.Reshape((*images.shape[1:], 1), name="add_channel")(images)
        else:
            signal = images
        if self.normalization and self.normalization.inputs:
            signal = self._normalized(signal)
        return self._noise(signal)

    def _dense(self, units: int) -> keras.layers.Layer:
        self.layer += 1
        return keras.layers.Dense(units, name=f"dense_{self.layer}", **self._weight_options())

    def _convolution(self, signal: keras.KerasTensor, filters: int, kernel_size: int) -> keras.KerasTensor:
        self.layer += 1
        name = f"conv_{self.layer}"
        layer = keras.layers.Conv2D(filters, kernel_size, padding="same", name=name, **self._weight_options())
        # "same" lets small images pass through any number of poolings
        pooling = keras.layers.MaxPooling2D(padding="same", name=f"pooling_{self.layer}")
        return self._noise(pooling(self._activated(layer, signal)))

    def _weight_options(self) -> dict[str, object]:
        constraint = self.constraint
        return {
            "kernel_initializer": self.experiment.initializer.build(self._layer_seed()),
            "kernel_regularizer": self.penalty.build() if self.penalty else None,
            "kernel_constraint": constraint.build(convolutional=self.convolutional) if constraint else None,
            "bias_constraint": constraint.build_for_bias() if constraint and self._bias else None,
            "use_bias": self._bias,
        }

    def _layer_seed(self) -> int:
        return int(np.random.SeedSequence([self.seed, self.layer]).generate_state(1)[0] >> 1)

    @property
    def _bias(self) -> bool:
        """Batch normalization in front of the activation shifts by itself."""
        return not (self.normalization and self.normalization.position == "before")

    def _activated(self, layer: keras.layers.Layer, signal: keras.KerasTensor) -> keras.KerasTensor:
        signal = layer(signal)
        position = self.normalization.position if self.normalization else None
        if position == "before":
            signal = self._normalized(signal)
        signal = self.experiment.activation.build(self._site("activation"))(signal)
        return self._normalized(signal) if position == "after" else signal

    def _normalized(self, signal: keras.KerasTensor) -> keras.KerasTensor:
        assert self.normalization
        return self.normalization.build(self._site(self.normalization.kind))(signal)

    def _noise(self, signal: keras.KerasTensor) -> keras.KerasTensor:
        if self.noise is None:
            return signal
        rate = self.noise.rates(self.experiment.network.hidden_layers)[self.layer]
        return self.noise.build(rate, self._site(self.noise.kind))(signal) if rate > 0 else signal

    def _output(self, signal: keras.KerasTensor, classes: int) -> keras.KerasTensor:
        self.layer += 1
        activation = output_kind(self.experiment, classes)
        return keras.layers.Dense(
            1 if activation == "sigmoid" else classes,
            activation=activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=self._layer_seed()),
            kernel_regularizer=self.penalty.build() if self.penalty else None,
            name="output",
        )(signal)


def stock_model(model: keras.Model) -> keras.Model:
    """Returns a copy of `model` in which Keras's own layers stand for dtrain's, with equal predictions."""

    def stock_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.stock() if hasattr(layer, "stock") else type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=stock_layer)
    copy.set_weights(model.get_weights())
    return copy

"""From an experiment to a Keras model, and from a trained model to one of stock Keras layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras

from dtrain.engine.depth import any_depth
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.networks import ConvNetwork, DenseNetwork
from dtrain.experiment.techniques.normalizations import BatchNorm, NormalizationTechnique
from dtrain.experiment.techniques.regularizers import Noise, Penalty, WeightConstraint
from dtrain.experiment.techniques.technique import LayerSite
from dtrain.ground.randomness import Stream, word
from dtrain.layers.trained_scalar import TrainedScalar

Output = Literal["softmax", "sigmoid"]


@any_depth()
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


def build_top(
    signal: keras.KerasTensor, experiment: Experiment, layers_below: int, classes: int, seed: int
) -> keras.KerasTensor:
    """Stacks the upper part of a dense network, output included, on layers that are there already.

    Args:
        signal: What comes out of these layers [batch, values].
        experiment: The experiment; its network counts the layers below too.
        layers_below: How many of the network's hidden layers they stand for.
        classes: Classes to tell apart.
        seed: Seeds the initializers of the new layers.

    Returns:
        Probabilities, as those of `build_model`.
    """
    assert isinstance(experiment.network, DenseNetwork)
    builder, sizes = _Builder(experiment, seed, convolutional=False, layer=layers_below), experiment.network.sizes
    return builder.build_top(signal, sizes[layers_below:], classes)


@dataclass
class _Builder:
    """The layers that are stacked so far.

    Args:
        experiment: What to build.
        seed: Seeds the initializers.
        convolutional: Whether the next layer acts on images.
        layer: How many weight layers stand already.
        noise_layers: How many layers that may be random stand already; each draws noise of its own.
        scalars: How many of Fixup's scalar biases stand already.
    """

    experiment: Experiment
    seed: int
    convolutional: bool
    layer: int = 0
    noise_layers: int = 0
    scalars: int = 0

    def __post_init__(self) -> None:
        regularizers = self.experiment.regularizer
        self.penalty = next((one for one in regularizers if isinstance(one, Penalty)), None)
        self.constraint = next((one for one in regularizers if isinstance(one, WeightConstraint)), None)
        self.noise = next((one for one in regularizers if isinstance(one, Noise)), None)
        normalization = self.experiment.normalization
        self.normalization = normalization if isinstance(normalization, NormalizationTechnique) else None

    def build(self, image_shape: tuple[int, ...], classes: int) -> keras.Model:
        images = keras.Input(image_shape, name="images")
        signal, network = self._inputs(images), self.experiment.network
        if isinstance(network, ConvNetwork):
            signal = self._hidden(signal, network.filters, network.pooled, residual=network.residual)
            signal = keras.layers.Flatten(name="flatten")(signal)
            self.convolutional = False
            signal = self._hidden(signal, network.hidden, (False,) * len(network.hidden), residual=False)
        else:
            signal = self._hidden(signal, network.sizes, (False,) * len(network.sizes), residual=network.residual)
        return keras.Model(images, self._output(signal, classes), name=network.kind)

    def build_top(self, signal: keras.KerasTensor, sizes: tuple[int, ...], classes: int) -> keras.KerasTensor:
        return self._output(self._hidden(signal, sizes, (False,) * len(sizes), residual=False), classes)

    def _hidden(
        self, signal: keras.KerasTensor, sizes: tuple[int, ...], pooled: tuple[bool, ...], *, residual: bool
    ) -> keras.KerasTensor:
        """Stacks weight layers of these sizes, with what stands behind each."""
        if residual:
            return self._residual(signal, sizes, pooled)
        for units, pool in zip(sizes, pooled, strict=True):
            signal = self._activated(self._weights(units, signal)(signal))
            signal = self._noise(self._pooling(signal) if pool else signal)
        return signal

    def _residual(
        self, trunk: keras.KerasTensor, sizes: tuple[int, ...], pooled: tuple[bool, ...]
    ) -> keras.KerasTensor:
        """Adds branches of two layers to the trunk, which nothing else stands on (He et al. 2016b, figure 1b).

        What stands behind a layer stands behind the sum at every second one, on the way into the next branch only.
        """
        ready, branches = trunk, len(sizes) // 2
        for first, second, pool in zip(sizes[::2], sizes[1::2], pooled[1::2], strict=True):
            branch = self._branch(ready, first, second, branches)
            trunk = keras.layers.Add(name=f"sum_{self.layer}")([self._skip(trunk, second), branch])
            trunk = self._pooling(trunk) if pool else trunk
            ready = self._noise(self._activated(self._shifted(trunk)))
        return ready

    def _branch(self, signal: keras.KerasTensor, first: int, second: int, branches: int) -> keras.KerasTensor:
        fixup = self.experiment.network.fixup
        signal = self._shifted(signal)
        layer = self._weights(first, signal, bias=not fixup)
        signal = self._noise(self._activated(self._shifted(layer(signal))))
        if not fixup:
            return self._weights(second, signal)(signal)
        # branches of m = 2 layers: all but the last times branches^(-1 / (2m - 2)), the last zero (Zhang 2019, sec. 3)
        layer.kernel.assign(layer.kernel * branches**-0.5)
        signal = self._shifted(signal)
        signal = self._weights(second, signal, bias=False, initializer=keras.initializers.Zeros())(signal)
        return TrainedScalar(multiplies=True, name=f"multiplier_{self.layer}")(signal)

    def _skip(self, trunk: keras.KerasTensor, units: int) -> keras.KerasTensor:
        """Returns what a branch is added to: the trunk, or its projection where the branch has another width."""
        if trunk.shape[-1] == units:
            return trunk
        options = self._weight_options(trunk.shape[-1], units, bias=False, part=1)
        name = f"projection_{self.layer}"
        if self.convolutional:
            return keras.layers.Conv2D(units, 1, name=name, **options)(trunk)
        return keras.layers.Dense(units, name=name, **options)(trunk)

    def _shifted(self, signal: keras.KerasTensor) -> keras.KerasTensor:
        """Adds one of Fixup's scalar biases, where asked for."""
        if not self.experiment.network.fixup:
            return signal
        self.scalars += 1
        return TrainedScalar(multiplies=False, name=f"bias_{self.scalars}")(signal)

    def _site(self, role: str, width: int = 0) -> LayerSite:
        self.noise_layers += 1
        return LayerSite(f"{role}_{self.layer}", self.noise_layers, self.convolutional, width)

    def _inputs(self, images: keras.KerasTensor) -> keras.KerasTensor:
        signal, normalization = images, self.normalization
        if self.convolutional and len(images.shape) == 3:
            signal = keras.layers.Reshape((*images.shape[1:], 1), name="add_channel")(images)
        along_axis = isinstance(normalization, BatchNorm) and normalization.axis is not None
        if isinstance(normalization, BatchNorm) and along_axis:
            signal = self._normalized_along(signal, normalization)
        if not self.convolutional:
            signal = keras.layers.Flatten(name="flatten")(signal)
        if normalization and normalization.inputs and not along_axis:
            signal = self._normalized(signal)
        return self._noise(signal)

    def _normalized_along(self, signal: keras.KerasTensor, normalization: BatchNorm) -> keras.KerasTensor:
        """Normalises the inputs along their chosen axes, which Keras's layer wants as one."""
        sides = signal.shape[1:]
        merged, axis = normalization.merged(sides)
        if merged == sides:
            return normalization.build(self._site(normalization.kind), axis)(signal)
        signal = keras.layers.Reshape(merged, name="merge_axes")(signal)
        signal = normalization.build(self._site(normalization.kind), axis)(signal)
        return keras.layers.Reshape(sides, name="split_axes")(signal)

    def _weights(
        self,
        units: int,
        signal: keras.KerasTensor,
        *,
        bias: bool = True,
        initializer: keras.Initializer | None = None,
    ) -> keras.layers.Layer:
        """Returns the next dense layer or convolution, built for `signal`."""
        self.layer += 1
        options = self._weight_options(signal.shape[-1], units, bias=bias)
        options |= {"kernel_initializer": initializer} if initializer else {}
        network = self.experiment.network
        if self.convolutional and isinstance(network, ConvNetwork):
            name = f"conv_{self.layer}"
            layer = keras.layers.Conv2D(units, network.kernel_size, padding="same", name=name, **options)
        else:
            layer = keras.layers.Dense(units, name=f"dense_{self.layer}", **options)
        layer.build(signal.shape)
        return layer

    def _pooling(self, signal: keras.KerasTensor) -> keras.KerasTensor:
        # "same" lets small images pass through any number of poolings
        return keras.layers.MaxPooling2D(padding="same", name=f"pooling_{self.layer}")(signal)

    def _weight_options(self, inputs: int, units: int, *, bias: bool, part: int = 0) -> dict[str, Any]:
        constraint, bias = self.constraint, bias and self._bias
        return {
            "kernel_initializer": self.experiment.initializer.for_kernel(inputs, units).build(self._layer_seed(part)),
            "kernel_regularizer": self._kernel_penalty(inputs, units),
            "kernel_constraint": constraint.build(convolutional=self.convolutional) if constraint else None,
            "bias_constraint": constraint.build_for_bias() if constraint and bias else None,
            "use_bias": bias,
        }

    def _kernel_penalty(self, inputs: int, units: int) -> keras.Regularizer | None:
        return self.penalty.build() if self.penalty and self.penalty.has_terms(inputs, units) else None

    def _layer_seed(self, part: int = 0) -> int:
        return word(self.seed, Stream.INITIALIZERS, self.layer, part)

    @property
    def _bias(self) -> bool:
        """Normalization in front of the activation shifts by itself."""
        return not (self.normalization and self.normalization.position == "before")

    def _activated(self, signal: keras.KerasTensor) -> keras.KerasTensor:
        position = self.normalization.position if self.normalization else None
        if position == "before":
            signal = self._normalized(signal)
        signal = self.experiment.activation.build(self._site("activation"))(signal)
        return self._normalized(signal) if position == "after" else signal

    def _normalized(self, signal: keras.KerasTensor) -> keras.KerasTensor:
        assert self.normalization
        return self.normalization.build(self._site(self.normalization.kind, signal.shape[-1]))(signal)

    def _noise(self, signal: keras.KerasTensor) -> keras.KerasTensor:
        if self.noise is None:
            return signal
        rate = self.noise.rates(self.experiment.network.hidden_layers)[self.layer]
        return self.noise.build(rate, self._site(self.noise.kind))(signal) if rate > 0 else signal

    def _output(self, signal: keras.KerasTensor, classes: int) -> keras.KerasTensor:
        self.layer += 1
        activation = output_kind(self.experiment, classes)
        units = 1 if activation == "sigmoid" else classes
        fixup, glorot = self.experiment.network.fixup, keras.initializers.GlorotUniform(seed=self._layer_seed())
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.Zeros() if fixup else glorot,
            kernel_regularizer=self._kernel_penalty(signal.shape[-1], units),
            name="output",
        )(self._shifted(signal))


@any_depth()
def stock_model(model: keras.Model) -> keras.Model:
    """Returns a copy of `model` in which Keras's own layers stand for dtrain's, with equal predictions."""

    def stock_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.stock() if hasattr(layer, "stock") else type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=stock_layer)
    # layer by layer: a stock layer may hold as a constant what was a weight
    for layer in copy.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return copy

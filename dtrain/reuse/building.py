"""From plain layers and arrays to a Keras model, after its size is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from dtrain.experiment.techniques.networks import MAXIMUM_PARAMETERS
from dtrain.ground.errors import ModelFileError
from dtrain.ground.printable import clipped
from dtrain.reuse.allow_list import OPERATIONS, check_names
from dtrain.reuse.architecture import Architecture
from dtrain.reuse.contents import Contents
from dtrain.reuse.matching import Place, match, place_of
from dtrain.reuse.plans import LayerPlan, numbered, snake

LARGEST_SIGNAL = 2**24
"""Values in one image, and in what any layer makes of it."""
LARGEST_SIGNALS = 2**27
MOST_PRODUCTS = 10**11
"""A few seconds; VGG-16 takes 1.5e10 for an image of 224 x 224."""
LONGEST_REASON = 200


def build(architecture: Architecture, contents: Contents, path: Path) -> keras.Model:
    """Builds a model and fills in its arrays.

    Args:
        architecture: The layers.
        contents: The configuration that they are from, and the arrays of each layer that has any.
        path: The file, for messages.

    Raises:
        ModelFileError: The layers are unsafe, make no model or are too large, or the arrays are not those of them.
    """
    check_names(contents.configuration, path)
    # in a graph that never runs, variables have shapes and take no memory
    with tf.Graph().as_default():
        sketch = _connect(architecture, path)
    layers = {layer.name: layer for layer in sketch.layers}
    for plan in architecture.layers:
        if plan.name not in layers:
            raise ModelFileError(f"layer {clipped(plan.name)!r} leads to no output", where=str(path))
    places = [(place_of(plan, contents), layers[plan.name]) for plan in architecture.layers]
    matched = match([(place, layer) for place, layer in places if layer.weights], contents, path)
    model = _connect(architecture, path)
    for layer, one in matched:
        model.get_layer(layer).set_weights(one.arrays)
    _try(model, architecture, path)
    return model


def fill(model: keras.Model, contents: Contents, path: Path) -> None:
    """Gives a model of stock Keras layers the arrays of a file, of which nothing else is looked at.

    Args:
        model: As it was saved.
        contents: The arrays of each layer that has any.
        path: The file, for messages.

    Raises:
        ModelFileError: The arrays are not those of the layers, or not finite.
    """
    groups = numbered(type(layer).__name__ for layer in model.layers)
    pairs = [
        (Place(group if contents.layout == "weights" else layer.name, layer.name), layer)
        for group, layer in zip(groups, model.layers, strict=True)
        if layer.weights
    ]
    for name, one in match(pairs, contents, path):
        model.get_layer(name).set_weights(one.arrays)


def _try(model: keras.Model, architecture: Architecture, path: Path) -> None:
    """Predicts one image of zeros, layer by layer, so that what fails is known by name and before anybody trains."""
    signals = {architecture.input_name: tf.zeros((1, *architecture.input_shape))}
    plans = {plan.name: plan for plan in architecture.layers}
    for layer in model.layers:
        if layer.name not in plans:
            continue
        plan = plans[layer.name]
        inputs = [signals[source] for source in plan.inputs]
        with _explained(plan, path):
            signals[plan.name] = layer(inputs if len(inputs) > 1 else inputs[0], training=False)
            got, expected = tuple(signals[plan.name].shape[1:]), tuple(layer.output.shape[1:])
            if got != expected:
                raise ValueError(f"makes {got} of one image; expected {expected}")


def _connect(architecture: Architecture, path: Path) -> keras.Model:
    images = keras.Input(architecture.input_shape, name=architecture.input_name)
    signals, waiting, budget = {architecture.input_name: images}, list(architecture.layers), _Budget(path)
    budget.spend(architecture.input_name, images)
    while waiting:
        ready = [plan for plan in waiting if all(source in signals for source in plan.inputs)]
        if not ready:
            raise ModelFileError(f"layer {clipped(waiting[0].name)!r} takes the output of no layer", where=str(path))
        for plan in ready:
            inputs = [signals[source] for source in plan.inputs]
            with _explained(plan, path):
                layer = build_layer(plan)
                signals[plan.name] = layer(inputs if len(inputs) > 1 else inputs[0])
            budget.spend(plan.name, signals[plan.name], layer)
        waiting = [plan for plan in waiting if plan.name not in signals]
    if architecture.output_name not in signals:
        raise ModelFileError(f"has no layer {clipped(architecture.output_name)!r}, its output", where=str(path))
    try:
        return keras.Model(images, signals[architecture.output_name], name="base")
    except Exception as error:
        raise ModelFileError(f"makes no model: {_reason(error)}", where=str(path)) from None


@dataclass
class _Budget:
    """What is spent so far of the memory and time that a prediction may take.

    Args:
        path: The file, for messages.
        values: In all signals of one image.
        parameters: Of all layers.
        products: Multiplications for one image.
    """

    path: Path
    values: int = 0
    parameters: int = 0
    products: int = 0

    def spend(self, name: str, signal: keras.KerasTensor, layer: keras.layers.Layer | None = None) -> None:
        made = math.prod(signal.shape[1:])
        positions, weights = math.prod(signal.shape[1:-1]), layer.count_params() if layer else 0
        window = math.prod(getattr(layer, "pool_size", ())) if layer else 1
        self.values, self.parameters = self.values + made, self.parameters + weights
        self.products += positions * weights + made * window
        what = f"layer {clipped(name)!r} makes {made:,} values of one image"
        if made > LARGEST_SIGNAL:
            raise ModelFileError(f"{what}; expected at most {LARGEST_SIGNAL:,}", where=str(self.path))
        for spent, most, unit in (
            (self.values, LARGEST_SIGNALS, "values of one image"),
            (self.parameters, MAXIMUM_PARAMETERS, "parameters"),
            (self.products, MOST_PRODUCTS, "multiplications for one image"),
        ):
            if spent > most:
                message = f"has {spent:,} {unit} up to layer {clipped(name)!r}; expected at most {most:,}"
                raise ModelFileError(message, where=str(self.path))


@contextmanager
def _explained(plan: LayerPlan, path: Path) -> Iterator[None]:
    """Names the layer of a file in which anything fails."""
    try:
        yield
    # Keras checks little, and what it does with a value that it did not expect is in no list
    except Exception as error:
        message = f"layer {clipped(plan.name)!r} ({plan.kind}): {_reason(error)}"
        raise ModelFileError(message, where=str(path)) from None


def _reason(error: Exception) -> str:
    lines = [one.strip() for one in str(error).splitlines() if one.strip()]
    # behind its headline Keras tells what happened
    told = [one for one in lines if not one.startswith("Exception encountered")]
    return (told or lines or [type(error).__name__])[0][:LONGEST_REASON]


def build_layer(plan: LayerPlan, **more: Any) -> keras.layers.Layer:
    """Returns a layer of Keras.

    Args:
        plan: Its class and arguments.
        more: Further arguments, which a file has no say in.
    """
    options = {key: build_layer(one) if isinstance(one, LayerPlan) else one for key, one in plan.options.items()}
    if plan.kind in OPERATIONS:
        # a symbolic call leaves an operation that holds the numbers
        return getattr(keras.ops, snake(plan.kind))(keras.KerasTensor((None,)), **options)._keras_history.operation
    return getattr(keras.layers, plan.kind)(name=plan.name, **options, **more)

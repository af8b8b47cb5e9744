"""From plain layers and arrays to a Keras model, after its size is known."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dtrain.experiment.techniques.networks import MAXIMUM_PARAMETERS
from dtrain.ground.errors import ModelFileError
from dtrain.ground.printable import Lines
from dtrain.reuse.architecture import LARGEST_SIGNAL, Architecture, LayerPlan, check_names
from dtrain.reuse.contents import Contents, StoredLayer

SHOWN_ROWS = 6


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
    parameters = sketch.count_params()
    if parameters > MAXIMUM_PARAMETERS:
        message = f"has {parameters:,} parameters; expected at most {MAXIMUM_PARAMETERS:,}"
        raise ModelFileError(message, where=str(path))
    matched = _match(sketch, contents, path)
    model = _connect(architecture, path)
    for layer, one in matched:
        model.get_layer(layer).set_weights(one.arrays)
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
    for layer, one in _match(model, contents, path):
        model.get_layer(layer).set_weights(one.arrays)


def _connect(architecture: Architecture, path: Path) -> keras.Model:
    images = keras.Input(architecture.input_shape, name=architecture.input_name)
    signals = {architecture.input_name: _bounded(images, architecture.input_name, path)}
    waiting = list(architecture.layers)
    while waiting:
        ready = [plan for plan in waiting if all(source in signals for source in plan.inputs)]
        if not ready:
            raise ModelFileError(f"layer {waiting[0].name!r} takes the output of no layer", where=str(path))
        for plan in ready:
            signal = _apply(plan, [signals[source] for source in plan.inputs], path)
            signals[plan.name] = _bounded(signal, plan.name, path)
        waiting = [plan for plan in waiting if plan.name not in signals]
    if architecture.output_name not in signals:
        raise ModelFileError(f"has no layer {architecture.output_name!r}, its output", where=str(path))
    return keras.Model(images, signals[architecture.output_name], name="base")


def _bounded(signal: keras.KerasTensor, name: str, path: Path) -> keras.KerasTensor:
    values = math.prod(signal.shape[1:])
    if values > LARGEST_SIGNAL:
        message = f"layer {name!r} makes {values:,} values of one image; expected at most {LARGEST_SIGNAL:,}"
        raise ModelFileError(message, where=str(path))
    return signal


def _apply(plan: LayerPlan, signals: list[keras.KerasTensor], path: Path) -> keras.KerasTensor:
    try:
        return build_layer(plan)(signals if len(signals) > 1 else signals[0])
    except (TypeError, ValueError, KeyError, IndexError, OverflowError, tf.errors.OpError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"layer {plan.name!r} ({plan.kind}): {reason[:200]}", where=str(path)) from None


def build_layer(plan: LayerPlan, **more: Any) -> keras.layers.Layer:
    """Returns a layer of Keras.

    Args:
        plan: Its class and arguments.
        more: Further arguments, which a file has no say in.
    """
    options = {key: build_layer(one) if isinstance(one, LayerPlan) else one for key, one in plan.options.items()}
    return getattr(keras.layers, plan.kind)(name=plan.name, **options, **more)


def _match(sketch: keras.Model, contents: Contents, path: Path) -> list[tuple[str, StoredLayer]]:
    """Pairs layers with arrays by name and place; Keras goes by place alone and takes whatever has the same shape."""
    layers = [layer for layer in sketch.layers if layer.weights]
    groups = [layer.name for layer in layers] if contents.layout == "model" else _numbered_classes(sketch)
    stored = {one.group: one for one in contents.layers}
    if set(stored) != set(groups):
        raise ModelFileError(_table("layer", groups, list(stored)), where=str(path))
    in_order = list(stored.values()) if contents.layout == "model" else [stored[group] for group in groups]
    for layer, one in zip(layers, in_order, strict=True):
        if one.name not in ("", layer.name):
            message = f"layers in another order: got the weights of {one.name!r}; expected those of {layer.name!r}"
            raise ModelFileError(message, where=str(path), hint="save the model again; Keras itself would mix them up")
        _check_weights(layer, one, path)
    return [(layer.name, one) for layer, one in zip(layers, in_order, strict=True)]


def _numbered_classes(model: keras.Model) -> list[str]:
    """Returns the names that a .keras gives to the layers with weights: their classes, numbered from the second on."""
    names, counts = [], Counter[str]()
    for layer in model.layers:
        words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
        name = re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
        if layer.weights:
            names.append(f"{name}_{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return names


def _check_weights(layer: keras.layers.Layer, one: StoredLayer, path: Path) -> None:
    expected = [f"{layer.name}/{weight.name} {tuple(weight.shape)}" for weight in layer.weights]
    names = [name.rpartition("/")[2].partition(":")[0] for name in one.weights]
    if all(name.isdecimal() for name in names):
        names = [weight.name for weight in layer.weights][: len(names)]
    found = [f"{layer.name}/{name} {array.shape}" for name, array in zip(names, one.arrays, strict=False)]
    if found != expected or len(one.arrays) != len(expected):
        raise ModelFileError(_table("weight", expected, found), where=str(path))
    for name, array in zip(names, one.arrays, strict=True):
        if not np.isfinite(array).all():
            broken = int(array.size - np.isfinite(array).sum())
            message = f"{layer.name}/{name} holds {broken:,} values that are not finite"
            raise ModelFileError(message, where=str(path), hint="the training behind it diverged: take another base")


def _table(what: str, expected: list[str], found: list[str]) -> str:
    """Returns expected and found side by side, from the first difference on."""
    rows = list(zip_longest(expected, found, fillvalue="nothing"))
    first = next((number for number, (one, other) in enumerate(rows) if one != other), 0)
    shown = [("expected", "found"), *rows[first : first + SHOWN_ROWS]]
    width = max(len(one) for one, _ in shown)
    lines = [f"  {one:<{width}}  {other}" for one, other in shown]
    return Lines(f"architecture and arrays differ, from {what} {first + 1} of {len(expected)} on", *lines)

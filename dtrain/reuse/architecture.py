"""From the configuration in a model file to plain layers: an allow list, and nothing else passes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtrain.ground.errors import ModelFileError, Problem

MODELS = frozenset({"Sequential", "Functional", "Model"})
LAYERS = frozenset(
    {
        "InputLayer",
        "Dense",
        "Conv2D",
        "DepthwiseConv2D",
        "SeparableConv2D",
        "Flatten",
        "Reshape",
        "ZeroPadding2D",
        "Cropping2D",
        "UpSampling2D",
        "MaxPooling2D",
        "AveragePooling2D",
        "GlobalMaxPooling2D",
        "GlobalAveragePooling2D",
        "BatchNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "UnitNormalization",
        "RMSNormalization",
        "Activation",
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "Softmax",
        "Dropout",
        "SpatialDropout2D",
        "AlphaDropout",
        "GaussianDropout",
        "GaussianNoise",
        "Add",
        "Subtract",
        "Multiply",
        "Average",
        "Maximum",
        "Minimum",
        "Concatenate",
        "Rescaling",
    }
)
"""Layers that compute with numbers and their own weights, and take no function, file or address as an argument."""
MARKS = frozenset({"__keras_tensor__", "__tuple__", "DTypePolicy"})
DROPPED = re.compile(
    r".*_(initializer|regularizer|constraint)|dtype|seed|trainable|name|batch_(input_)?shape|renorm_.*|quantization_config"
)
"""What a layer's weights, the data and the stage of training decide anew; a penalty comes from the experiment."""
SWITCHED_OFF = {"synchronized": False, "renorm": False}
"""Of batch normalization: what Keras writes and some versions do not read."""
LEFT_OUT = re.compile(r"_(initializer|regularizer|constraint)(\.|$)")
"""Places of what is dropped, whose names only Keras knows."""
MOST_LAYERS, DEEPEST = 5000, 40
MOST_REPORTED = 5
LARGEST_SIGNAL = 2**24
"""Values in one image, and in what any layer makes of it."""

Plain = dict[str, Any]


@dataclass(frozen=True)
class LayerPlan:
    """One layer to build.

    Args:
        name: Its name.
        kind: The name of its Keras class.
        options: Arguments of the class: numbers, texts, lists of them, and layers as activations.
        inputs: Names of the layers whose outputs it takes.
    """

    name: str
    kind: str
    options: Plain
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Architecture:
    """A network with one input and one output.

    Args:
        input_name: The layer that the images come in at.
        input_shape: Of one image.
        layers: All others, in the order of the file.
        output_name: The layer whose output is the model's.
    """

    input_name: str
    input_shape: tuple[int, ...]
    layers: tuple[LayerPlan, ...]
    output_name: str


def read_architecture(configuration: Plain, path: Path) -> Architecture:
    """Returns the layers that a configuration of Keras 2 or 3 describes, without Keras, which takes seconds to import.

    Args:
        configuration: The parsed JSON.
        path: The file, for messages.

    Raises:
        ModelFileError: Something in it is not on the allow list, or it is no chain or graph of layers.
    """
    try:
        objects = _objects(configuration, "config", "")
        _refuse_foreign((one for one in objects if not LEFT_OUT.search(one[0])), LAYERS | MODELS | MARKS, path)
        kind, inner = configuration["class_name"], configuration["config"]
        if kind not in MODELS:
            raise ModelFileError(f"got a {kind}; expected a Sequential or Functional model", where=str(path))
        # early versions of Keras 2 stored the layers of a Sequential alone
        entries = inner if isinstance(inner, list) else inner["layers"]
        _refuse_nested(entries, path)
        return _sequential(entries, path) if kind == "Sequential" else _functional(inner, path)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        message = f"damaged or incomplete: its architecture is not as Keras writes it ({type(error).__name__}: {error})"
        raise ModelFileError(message, where=str(path)) from None


def check_names(configuration: Plain, path: Path) -> None:
    """Refuses everything in a configuration that names a class and is not on the list, wherever it is.

    To be called before anything is built: `read_architecture` leaves out what only Keras knows.

    Args:
        configuration: The parsed JSON.
        path: The file, for messages.

    Raises:
        ModelFileError: Something in it is neither on the list nor an initializer, regularizer or constraint of Keras.
    """
    import keras

    harmless = {
        name
        for family in (keras.initializers, keras.regularizers, keras.constraints)
        for name, member in vars(family).items()
        if isinstance(member, type)
    }
    _refuse_foreign(_objects(configuration, "config", ""), LAYERS | MODELS | MARKS | harmless, path)


def _refuse_foreign(objects: Iterable[tuple[str, str, Plain]], names: Set[str], path: Path) -> None:
    problems = []
    for place, owner, one in objects:
        kind, module, registered = one.get("class_name"), one.get("module"), one.get("registered_name")
        known = isinstance(kind, str) and kind in names
        own = module is None or (isinstance(module, str) and re.fullmatch(r"keras(\.[a-z_.]+)?", module))
        if not known or not own or not (registered is None or registered == kind):
            shown = f"{registered} ({kind})" if known else str(kind)
            message = f"layer {owner!r} needs {shown[:80]!r}, which is not on the list of safe layers ({place})"
            hint = "nothing of it was loaded; docs/transfer.md lists them under Layers of a base"
            problems.append(Problem(message, str(path), hint))
    if problems:
        raise ModelFileError(problems[:MOST_REPORTED])


def _objects(value: object, place: str, owner: str, depth: int = 0) -> Iterator[tuple[str, str, Plain]]:
    """Yields every mapping with a class name: its place, the nearest name above it, and itself."""
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        inner = value.get("config")
        named = inner.get("name") if isinstance(inner, dict) else None
        owner = str(named or value.get("name") or owner)
        if "class_name" in value:
            yield place, owner, value
        for key, one in value.items():
            yield from _objects(one, f"{place}.{key}", owner, depth + 1)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _objects(one, f"{place}[{number}]", owner, depth + 1)


def _refuse_nested(entries: list[Plain], path: Path) -> None:
    if len(entries) > MOST_LAYERS:
        raise ModelFileError(f"got {len(entries):,} layers; expected at most {MOST_LAYERS:,}", where=str(path))
    for entry in entries:
        if entry["class_name"] not in LAYERS:
            message = f"layer {entry['config'].get('name')!r} is a {entry['class_name']}; expected a single layer"
            hint = "put the layers of the inner model into the outer one and save it again"
            raise ModelFileError(message, where=str(path), hint=hint)


def _sequential(entries: list[Plain], path: Path) -> Architecture:
    shape = _input_shape(entries[0]["config"], path)
    before = "input"
    if entries[0]["class_name"] == "InputLayer":
        before, entries = entries[0]["config"]["name"], entries[1:]
    first, layers = before, []
    for entry in entries:
        layers.append(_plan(entry, (before,)))
        before = layers[-1].name
    return Architecture(first, shape, tuple(layers), before)


def _functional(inner: Plain, path: Path) -> Architecture:
    places = {role: _one_place(inner[role], role, path) for role in ("input_layers", "output_layers")}
    layers, shape = [], None
    for entry in inner["layers"]:
        name = entry["config"]["name"]
        if entry["class_name"] == "InputLayer":
            shape = _input_shape(entry["config"], path)
        else:
            calls = entry["inbound_nodes"]
            if len(calls) != 1:
                message = f"layer {name!r} is used {len(calls)} times; expected once"
                raise ModelFileError(message, where=str(path))
            layers.append(_plan(entry, tuple(_sources(calls[0]))))
    if shape is None:
        raise ModelFileError("has no input layer", where=str(path))
    return Architecture(places["input_layers"], shape, tuple(layers), places["output_layers"])


def _one_place(value: Any, role: str, path: Path) -> str:
    """Returns the layer of [name, 0, 0] or [[name, 0, 0]]."""
    places = value if value and isinstance(value[0], list) else [value]
    if len(places) != 1:
        raise ModelFileError(f"has {len(places)} {role.replace('_', ' ')}; expected one", where=str(path))
    return str(places[0][0])


def _sources(call: object) -> Iterator[str]:
    """Yields the layers whose outputs a call takes: Keras 3's marked tensors, or Keras 2's [name, 0, 0, {}]."""
    if isinstance(call, dict):
        history = call["config"]["keras_history"] if call.get("class_name") == "__keras_tensor__" else None
        if history:
            yield str(history[0])
        else:
            for key in ("args", "kwargs", "config"):
                yield from _sources(call.get(key))
            if "args" not in call:
                yield from (source for value in call.values() for source in _sources(value))
    elif isinstance(call, list):
        if len(call) >= 3 and isinstance(call[0], str) and call[1:3] == [0, 0]:
            yield call[0]
        else:
            for one in call:
                yield from _sources(one)


def _input_shape(config: Plain, path: Path) -> tuple[int, ...]:
    batch_shape = config.get("batch_shape") or config.get("batch_input_shape")
    shape = tuple(batch_shape[1:]) if batch_shape else ()
    if not shape or not all(type(side) is int and side > 0 for side in shape):
        message = f"takes inputs of shape {list(batch_shape or ())}; expected every side of an image to be known"
        raise ModelFileError(message, where=str(path))
    return shape


def _plan(entry: Plain, inputs: tuple[str, ...]) -> LayerPlan:
    config = entry["config"]
    return LayerPlan(str(config["name"]), entry["class_name"], _options(config), inputs)


def _options(config: Plain) -> Plain:
    kept = {key: _plain(key, value) for key, value in config.items() if not _is_dropped(key, value)}
    axis = kept.get("axis")
    # Keras 2 stored the axis of batch normalization as a list of one
    if isinstance(axis, list) and len(axis) == 1:
        kept["axis"] = axis[0]
    if kept.get("data_format") == "channels_first":
        raise ValueError(f"layer {config['name']!r} has its channels first; expected channels_last")
    return kept


def _is_dropped(key: str, value: object) -> bool:
    switched_off = key in SWITCHED_OFF and value == SWITCHED_OFF[key]
    return value is None or switched_off or DROPPED.fullmatch(key) is not None


def _plain(key: str, value: object) -> object:
    """Returns numbers, texts and lists as they are, and a layer that stands for an activation as a plan."""
    if isinstance(value, dict):
        if value.get("class_name") in LAYERS:
            return _plan({**value, "config": {"name": key, **value["config"]}}, ())
        if value.get("class_name") == "__tuple__":
            return tuple(value["items"])
        raise ValueError(f"{key} is a {value.get('class_name', 'mapping')}")
    if isinstance(value, list):
        return [_plain(key, one) for one in value]
    # None inside a list is a side that the batch decides, as in a noise_shape
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(f"{key} is {value!r}")
    return value

"""One layer of a model file as plain data: its class, and options whose types are those that Keras means."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dtrain.ground.printable import clipped
from dtrain.reuse.allow_list import LAYERS, OPERATIONS, Plain

DROPPED = re.compile(
    r".*_(initializer|regularizer|constraint)|dtype|seed|trainable|name|batch_(input_)?shape|renorm_.*|quantization_config"
)
"""What a layer's weights, the data and the stage of training decide anew; a penalty comes from the experiment."""
DEFAULTS: dict[str, Plain] = {
    "BatchNormalization": {"synchronized": False, "renorm": False},
    "DepthwiseConv2D": {"groups": 1},
    "SeparableConv2D": {"groups": 1},
}
"""What some versions of Keras write and others do not read."""
LARGEST_NUMBER = 2**31
MOST_VALUES = 2**20
"""Numbers in one option, as in the means of a normalization."""


@dataclass(frozen=True)
class LayerPlan:
    """One layer to build.

    Args:
        name: Its name; for one of an inner model, that of the model in front.
        kind: The name of its Keras class.
        options: Arguments of the class: numbers, texts, lists of them, and layers as activations.
        inputs: Names of the layers whose outputs it takes.
        path: The names of the models around it, from the outer one on, and its own; empty where the file has no such.
        group: The same in the classes that a .keras numbers.
    """

    name: str
    kind: str
    options: Plain
    inputs: tuple[str, ...]
    path: tuple[str, ...] = ()
    group: str = ""


def options_of(kind: str, config: Plain) -> Plain:
    """Returns the arguments of a layer of Keras 3.

    Args:
        kind: The layer's class.
        config: What Keras 2 or 3 wrote of it.

    Raises:
        ValueError: An option is nothing that Keras writes.
    """
    kept = {key: _plain(key, value) for key, value in config.items() if not _is_dropped(kind, key, value)}
    axis = kept.get("axis")
    # Keras 2 stored the axis of batch normalization as a list of one
    if isinstance(axis, list) and len(axis) == 1:
        kept["axis"] = axis[0]
    if kind == "LeakyReLU" and "alpha" in kept:
        kept["negative_slope"] = kept.pop("alpha")
    if kept.get("data_format") == "channels_first":
        raise ValueError("has its channels first; expected channels_last")
    for key, value in kept.items():
        _check_type(kind, key, value)
    return kept


def snake(kind: str) -> str:
    """Returns a class as Keras names functions and groups after it."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()


def numbered(kinds: Iterable[str]) -> list[str]:
    """Returns the groups of a .keras: the classes of a model's layers, numbered from the second on."""
    names, counts = [], Counter[str]()
    for name in map(snake, kinds):
        names.append(f"{name}_{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return names


def _is_dropped(kind: str, key: str, value: object) -> bool:
    default = DEFAULTS.get(kind, {}).get(key)
    return value is None or (default is not None and value == default) or DROPPED.fullmatch(key) is not None


def _plain(key: str, value: object) -> object:
    """Returns numbers, texts and lists as they are, and a layer that stands for an activation as a plan."""
    if isinstance(value, dict):
        kind = value.get("class_name")
        if key == "activation" and kind in LAYERS | OPERATIONS:
            return LayerPlan(str(value["config"].get("name", key)), kind, options_of(kind, value["config"]), ())
        if kind == "__tuple__":
            return tuple(_plain(key, one) for one in value["items"])
        raise ValueError(f"{clipped(key)} is a {clipped(str(kind or 'mapping'))}")
    if isinstance(value, list):
        return [_plain(key, one) for one in value]
    # None inside a list is a side that the batch decides, as in a noise_shape
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(f"{clipped(key)} is {clipped(repr(value))}")
    return value


def _is_number(value: object) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value) and abs(value) < LARGEST_NUMBER  # type: ignore[arg-type]


def _is_size(value: object) -> bool:
    return type(value) is int and 0 < value < LARGEST_NUMBER


def _all(test: Callable[[object], bool]) -> Callable[[object], bool]:
    """Returns a test of a value, and of every one in lists of them."""

    def passes(value: object) -> bool:
        if isinstance(value, list | tuple):
            return len(value) <= MOST_VALUES and all(map(passes, value))
        return test(value)

    return passes


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) < LARGEST_NUMBER


EXPECTED: dict[str, tuple[str, Callable[[object], bool]]] = {
    "units|filters|depth_multiplier": ("a whole number above 0", _is_size),
    # -1 is a group for each channel
    "groups": ("a whole number above 0", lambda value: _is_size(value) or value == -1),
    "kernel_size|strides|pool_size|dilation_rate|size": ("whole numbers above 0", _all(_is_size)),
    "use_bias|center|keepdims|invert|rms_scaling": ("true or false", lambda value: isinstance(value, bool)),
    "interpolation|data_format": ("a text", lambda value: isinstance(value, str)),
    "offset|mean|variance": ("numbers", _all(_is_number)),
    "axis|shared_axes|target_shape|cropping": ("whole numbers", _all(_is_whole)),
    "padding": ("a text or whole numbers", _all(lambda value: isinstance(value, str) or _is_whole(value))),
    "noise_shape": ("whole numbers", _all(lambda value: value is None or _is_size(value))),
    "activation": ("an activation", lambda value: isinstance(value, str | LayerPlan)),
    "momentum|epsilon|rate|stddev|negative_slope|max_value|threshold|default_value|alpha|b": ("a number", _is_number),
    "approximate": ("true or false", lambda value: isinstance(value, bool)),
}
"""What options may be, by their names; those of other names Keras checks."""


def _check_type(kind: str, key: str, value: object) -> None:
    if key == "scale":
        key, expected = ("scale", "offset") if kind == "Rescaling" else ("scale", "center")
    else:
        expected = key
    for names, (words, test) in EXPECTED.items():
        if expected in names.split("|") and not test(value):
            raise ValueError(f"{key} is {clipped(repr(value))}; expected {words}")

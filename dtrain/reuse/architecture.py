"""From the configuration in a model file to a graph of plain layers, inner models taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dtrain.ground.errors import ModelFileError
from dtrain.ground.printable import clipped
from dtrain.reuse.allow_list import IDLE, LAYERS, MODELS, Plain, check_layers
from dtrain.reuse.plans import LayerPlan, numbered, options_of

MOST_LAYERS = 1000
"""Keras goes through a chain by recursion, and Python ends that at about a thousand."""
LONGEST_REASON = 200
FIRST = "first_input"
"""What comes into a chain that begins without an input layer."""


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


@dataclass
class _Graph:
    """What is read so far.

    Args:
        file: For messages.
        layers: The layers.
        same: Names that stand for the output of another layer: of inner models, and of what does nothing.
        taken: All names.
    """

    file: Path
    layers: list[LayerPlan] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def refuse(self, message: str, hint: str = "") -> ModelFileError:
        return ModelFileError(message, where=str(self.file), hint=hint)

    def source(self, name: str) -> str:
        """Returns the layer whose output comes out under a name."""
        for _ in range(len(self.same) + 1):
            if name not in self.same:
                return name
            name = self.same[name]
        raise self.refuse(f"layer {clipped(name)!r} takes its own output")


def read_architecture(configuration: Plain, path: Path) -> Architecture:
    """Returns the layers that a configuration of Keras 2 or 3 describes, without Keras, which takes seconds to import.

    Args:
        configuration: The parsed JSON.
        path: The file, for messages.

    Raises:
        ModelFileError: Something in it is not on the allow list, or it is no chain or graph of layers.
    """
    graph = _Graph(path)
    try:
        check_layers(configuration, path)
        kind = configuration["class_name"]
        if kind not in MODELS:
            raise graph.refuse(f"got a {clipped(str(kind))}; expected a Sequential or Functional model")
        shape = _input_shape(configuration, graph)
        first, last = _read_model(configuration, graph, (), "")
        layers = tuple(replace(one, inputs=tuple(map(graph.source, one.inputs))) for one in graph.layers)
        return Architecture(first, shape, layers, graph.source(last))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        message = f"damaged or incomplete: its architecture is not as Keras writes it ({reason})"
        raise ModelFileError(message, where=str(path)) from None


def _entries(model: Plain) -> list[Plain]:
    inner = model["config"]
    # early versions of Keras 2 stored the layers of a Sequential alone
    entries: list[Plain] = inner if isinstance(inner, list) else inner["layers"]
    return entries


def _read_model(model: Plain, graph: _Graph, around: tuple[str, ...], group: str) -> tuple[str, str]:
    """Adds the layers of a model, and returns the names that its input and its output go by."""
    sequential = model["class_name"] == "Sequential"
    entries = _entries(model)
    before = _named(around, FIRST)
    first = before if sequential else _named(around, _one_place(model["config"]["input_layers"], graph))
    for entry, numbered_class in zip(entries, numbered(one["class_name"] for one in entries), strict=True):
        if len(graph.taken) >= MOST_LAYERS:
            raise graph.refuse(f"got too many layers; expected at most {MOST_LAYERS:,}")
        name = _new_name(entry, graph, around)
        if entry["class_name"] == "InputLayer":
            if sequential:
                first = before = name
            continue
        inputs = (before,) if sequential else _inputs(entry, name, graph, around)
        path, place = (*around, _own(entry)), f"{group}{numbered_class}"
        _read_layer(entry, graph, LayerPlan(name, entry["class_name"], {}, inputs, path, place))
        before = name
    return first, before if sequential else _named(around, _one_place(model["config"]["output_layers"], graph))


def _read_layer(entry: Plain, graph: _Graph, plan: LayerPlan) -> None:
    if plan.kind in LAYERS:
        try:
            graph.layers.append(replace(plan, options=options_of(plan.kind, entry["config"])))
        except ValueError as error:
            raise graph.refuse(f"layer {clipped(plan.name)!r} ({plan.kind}): {error}") from None
        return
    if len(plan.inputs) != 1:
        raise graph.refuse(f"layer {clipped(plan.name)!r} takes {len(plan.inputs)} inputs; expected one")
    if plan.kind in IDLE:
        graph.same[plan.name] = plan.inputs[0]
    elif plan.kind in MODELS:
        first, graph.same[plan.name] = _read_model(entry, graph, plan.path, f"{plan.group}/")
        graph.same[first] = plan.inputs[0]
    else:
        raise graph.refuse(f"layer {clipped(plan.name)!r} is a {clipped(plan.kind)}; expected a layer or a model")


def _own(entry: Plain) -> str:
    config = entry["config"]
    # early versions of Keras 2 named only the model in a list of layers
    name = config.get("name") if isinstance(config, Mapping) else entry.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"a layer is named {clipped(repr(name))}")
    return name


def _named(around: tuple[str, ...], name: str) -> str:
    return ".".join((*around, name))


def _new_name(entry: Plain, graph: _Graph, around: tuple[str, ...]) -> str:
    name = _named(around, _own(entry))
    if name in graph.taken:
        raise graph.refuse(f"two layers are named {clipped(name)!r}; expected a name for each")
    graph.taken.add(name)
    return name


def _inputs(entry: Plain, name: str, graph: _Graph, around: tuple[str, ...]) -> tuple[str, ...]:
    calls = entry["inbound_nodes"]
    if len(calls) != 1:
        raise graph.refuse(f"layer {clipped(name)!r} is used {len(calls)} times; expected once")
    found = tuple(_named(around, source) for source in _sources(calls[0]))
    if not found:
        raise graph.refuse(f"layer {clipped(name)!r} takes the output of no layer")
    return found


def _one_place(places: Any, graph: _Graph) -> str:
    """Returns the layer of [name, 0, 0] or [[name, 0, 0]]."""
    places = places if places and isinstance(places[0], list) else [places]
    if len(places) != 1:
        raise graph.refuse(f"has {len(places)} inputs or outputs; expected one of each")
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
        # the second number counts the calls of an inner model, of which the file has one
        if len(call) >= 3 and isinstance(call[0], str) and type(call[1]) is int and call[2] == 0:
            yield call[0]
        else:
            for one in call:
                yield from _sources(one)


def _input_shape(model: Plain, graph: _Graph) -> tuple[int, ...]:
    """Returns the shape of one image, which some first layer or the model itself holds."""
    entries, config = _entries(model), model["config"]
    if model["class_name"] != "Sequential":
        wanted = _one_place(config["input_layers"], graph)
        entries = [one for one in entries if one["class_name"] == "InputLayer" and _own(one) == wanted]
        if not entries:
            raise graph.refuse("has no input layer")
    first = entries[0]
    if first["class_name"] in MODELS:
        return _input_shape(first, graph)
    batch_shape = first["config"].get("batch_shape") or first["config"].get("batch_input_shape")
    if not batch_shape and isinstance(config, Mapping):
        batch_shape = config.get("build_input_shape")
    shape = tuple(batch_shape[1:]) if batch_shape else ()
    if not shape or not all(type(side) is int and side > 0 for side in shape):
        message = f"takes inputs of shape {clipped(str(list(batch_shape or ())))}"
        raise graph.refuse(f"{message}; expected every side of an image to be known")
    return shape

"""Which arrays of a file are those of which layer: by name and place, where Keras goes by place alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dtrain.ground.errors import ModelFileError
from dtrain.ground.printable import Lines, clipped
from dtrain.reuse.contents import Contents, StoredLayer
from dtrain.reuse.plans import LayerPlan

if TYPE_CHECKING:
    import keras

SHOWN_ROWS = 6
AGAIN = "save the model again"


@dataclass(frozen=True)
class Place:
    """Where a file keeps the arrays of a layer.

    Args:
        group: Its group: the layer's name in an .h5, behind that of a model around it; numbered classes in a .keras.
        name: The layer's name in the file.
    """

    group: str
    name: str


def place_of(plan: LayerPlan, contents: Contents) -> Place:
    """Returns where a file keeps the arrays of a layer."""
    own = plan.path[-1] if plan.path else ""
    group = "/".join((*plan.path[:-1][:1], own)) if contents.layout == "model" else plan.group
    return Place(group, own)


def stored_layers(contents: Contents, places: Iterable[Place]) -> dict[str, StoredLayer]:
    """Returns the arrays of a file by their groups; an .h5 keeps those of an inner model in one, which is divided.

    Args:
        contents: The file.
        places: Where layers have arrays, or may have.
    """
    inner = {outer for outer, slash, _ in (one.group.partition("/") for one in places) if slash}
    found: dict[str, StoredLayer] = {}
    for whole in contents.layers:
        if contents.layout == "weights" or whole.group not in inner:
            found[whole.group] = whole
            continue
        for weight, array in zip(whole.weights, whole.arrays, strict=True):
            name = weight.split("/")[-2]
            group = f"{whole.group}/{name}"
            before = found.get(group, StoredLayer(group, name, (), ()))
            found[group] = StoredLayer(group, name, (*before.weights, weight), (*before.arrays, array))
    return found


def match(
    wanted: Sequence[tuple[Place, keras.layers.Layer]], contents: Contents, path: Path
) -> list[tuple[str, StoredLayer]]:
    """Pairs the names of layers with arrays, and finds out whether the arrays are theirs.

    Args:
        wanted: Each layer with weights, and its place.
        contents: The file.
        path: The file, for messages.

    Raises:
        ModelFileError: The arrays are not those of the layers, or not finite.
    """
    stored = stored_layers(contents, [place for place, _ in wanted])
    groups = [place.group for place, _ in wanted]
    hint = f"Keras {contents.written_by} wrote it: {AGAIN} with Keras 3.15" if contents.written_by else ""
    if set(stored) != set(groups) or len(set(groups)) < len(groups):
        raise ModelFileError(_table("layer", groups, list(stored)), where=str(path), hint=hint)
    # Keras goes through the outer groups of an .h5 in their order
    in_order = zip(dict.fromkeys(map(_outer, stored)), dict.fromkeys(map(_outer, groups)), strict=True)
    got = list(in_order) if contents.layout == "model" else [(stored[one.group].name, one.name) for one, _ in wanted]
    for name, expected in got:
        if name not in ("", expected):
            found = f"got the weights of {clipped(name)!r}; expected those of {clipped(expected)!r}"
            hint = hint or f"{AGAIN}; Keras itself would mix them up"
            raise ModelFileError(f"layers in another order: {found}", where=str(path), hint=hint)
    for place, layer in wanted:
        _check_weights(layer, stored[place.group], path, hint)
    return [(layer.name, stored[place.group]) for place, layer in wanted]


def _outer(group: str) -> str:
    return group.partition("/")[0]


def _check_weights(layer: keras.layers.Layer, one: StoredLayer, path: Path, hint: str) -> None:
    name_of_layer = clipped(layer.name)
    expected = [f"{name_of_layer}/{weight.name} {tuple(weight.shape)}" for weight in layer.weights]
    names = [clipped(name.rpartition("/")[2].partition(":")[0]) for name in one.weights]
    if all(name.isdecimal() for name in names):
        names = [weight.name for weight in layer.weights][: len(names)]
    found = [f"{name_of_layer}/{name} {array.shape}" for name, array in zip(names, one.arrays, strict=False)]
    if found != expected or len(one.arrays) != len(expected):
        raise ModelFileError(_table("weight", expected, found), where=str(path), hint=hint)
    for name, array in zip(names, one.arrays, strict=True):
        check_finite(f"{name_of_layer}/{name}", array, path)


def check_finite(name: str, array: np.ndarray[tuple[int, ...], np.dtype[np.float32]], path: Path) -> None:
    """Refuses an array with values that are no numbers.

    Raises:
        ModelFileError: There are such values.
    """
    broken = int(array.size - np.isfinite(array).sum())
    if broken:
        message = f"{name} holds {broken:,} values that are not finite"
        raise ModelFileError(message, where=str(path), hint="the training behind it diverged: take another base")


def _table(what: str, expected: list[str], found: list[str]) -> str:
    """Returns expected and found side by side, from the first difference on."""
    rows = list(zip_longest(expected, map(clipped, found), fillvalue="nothing"))
    first = next((number for number, (one, other) in enumerate(rows) if one != other), 0)
    shown = [("expected", "found"), *rows[first : first + SHOWN_ROWS]]
    width = max(len(one) for one, _ in shown)
    lines = [f"  {one:<{width}}  {other}" for one, other in shown]
    return Lines(f"architecture and arrays differ, from {what} {first + 1} of {len(expected)} on", *lines)

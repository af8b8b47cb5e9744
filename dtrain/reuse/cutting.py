"""Where a base is cut: the layers that are kept, by hidden layer, and the errors of whoever asks for others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dtrain.experiment.transfer import Transfer
from dtrain.ground.errors import ConfigError, ModelFileError, did_you_mean
from dtrain.reuse.base import Base, Outline
from dtrain.reuse.plans import LayerPlan

KERNELS = {
    "Dense": ("kernel",),
    "Conv2D": ("kernel",),
    "DepthwiseConv2D": ("depthwise",),
    "SeparableConv2D": ("depthwise", "pointwise"),
}
"""Layers with kernels, which count as hidden layers, and what Keras calls their kernels."""
MOST_LISTED = 12


@dataclass(frozen=True)
class Cut:
    """What is kept of a base.

    Args:
        kept: The layers, each behind those that it takes inputs from.
        groups: For each hidden layer, from the images on, its name and those of what stands behind it.
        end: The layer whose output the new layers take.
        hidden: The hidden layers that are kept.
        dropped: Those above, without the output.
    """

    kept: tuple[LayerPlan, ...]
    groups: tuple[tuple[str, ...], ...]
    end: str
    hidden: tuple[str, ...]
    dropped: tuple[str, ...]


def check_reuse(outline: Outline, transfer: Transfer) -> None:
    """Refuses hidden layers that a base does not have, so that nobody waits for TensorFlow to be told; `cut` does more.

    Args:
        outline: The base, not built yet.
        transfer: What to keep.

    Raises:
        ConfigError: There are no such layers.
    """
    layers = outline.architecture.layers
    hidden = [plan.name for plan in layers if plan.kind in KERNELS][:-1]
    sizes = {one.name: sum(array.size for array in one.arrays) for one in outline.contents.layers}
    if hidden:
        _check_known(transfer.reuse, hidden, [plan.name for plan in layers], outline.path, sizes)


def cut(base: Base, transfer: Transfer) -> Cut:
    """Returns what is kept of a base.

    Args:
        base: The base.
        transfer: What to keep, and how much of it will be trained.

    Raises:
        ConfigError: The base has no such layers, or cannot be cut there.
        ModelFileError: It has no hidden layer.
    """
    plans = {plan.name: plan for plan in base.architecture.layers}
    order = [plans[layer.name] for layer in base.model.layers if layer.name in plans]
    heights = [place for place, plan in enumerate(order) if plan.kind in KERNELS]
    if len(heights) < 2:
        found = "one layer with weights, its output" if heights else "no layer with weights"
        raise ModelFileError(f"has {found}; expected a hidden layer to reuse", where=str(base.path))
    ends = _ends(order, heights[-1])
    last = _last_kept(base, transfer, order, heights, ends)
    kept, hidden = order[: last + 1], [order[height].name for height in heights[:-1]]
    groups = _groups(kept, [height for height in heights if height <= last])
    if isinstance(transfer.unfreeze, int) and transfer.unfreeze > len(groups):
        message = f"got {transfer.unfreeze}; expected 1 to {len(groups)}, the hidden layers that are reused"
        raise ConfigError(message, where="transfer.unfreeze", hint=_listed(hidden[: len(groups)], _sizes(base, hidden)))
    count = len(groups)
    return Cut(tuple(kept), groups, ends[last], tuple(hidden[:count]), tuple(hidden[count:]))


def _ends(order: list[LayerPlan], head: int) -> dict[int, str]:
    """Returns the places behind which nothing but one layer's output is needed, and that layer."""
    ends = {}
    for place in range(head):
        below = {plan.name for plan in order[: place + 1]}
        above = {plan.name for plan in order[place + 1 :]}
        crossing = {source for plan in order[place + 1 :] for source in plan.inputs} - above
        if len(crossing) == 1 and crossing <= below:
            ends[place] = crossing.pop()
    return ends


def _last_kept(base: Base, transfer: Transfer, order: list[LayerPlan], heights: list[int], ends: dict[int, str]) -> int:
    hidden = [order[height].name for height in heights[:-1]]
    names = [plan.name for plan in order[: heights[-1]]]
    reuse = transfer.reuse
    _check_known(reuse, hidden, names, base.path, _sizes(base, hidden))
    if isinstance(reuse, str) and reuse != "all":
        if reuse not in hidden:
            place = names.index(reuse)
            if ends.get(place) != reuse or place < heights[0]:
                raise _uncuttable(f"layer {reuse!r}", base, order, heights, ends)
            return place
        reuse = hidden.index(reuse) + 1
    number = len(hidden) if reuse == "all" else int(reuse)
    places = [place for place in ends if heights[number - 1] <= place < heights[number]]
    if not places:
        raise _uncuttable(f"{number} hidden layers", base, order, heights, ends)
    return places[-1]


def _uncuttable(what: str, base: Base, order: list[LayerPlan], heights: list[int], ends: dict[int, str]) -> ConfigError:
    possible = [order[place].name for place in ends if place >= heights[0]]
    message = f"got {what}; expected to cut {base.path.name} where all that follows takes the output of one layer"
    return ConfigError(message, where="transfer.reuse", hint=f"cut behind one of {', '.join(possible) or 'none'}")


def _groups(kept: list[LayerPlan], heights: list[int]) -> tuple[tuple[str, ...], ...]:
    """What stands in front of the first hidden layer belongs to it."""
    edges = [0, *heights[1:], len(kept)]
    return tuple(tuple(plan.name for plan in kept[first:last]) for first, last in itertools.pairwise(edges))


def _check_known(
    reuse: str | int, hidden: Sequence[str], names: Sequence[str], path: Path, sizes: Mapping[str, int]
) -> None:
    near = ""
    if isinstance(reuse, int):
        known, expected = reuse <= len(hidden), f"all or 1 to {len(hidden)}, the hidden layers of {path.name}"
    else:
        known, expected = reuse in ("all", *names), f"all, 1 to {len(hidden)}, or a layer of {path.name}"
        near = did_you_mean(reuse, names)
    if not known:
        message = f"got {reuse!r}; expected {expected}{near}"
        raise ConfigError(message, where="transfer.reuse", hint=_listed(hidden, sizes))


def _sizes(base: Base, hidden: Sequence[str]) -> dict[str, int]:
    return {name: base.model.get_layer(name).count_params() for name in hidden}


def _listed(hidden: Sequence[str], sizes: Mapping[str, int]) -> str:
    """Returns the hidden layers with their parameters, where the file names them, as a table in one line."""
    numbered = [f"{number} {name}" for number, name in enumerate(hidden, 1)]
    rows = [f"{one} {sizes[name]:,}" if name in sizes else one for one, name in zip(numbered, hidden, strict=True)]
    shown = rows if len(rows) <= MOST_LISTED else [*rows[:6], "...", *rows[-5:]]
    return f"its hidden layers with their parameters: {', '.join(shown)}; new layers always train"


def check_inputs(base: Base, image_shape: tuple[int, ...]) -> None:
    """Refuses images that the base cannot take; one channel may be left out, and a base may want the values in a row.

    Raises:
        ModelFileError: The shapes differ.
    """
    flat = (math.prod(image_shape),)
    if base.input_shape != flat and _without_channel(base.input_shape) != _without_channel(image_shape):
        message = f"takes inputs of shape {base.input_shape}; expected {image_shape}, the shape of the images"
        raise ModelFileError(message, where=str(base.path), hint="choose the data set that the base was made for")


def _without_channel(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:-1] if len(shape) == 3 and shape[-1] == 1 else shape

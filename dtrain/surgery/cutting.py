"""Where a base is cut: the layers that are kept, by hidden layer, and the errors of whoever asks for others."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from dtrain.bases import Base
from dtrain.bases.architecture import LayerPlan
from dtrain.errors import ConfigError, ModelFileError, did_you_mean
from dtrain.staging import Transfer

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
        raise ConfigError(message, where="transfer.unfreeze", hint=_parameters(base, hidden[: len(groups)]))
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
    if isinstance(reuse, str) and reuse != "all":
        if reuse not in names:
            message = f"got {reuse!r}; expected all, 1 to {len(hidden)}, or a layer of {base.path.name}"
            raise ConfigError(
                message + did_you_mean(reuse, names), where="transfer.reuse", hint=_parameters(base, hidden)
            )
        if reuse not in hidden:
            place = names.index(reuse)
            if ends.get(place) != reuse or place < heights[0]:
                raise _uncuttable(f"layer {reuse!r}", base, order, heights, ends)
            return place
        reuse = hidden.index(reuse) + 1
    number = len(hidden) if reuse == "all" else int(reuse)
    if number > len(hidden):
        message = f"got {number}; expected all or 1 to {len(hidden)}, the hidden layers of {base.path.name}"
        raise ConfigError(message, where="transfer.reuse", hint=_parameters(base, hidden))
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


def _parameters(base: Base, hidden: list[str]) -> str:
    """Returns the hidden layers with their parameters, as a table in one line."""
    rows = [f"{number} {name} {base.model.get_layer(name).count_params():,}" for number, name in enumerate(hidden, 1)]
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

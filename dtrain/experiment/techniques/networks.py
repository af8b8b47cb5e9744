"""Networks: what stands between the images and the classes."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dtrain.experiment.techniques.technique import FAMILY, Contradiction, Section, Size

MAXIMUM_PARAMETERS = 100_000_000
"""In training they take 1.6 GB."""
TRAINING_BYTES_PER_PARAMETER = 16
"""The weight, its gradient and two optimizer slots, as 32-bit floats."""
SCALARS_OF_A_BRANCH = 5
"""Fixup's biases before two layers and the activations behind them, and its multiplier."""


class NetworkSection(Section):
    """What every network has: an output that fits the classes."""

    output: Literal["auto", "softmax", "sigmoid"] = Field(
        default="auto", description="sigmoid (one unit) for two classes, else softmax; or one of them"
    )

    residual: bool = Field(
        default=False,
        description="every two layers form a branch that is added to what went into it (He et al. 2016)",
    )
    fixup: bool = Field(
        default=False,
        description="residual at any depth without normalization (Zhang et al. 2019)",
    )

    @model_validator(mode="after")
    def _fixup_has_branches(self) -> Self:
        if self.fixup and not self.residual:
            message = "got true without branches; expected residual: true beside it"
            raise Contradiction(("fixup",), message, "Fixup scales the weights inside residual branches")
        return self

    @property
    def hidden_layers(self) -> int:
        """How many hidden layers the network has, convolutions included."""
        raise AssertionError("every kind of network counts its own layers")

    def _pairs(self, field: str, count: int) -> None:
        """Refuses branches that are not whole."""
        if self.residual and count % 2:
            near = " or ".join(str(one) for one in (count - 1, count + 1) if one)
            message = f"got {count} with residual: true; expected an even number, such as {near}"
            raise Contradiction((field,), message, "two layers form a branch")

    def _branch_parameters(self, inputs: int, sizes: tuple[int, ...], area: int = 1) -> int:
        """Counts the weights of all branches, their biases or Fixup's scalars, and the projections of the skips."""
        total = 0
        for first, second in zip(sizes[::2], sizes[1::2], strict=True):
            projection = inputs * second if inputs != second else 0
            total += area * first * (inputs + second) + projection
            total += SCALARS_OF_A_BRANCH if self.fixup else first + second
            inputs = second
        return total

    def parameters(self, image_shape: tuple[int, ...], classes: int) -> int:
        """Returns about how many weights and biases the network has.

        Args:
            image_shape: Height, width and, for colour, channels.
            classes: Classes to tell apart.
        """
        raise AssertionError("every kind of network counts its own parameters")


def _dense_parameters(sizes: list[int]) -> int:
    return sum((before + 1) * after for before, after in itertools.pairwise(sizes))


class DenseNetwork(NetworkSection):
    """Dense layers: a list of sizes, or depth x width; residual ones project what they add to where sizes differ."""

    kind: Literal["dense"] = "dense"
    hidden: Annotated[tuple[Size, ...], Field(strict=False)] | None = Field(
        default=None, description="units of each hidden layer"
    )
    depth: Size | None = Field(default=None, le=10_000, description="hidden layers, all of one width")
    width: Size | None = Field(default=None, description="units of each of them")

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        if self.hidden is not None and (self.depth or self.width):
            raise Contradiction(("hidden",), "got hidden beside depth or width; expected one of the two ways")
        if self.hidden is None and not (self.depth and self.width):
            missing = "width" if self.depth else "depth" if self.width else "hidden"
            raise Contradiction((missing,), "is missing; expected hidden: [300, 100], or depth: 20 with width: 100")
        self._pairs("depth" if self.depth else "hidden", self.hidden_layers)
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return self.hidden if self.hidden is not None else (self.width or 0,) * (self.depth or 0)

    @property
    def hidden_layers(self) -> int:
        """How many hidden layers the network has."""
        return self.depth or len(self.hidden or ())

    def parameters(self, image_shape: tuple[int, ...], classes: int) -> int:
        """Returns how many weights and biases the network has."""
        pixels = 1
        for side in image_shape:
            pixels *= side
        if self.residual:
            output = (self.sizes[-1] + 1) * classes if self.sizes else (pixels + 1) * classes
            return self._branch_parameters(pixels, self.sizes) + output + self.fixup
        return _dense_parameters([pixels, *self.sizes, classes])


class ConvNetwork(NetworkSection):
    """Convolutions, each followed by 2 x 2 max pooling, then dense layers.

    Residual ones are pooled only where the number of channels is about to change, and behind the last.
    """

    kind: Literal["conv"]
    filters: Annotated[tuple[Size, ...], Field(strict=False, min_length=1)] = Field(
        default=(32, 64), description="channels of each convolution"
    )
    kernel_size: Size = 3
    hidden: Annotated[tuple[Size, ...], Field(strict=False)] = Field(
        default=(128,), description="units of each dense layer behind them, never residual"
    )

    @model_validator(mode="after")
    def _branches_are_whole(self) -> Self:
        self._pairs("filters", len(self.filters))
        return self

    @property
    def pooled(self) -> tuple[bool, ...]:
        """Whether a pooling stands behind each convolution."""
        following = (*self.filters[1:], 0)
        branch_ends = itertools.cycle((not self.residual, True))
        return tuple(
            end and not (self.residual and here == after)
            for here, after, end in zip(self.filters, following, branch_ends, strict=False)
        )

    @property
    def hidden_layers(self) -> int:
        """How many hidden layers the network has, convolutions included."""
        return len(self.filters) + len(self.hidden)

    def parameters(self, image_shape: tuple[int, ...], classes: int) -> int:
        """Returns how many weights and biases the network has."""
        height, width = image_shape[:2]
        channels, area = image_shape[2] if len(image_shape) == 3 else 1, self.kernel_size**2
        if self.residual:
            convolutions = self._branch_parameters(channels, self.filters, area)
        else:
            pairs = itertools.pairwise([channels, *self.filters])
            convolutions = sum((area * before + 1) * after for before, after in pairs)
        for pooled in self.pooled:
            height, width = ((height + 1) // 2, (width + 1) // 2) if pooled else (height, width)
        flat = height * width * self.filters[-1]
        return convolutions + _dense_parameters([flat, *self.hidden, classes]) + self.fixup


def _network_to_mapping(value: object) -> object:
    if isinstance(value, list | tuple):
        return {"kind": "dense", "hidden": value}
    if isinstance(value, dict) and "kind" not in value:
        return {"kind": "conv" if "filters" in value else "dense", **value}
    return value


Network = Annotated[DenseNetwork | ConvNetwork, FAMILY, BeforeValidator(_network_to_mapping)]

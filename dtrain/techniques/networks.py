"""Networks: what stands between the images and the classes."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dtrain.techniques.technique import FAMILY, Contradiction, Section, Size


class NetworkSection(Section):
    """What every network has: an output that fits the classes."""

    output: Literal["auto", "softmax", "sigmoid"] = Field(
        default="auto", description="sigmoid (one unit) for two classes, else softmax; or one of them"
    )

    @property
    def hidden_layers(self) -> int:
        """How many hidden layers the network has, convolutions included."""
        raise AssertionError("every kind of network counts its own layers")

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
    """Dense layers: a list of sizes, or depth x width."""

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
        if self.depth and self.width:
            return (
                (pixels + 1) * self.width
                + (self.depth - 1) * (self.width + 1) * self.width
                + (self.width + 1) * classes
            )
        return _dense_parameters([pixels, *self.sizes, classes])


class ConvNetwork(NetworkSection):
    """Convolutions, each followed by 2 x 2 max pooling, then dense layers."""

    kind: Literal["conv"]
    filters: Annotated[tuple[Size, ...], Field(strict=False, min_length=1)] = Field(
        default=(32, 64), description="channels of each convolution"
    )
    kernel_size: Size = 3
    hidden: Annotated[tuple[Size, ...], Field(strict=False)] = Field(
        default=(128,), description="units of each dense layer behind them"
    )

    @property
    def hidden_layers(self) -> int:
        """How many hidden layers the network has, convolutions included."""
        return len(self.filters) + len(self.hidden)

    def parameters(self, image_shape: tuple[int, ...], classes: int) -> int:
        """Returns how many weights and biases the network has."""
        height, width = image_shape[:2]
        channels = [image_shape[2] if len(image_shape) == 3 else 1, *self.filters]
        convolutions = sum((self.kernel_size**2 * before + 1) * after for before, after in itertools.pairwise(channels))
        for _ in self.filters:
            height, width = (height + 1) // 2, (width + 1) // 2
        pooled = height * width * self.filters[-1]
        return convolutions + _dense_parameters([pooled, *self.hidden, classes])


def _network_to_mapping(value: object) -> object:
    if isinstance(value, list | tuple):
        return {"kind": "dense", "hidden": value}
    if isinstance(value, dict) and "kind" not in value:
        return {"kind": "conv" if "filters" in value else "dense", **value}
    return value


Network = Annotated[DenseNetwork | ConvNetwork, FAMILY, BeforeValidator(_network_to_mapping)]

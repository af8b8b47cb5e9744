"""Normalizations of the hidden layers and of the inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from dtrain.experiment.techniques.technique import (
    BARE_NAME,
    FAMILY,
    Contradiction,
    LayerSite,
    Positive,
    Size,
    Technique,
)
from dtrain.ground.printable import shown

if TYPE_CHECKING:
    import keras


class NormalizationTechnique(Technique):
    """What rescales the signal between layers."""

    position: Literal["after", "before"] = Field(
        default="after", description="after the activation, or before it (the layer's bias is then dropped)"
    )
    inputs: bool = Field(default=False, description="also normalise the inputs, instead of standardising them")

    def build(self, site: LayerSite) -> keras.layers.Layer | None:
        """Returns the layer that stands at `site`, or None where nothing stands."""
        raise AssertionError("every kind of normalization builds its own layer")

    def check(self, site: LayerSite, place: str) -> None:
        """Finds out whether the normalization can stand at `site`, whose width is known.

        Args:
            site: Where it would stand.
            place: What stands there, in words.

        Raises:
            Contradiction: It cannot.
        """


class NoNormalization(Technique):
    """No normalization: right for shallow nets and for self-normalising ones."""

    kind: Literal["none"] = "none"


class BatchNorm(NormalizationTechnique):
    """Normalises each unit over the batch, then scales and shifts it (Ioffe & Szegedy 2015): pays in deep nets."""

    kind: Literal["batch_norm"] = "batch_norm"
    momentum: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="of the moving statistics; more 9s for larger data and smaller batches",
    )
    epsilon: Positive = 1e-3
    final_statistics: Literal["moving", "full_pass"] = Field(
        default="moving", description="moving averages, or one pass over the training set at the end"
    )
    axis: int | Annotated[tuple[int, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None,
        description="of the inputs, whose places have statistics of their own: 1 rows, 2 columns, [1, 2] pixels, -1 "
        "the last; null: every value in front of a dense layer, every channel in front of a convolution",
    )

    @model_validator(mode="after")
    def _axis_of_inputs(self) -> Self:
        if self.axis is not None and not self.inputs:
            message = "got an axis without inputs: true; expected both, or neither"
            raise Contradiction(("axis",), message, "behind a hidden layer every unit or channel has its statistics")
        return self

    def build(self, site: LayerSite, axis: int = -1) -> keras.layers.Layer:
        """Returns Keras's BatchNormalization: a statistic per place on one axis, by default per unit or channel."""
        import keras

        return keras.layers.BatchNormalization(axis, self.momentum, self.epsilon, name=site.name)

    def merged(self, sides: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
        """Returns the sides of an example in which the inputs' axes are one, as Keras's layer wants it, and that axis.

        Args:
            sides: Those that the axes are chosen from; the batch is axis 0.

        Raises:
            Contradiction: There are no such axes, or others stand between them.
        """
        count = len(sides)
        written = (self.axis,) if isinstance(self.axis, int) else self.axis or range(1, count + 1)
        axes = sorted(axis if axis >= 0 else axis + count + 1 for axis in written)
        runs = [[*range(first, first + many)] for many in range(1, count + 1) for first in range(1, count + 2 - many)]
        if axes not in runs:
            received, shape = (
                shown(list(written) if isinstance(self.axis, tuple) else self.axis),
                " x ".join(map(str, sides)),
            )
            possible = [str(one if len(one) > 1 else one[0]) for one in runs]
            message = f"got {received} with inputs of {shape}; expected {', '.join(possible[:-1])} or {possible[-1]}"
            raise Contradiction(("axis",), message, "axis 0 is the batch, 1 the height and 2 the width")
        first, last = axes[0], axes[-1]
        return (*sides[: first - 1], math.prod(sides[first - 1 : last]), *sides[last:]), first


class ExampleNormalization(NormalizationTechnique):
    """What rescales the signal of each example by itself: the same in training and in use, whatever the batch."""

    epsilon: Positive = 1e-3

    def check(self, site: LayerSite, place: str) -> None:
        """Refuses a single unit, which is its own mean."""
        if site.width == 1 and not site.convolutional:
            message = f"got {self.model_dump()['kind']!r} behind {place} of 1 unit; expected 2 or more"
            raise Contradiction((), message, "a single unit less its own mean is always zero: write batch_norm or none")


class LayerNorm(ExampleNormalization):
    """Normalises each example over all its units, then scales and shifts each unit (Ba et al. 2016).

    Behind a convolution it is over all positions and channels, as a group norm of one group (Wu & He 2018, 3.1).
    """

    kind: Literal["layer_norm"] = "layer_norm"

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's LayerNormalization, or GroupNormalization of one group behind a convolution."""
        import keras

        if site.convolutional:
            return keras.layers.GroupNormalization(groups=1, epsilon=self.epsilon, name=site.name)
        return keras.layers.LayerNormalization(epsilon=self.epsilon, name=site.name)


MAXIMUM_GROUPS = 32
"""Groups that a group norm makes of its own accord at most: the paper's and Keras's default."""


MINIMUM_UNITS = 4
"""Units of a group that a group norm makes of its own accord: of two, little more than the signs would be left."""


class GroupNorm(ExampleNormalization):
    """Normalises each example over groups of its units or channels (Wu & He 2018): steady at small batches."""

    kind: Literal["group_norm"] = "group_norm"
    groups: Size | None = Field(
        default=None, description="must divide every width; null: the most, up to 32, of 4 units or more"
    )

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's GroupNormalization with a number of groups that fits the site's width."""
        import keras

        groups = self.groups or self._fitting_groups(site)
        return keras.layers.GroupNormalization(groups=groups, epsilon=self.epsilon, name=site.name)

    def _fitting_groups(self, site: LayerSite) -> int:
        """The most groups that divide the width, each of which has enough members to keep what tells them apart."""
        members = 1 if site.convolutional else MINIMUM_UNITS
        most = min(MAXIMUM_GROUPS, site.width // members)
        return max((one for one in _group_numbers(site) if one <= most), default=1)

    def check(self, site: LayerSite, place: str) -> None:
        """Refuses a number of groups that does not divide the width, or that leaves single units."""
        super().check(site, place)
        possible = _group_numbers(site)
        if self.groups is None or self.groups in possible:
            return
        nearest = [
            *[one for one in possible if one < self.groups][-1:],
            *[one for one in possible if one > self.groups][:1],
        ]
        units = "channel" if site.convolutional else "unit"
        raise Contradiction(
            ("groups",),
            f"got {self.groups} with {place} of {site.width} {units}{'s' * (site.width > 1)}; "
            f"expected {' or '.join(map(str, nearest))}",
            "leave groups out: then every layer gets a number that fits",
        )


def _group_numbers(site: LayerSite) -> list[int]:
    """The divisors of the width; without the width itself for units, each of which would be its own mean."""
    largest = site.width if site.convolutional else site.width // 2
    return [number for number in range(1, largest + 1) if site.width % number == 0]


Normalization = Annotated[NoNormalization | BatchNorm | LayerNorm | GroupNorm, FAMILY, BARE_NAME]

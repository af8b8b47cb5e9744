"""Regularizers: penalties and constraints on the weights, and noise between the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dtrain.experiment.techniques.technique import (
    BARE_NAME,
    FAMILY,
    Contradiction,
    LayerSite,
    NonNegative,
    Positive,
    Share,
    Technique,
)

if TYPE_CHECKING:
    import keras


class Penalty(Technique):
    """A term of the loss that grows with the kernels, of hidden and output layers."""

    in_keras: ClassVar[str] = ""

    def build(self) -> keras.Regularizer:
        """Returns the Keras regularizer, by default of the same name; its arguments have the order of the fields."""
        import keras

        kind = getattr(keras.regularizers, self.in_keras or type(self).__name__)
        regularizer: keras.Regularizer = kind(*self.settings().values())
        return regularizer

    def has_terms(self, inputs: int, units: int) -> bool:
        """Whether there is anything to penalise in a kernel [inputs, units]."""
        return True


class L1(Penalty):
    """factor x sum of |w|: drives small weights to zero."""

    kind: Literal["l1"] = "l1"
    factor: NonNegative = 0.01


class L2(Penalty):
    """factor x sum of w^2: keeps weights small."""

    kind: Literal["l2"] = "l2"
    factor: NonNegative = 0.01


class L1L2(Penalty):
    """l1 x sum of |w| + l2 x sum of w^2."""

    kind: Literal["l1_l2"] = "l1_l2"
    l1: NonNegative = 0.01
    l2: NonNegative = 0.01


class Orthogonal(Penalty):
    """factor x mean |cosine| between rows or columns: makes them point different ways (Brock et al. 2017, eq. 4)."""

    in_keras: ClassVar[str] = "OrthogonalRegularizer"
    kind: Literal["orthogonal"] = "orthogonal"
    factor: NonNegative = 0.01
    mode: Literal["rows", "columns"] = Field(
        default="rows", description="rows: each input's outgoing weights; columns: each unit's incoming weights"
    )

    def has_terms(self, inputs: int, units: int) -> bool:
        """Whether there are two vectors to compare."""
        return (inputs if self.mode == "rows" else units) > 1


class WeightConstraint(Technique):
    """What the weights of every hidden unit are brought back to, after every step."""

    def build(self, *, convolutional: bool) -> keras.constraints.Constraint:
        """Returns the Keras constraint of a dense kernel, or of a convolution's."""
        raise AssertionError("every constraint builds its own")

    def build_for_bias(self) -> keras.constraints.Constraint | None:
        """Returns the constraint of a bias vector as a whole, or None."""
        return None


def _incoming_axes(*, convolutional: bool) -> int | list[int]:
    """All axes but the last: [0] of a dense kernel, [0, 1, 2] of a convolution."""
    return [0, 1, 2] if convolutional else 0


class MaxNorm(WeightConstraint):
    """Bounds the norm of each hidden unit's incoming weights, after every step (Srivastava et al. 2014, 5.1)."""

    kind: Literal["max_norm"] = "max_norm"
    value: Positive = 1.0
    biases: bool = Field(default=False, description="also bound the norm of each hidden layer's bias vector")

    def build(self, *, convolutional: bool) -> keras.constraints.Constraint:
        """Returns Keras's MaxNorm over each unit's incoming weights."""
        import keras

        return keras.constraints.MaxNorm(self.value, axis=_incoming_axes(convolutional=convolutional))

    def build_for_bias(self) -> keras.constraints.Constraint | None:
        """Returns the constraint of a bias vector as a whole, or None."""
        import keras

        return keras.constraints.MaxNorm(self.value, axis=0) if self.biases else None


class UnitNorm(WeightConstraint):
    """Brings the norm of each hidden unit's incoming weights to 1, after every step."""

    kind: Literal["unit_norm"] = "unit_norm"

    def build(self, *, convolutional: bool) -> keras.constraints.Constraint:
        """Returns Keras's UnitNorm over each unit's incoming weights."""
        import keras

        return keras.constraints.UnitNorm(axis=_incoming_axes(convolutional=convolutional))


class NonNeg(WeightConstraint):
    """Sets the negative weights of hidden layers to zero, after every step: units can only add up their inputs."""

    kind: Literal["non_neg"] = "non_neg"

    def build(self, *, convolutional: bool) -> keras.constraints.Constraint:
        """Returns Keras's NonNeg."""
        import keras

        return keras.constraints.NonNeg()


class Noise(Technique):
    """Disturbs units at random in training, in front of the layers that it is set for; never behind the output.

    The places are the inputs and each hidden layer, in this order.
    """

    rate: Share | Annotated[tuple[Share, ...], Field(strict=False)] = Field(
        default=0.2, description="one rate, or a list: the inputs', then each hidden layer's"
    )
    layers: Literal["all", "hidden", "last"] = Field(
        default="all", description="inputs and hidden layers, hidden layers, or the last hidden layer only"
    )

    @model_validator(mode="after")
    def _list_or_layers(self) -> Self:
        if isinstance(self.rate, tuple) and self.layers != type(self).model_fields["layers"].default:
            raise Contradiction(
                ("layers",),
                f"got {self.layers!r} beside a list of rates; expected one of the two",
                "use 0 for no noise",
            )
        return self

    def rates(self, hidden_layers: int) -> tuple[float, ...]:
        """Returns the rate at the inputs and behind each hidden layer: `hidden_layers` + 1 numbers.

        Raises:
            Contradiction: The list of rates has another length.
        """
        if isinstance(self.rate, tuple):
            if len(self.rate) != hidden_layers + 1:
                raise Contradiction(
                    ("rate",),
                    f"got {len(self.rate)} rates; expected {hidden_layers + 1}: the inputs' and one for each of "
                    f"{hidden_layers} hidden layers",
                )
            return self.rate
        inputs = self.rate if self.layers == "all" else 0.0
        hidden = self.rate if self.layers != "last" else 0.0
        return (inputs, *[hidden] * (hidden_layers - 1), self.rate) if hidden_layers else (inputs,)

    def build(self, rate: float, site: LayerSite) -> keras.layers.Layer:
        """Returns the layer of noise that is a function of seed, layer, step and element, by default named likewise."""
        from dtrain.layers import dropout

        layer = getattr(dropout, f"Counter{type(self).__name__ if self.stands_at(site) else 'Dropout'}")
        noise: keras.layers.Layer = layer(rate, noise_index=site.noise_index, name=site.name)
        return noise

    def stands_at(self, site: LayerSite) -> bool:
        """Whether this noise is possible at `site`, and not plain dropout in its place."""
        return True


class Dropout(Noise):
    """Sets units to zero with probability `rate` and scales the others up (Srivastava et al. 2014)."""

    kind: Literal["dropout"] = "dropout"


class AlphaDropout(Noise):
    """Dropout that keeps mean and variance, for SELU (Klambauer et al. 2017, section 3)."""

    kind: Literal["alpha_dropout"] = "alpha_dropout"


class GaussianDropout(Noise):
    """Multiplies units by normal numbers of mean 1 and variance rate / (1 - rate) (Srivastava et al. 2014, 10)."""

    kind: Literal["gaussian_dropout"] = "gaussian_dropout"


class SpatialDropout(Noise):
    """Drops whole channels behind convolutions and single units behind the dense layers (Tompson et al. 2015).

    Never at the inputs: the one channel of a grey image is all there is to see.
    """

    kind: Literal["spatial_dropout"] = "spatial_dropout"
    layers: Literal["hidden", "last"] = Field(default="hidden", description="hidden layers, or the last only")

    @model_validator(mode="after")
    def _inputs_stay_whole(self) -> Self:
        if isinstance(self.rate, tuple) and self.rate and self.rate[0] > 0:
            message = f"got {self.rate[0]} for the inputs; expected 0, or the only channel of an image would be dropped"
            raise Contradiction(("rate", 0), message)
        return self

    def stands_at(self, site: LayerSite) -> bool:
        """Whether there are channels at `site`."""
        return site.convolutional


Regularizer = Annotated[
    L1
    | L2
    | L1L2
    | Orthogonal
    | MaxNorm
    | UnitNorm
    | NonNeg
    | Dropout
    | AlphaDropout
    | GaussianDropout
    | SpatialDropout,
    FAMILY,
    BARE_NAME,
]

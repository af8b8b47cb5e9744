"""Activations of the hidden layers, each a layer of its own behind the linear one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import model_validator

from dtrain.techniques.technique import (
    BARE_NAME,
    FAMILY,
    Contradiction,
    LayerSite,
    NonNegative,
    Positive,
    Technique,
)

if TYPE_CHECKING:
    import keras


class ActivationTechnique(Technique):
    """A non-linearity between two layers."""

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns the layer that stands at `site`: by default Keras's function named like the kind."""
        import keras

        return keras.layers.Activation(self.model_dump()["kind"], name=site.name)


class Relu(ActivationTechnique):
    """max(0, z): fast, does not saturate for z > 0, but units can die."""

    kind: Literal["relu"] = "relu"


class LeakyRelu(ActivationTechnique):
    """max(slope z, z): never dies; 0.01 is typical, 0.2 often better (Xu et al. 2015)."""

    kind: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: NonNegative = 0.2

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's LeakyReLU, whose own default slope is 0.3."""
        import keras

        return keras.layers.LeakyReLU(negative_slope=self.negative_slope, name=site.name)


class Prelu(ActivationTechnique):
    """A leaky ReLU that learns its slopes: strong on large image sets, overfits small ones (He et al. 2015)."""

    kind: Literal["prelu"] = "prelu"

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's PReLU with a slope per unit, or per channel behind a convolution."""
        import keras

        return keras.layers.PReLU(shared_axes=[1, 2] if site.convolutional else None, name=site.name)


class Rrelu(ActivationTechnique):
    """A leaky ReLU whose slope is random in training and the mean in use: a regularizer (Xu et al. 2015, 2.4)."""

    kind: Literal["rrelu"] = "rrelu"
    lower: NonNegative = 0.125
    upper: NonNegative = 1 / 3

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower > self.upper:
            raise Contradiction(("lower",), f"got {self.lower}; expected at most upper ({self.upper})")
        return self

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns dtrain's RReLU, which Keras lacks."""
        from dtrain.keras_objects import RReLU

        return RReLU(self.lower, self.upper, noise_index=site.noise_index, name=site.name)


class Elu(ActivationTechnique):
    """z for z > 0, else alpha (exp(z) - 1): a mean near zero and no dead units (Clevert et al. 2015, eq. 15)."""

    kind: Literal["elu"] = "elu"
    alpha: Positive = 1.0

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's ELU."""
        import keras

        return keras.layers.ELU(alpha=self.alpha, name=site.name)


class Selu(ActivationTechnique):
    """Scaled ELU: self-normalising in dense nets, LeCun-initialised, on standardised inputs (Klambauer et al. 2017)."""

    kind: Literal["selu"] = "selu"


class Tanh(ActivationTechnique):
    """The hyperbolic tangent: mean 0, saturates at -1 and 1."""

    kind: Literal["tanh"] = "tanh"


class Sigmoid(ActivationTechnique):
    """The logistic function: mean 0.5, saturates at 0 and 1."""

    kind: Literal["sigmoid"] = "sigmoid"


class Swish(ActivationTechnique):
    """z sigmoid(z), also called SiLU: smooth, good in deep nets (Ramachandran et al. 2017)."""

    kind: Literal["swish"] = "swish"


Activation = Annotated[
    Relu | LeakyRelu | Prelu | Rrelu | Elu | Selu | Tanh | Sigmoid | Swish,
    FAMILY,
    BARE_NAME,
]

"""Activations of the hidden layers, each a layer of its own behind the linear one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from dtrain.experiment.techniques.technique import (
    BARE_NAME,
    FAMILY,
    Contradiction,
    LayerSite,
    NonNegative,
    Positive,
    Size,
    Technique,
)

if TYPE_CHECKING:
    import keras


class ActivationTechnique(Technique):
    """A non-linearity between two layers; the lesson pairs it with a kind of first weights, by default Glorot's."""

    initializer: ClassVar[str] = "glorot_uniform"

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns the layer that stands at `site`: by default Keras's function named like the kind, with the fields."""
        import keras

        name, settings = self.model_dump()["kind"], self.settings()
        theirs = inspect.signature(keras.activations.get(name)).parameters
        if any(theirs[field].default != value for field, value in settings.items()):
            # a symbolic call leaves an operation that holds the settings: any Keras saves and loads it in both formats
            called = getattr(keras.ops, name)(keras.KerasTensor((None,)), **settings)
            return keras.layers.Activation(called._keras_history.operation, name=site.name)
        return keras.layers.Activation(name, name=site.name)


class Rectifier(ActivationTechnique):
    """A non-linearity that passes on only part of what goes in; He's first weights make up for the rest."""

    initializer: ClassVar[str] = "he_normal"


class Relu(Rectifier):
    """max(0, z): fast, does not saturate for z > 0, but units can die."""

    kind: Literal["relu"] = "relu"


class LeakyRelu(Rectifier):
    """max(slope z, z): never dies; 0.01 is typical, 0.2 often better (Xu et al. 2015)."""

    kind: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: NonNegative = 0.2

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's LeakyReLU, whose own default slope is 0.3."""
        import keras

        return keras.layers.LeakyReLU(negative_slope=self.negative_slope, name=site.name)


class Prelu(Rectifier):
    """A leaky ReLU that learns its slopes: strong on large image sets, overfits small ones (He et al. 2015)."""

    kind: Literal["prelu"] = "prelu"

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's PReLU with a slope per unit, or per channel behind a convolution."""
        import keras

        return keras.layers.PReLU(shared_axes=[1, 2] if site.convolutional else None, name=site.name)


class Rrelu(Rectifier):
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
        from dtrain.layers.rrelu import RReLU

        return RReLU(self.lower, self.upper, noise_index=site.noise_index, name=site.name)


class Elu(Rectifier):
    """z for z > 0, else alpha (exp(z) - 1): a mean near zero and no dead units (Clevert et al. 2015, eq. 15)."""

    kind: Literal["elu"] = "elu"
    alpha: Positive = 1.0

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's ELU."""
        import keras

        return keras.layers.ELU(alpha=self.alpha, name=site.name)


class Selu(ActivationTechnique):
    """Scaled ELU: self-normalising in dense nets, LeCun-initialised, on standardised inputs (Klambauer et al. 2017)."""

    initializer: ClassVar[str] = "lecun_normal"
    kind: Literal["selu"] = "selu"


class Tanh(ActivationTechnique):
    """The hyperbolic tangent: mean 0, saturates at -1 and 1."""

    kind: Literal["tanh"] = "tanh"


class Sigmoid(ActivationTechnique):
    """The logistic function: mean 0.5, saturates at 0 and 1."""

    kind: Literal["sigmoid"] = "sigmoid"


class Swish(Rectifier):
    """z sigmoid(z), also called SiLU: smooth, good in deep nets (Ramachandran et al. 2017)."""

    kind: Literal["swish"] = "swish"


class Relu6(Rectifier):
    """min(max(0, z), 6): ReLU with a ceiling, for low-precision inference (Howard et al. 2017)."""

    kind: Literal["relu6"] = "relu6"


class Celu(Rectifier):
    """ELU whose slope is continuous for every alpha: alpha (exp(z / alpha) - 1) below zero (Barron 2017)."""

    kind: Literal["celu"] = "celu"
    alpha: Positive = 1.0


class Gelu(Rectifier):
    """z times the normal distribution function at z: smooth, usual in transformers (Hendrycks & Gimpel 2016)."""

    kind: Literal["gelu"] = "gelu"
    approximate: bool = Field(default=False, description="by a hyperbolic tangent, which is faster")


class Mish(Rectifier):
    """z tanh(softplus(z)): smooth, close to Swish (Misra 2019)."""

    kind: Literal["mish"] = "mish"


class Softplus(Rectifier):
    """log(1 + exp(z)): a smooth ReLU whose mean is above zero (Dugas et al. 2001)."""

    kind: Literal["softplus"] = "softplus"


class Squareplus(Rectifier):
    """(z + sqrt(z^2 + b)) / 2: softplus without exponentials (Barron 2021)."""

    kind: Literal["squareplus"] = "squareplus"
    b: Size = Field(default=4, description="how round the bend is; 0 would be ReLU")


class SparsePlus(Rectifier):
    """A softplus that is exactly zero up to -1 and exactly z from 1 on, with a parabola between."""

    kind: Literal["sparse_plus"] = "sparse_plus"


class HardSwish(Rectifier):
    """z hard_sigmoid(z), also called hard SiLU: Swish from straight lines (Howard et al. 2019)."""

    kind: Literal["hard_swish"] = "hard_swish"


class HardSigmoid(ActivationTechnique):
    """clip(z / 6 + 1/2, 0, 1): the logistic function from straight lines."""

    kind: Literal["hard_sigmoid"] = "hard_sigmoid"


class SparseSigmoid(ActivationTechnique):
    """clip((z + 1) / 2, 0, 1): saturates exactly from -1 and 1 on."""

    kind: Literal["sparse_sigmoid"] = "sparse_sigmoid"


class LogSigmoid(Rectifier):
    """log(sigmoid(z)): never above zero, straight far below it."""

    kind: Literal["log_sigmoid"] = "log_sigmoid"


class HardTanh(ActivationTechnique):
    """clip(z, -1, 1): the hyperbolic tangent from straight lines."""

    kind: Literal["hard_tanh"] = "hard_tanh"


class Softsign(ActivationTechnique):
    """z / (1 + |z|): like tanh, saturating more slowly (Glorot & Bengio 2010, section 3.2)."""

    kind: Literal["softsign"] = "softsign"


class TanhShrink(Rectifier):
    """z - tanh(z): flat at zero, where gradients therefore vanish; known to train badly."""

    kind: Literal["tanh_shrink"] = "tanh_shrink"


class SoftShrink(Rectifier):
    """z moved towards zero by the threshold, and zero within it: sparse signals (Donoho 1995)."""

    kind: Literal["soft_shrink"] = "soft_shrink"
    threshold: NonNegative = 0.5


class HardShrink(Rectifier):
    """z outside the threshold and zero within it: sparse signals, with a jump."""

    kind: Literal["hard_shrink"] = "hard_shrink"
    threshold: NonNegative = 0.5


class Threshold(Rectifier):
    """z above the threshold, else a fixed value: with zero for both it is ReLU."""

    kind: Literal["threshold"] = "threshold"
    threshold: float = 0.0
    default_value: float = Field(default=0.0, description="what stands for z up to the threshold")


class Exponential(ActivationTechnique):
    """exp(z): always positive and soon enormous; known to diverge in deep nets."""

    kind: Literal["exponential"] = "exponential"


class Linear(ActivationTechnique):
    """z itself: all layers together are one linear map, the baseline that every non-linearity has to beat."""

    kind: Literal["linear"] = "linear"


Activation = Annotated[
    Relu
    | LeakyRelu
    | Prelu
    | Rrelu
    | Elu
    | Selu
    | Tanh
    | Sigmoid
    | Swish
    | Relu6
    | Celu
    | Gelu
    | Mish
    | Softplus
    | Squareplus
    | SparsePlus
    | HardSwish
    | HardSigmoid
    | SparseSigmoid
    | LogSigmoid
    | HardTanh
    | Softsign
    | TanhShrink
    | SoftShrink
    | HardShrink
    | Threshold
    | Exponential
    | Linear,
    FAMILY,
    BARE_NAME,
]

INITIALIZERS: dict[str, str] = {
    one.model_fields["kind"].default: one.initializer for one in get_args(get_args(Activation)[0])
}
"""The kind of first weights that each kind of activation is paired with."""

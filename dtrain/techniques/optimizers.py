"""Optimizers, with the field names and defaults of Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from dtrain.techniques.technique import (
    BARE_NAME,
    FAMILY,
    Contradiction,
    NonNegative,
    Positive,
    Share,
    Technique,
)

if TYPE_CHECKING:
    import keras


class OptimizerTechnique(Technique):
    """A rule for a step, with at most one form of gradient clipping."""

    learning_rate: Positive = 0.001
    clipvalue: Positive | None = Field(default=None, description="clip each component; turns the gradient")
    clipnorm: Positive | None = Field(default=None, description="clip the norm of each variable's gradient")
    global_clipnorm: Positive | None = Field(default=None, description="clip the norm of the whole gradient")

    @model_validator(mode="after")
    def _one_clipping(self) -> Self:
        forms = [name for name in ("clipvalue", "clipnorm", "global_clipnorm") if getattr(self, name) is not None]
        if len(forms) > 1:
            raise Contradiction((forms[1],), f"got {' and '.join(forms)}; expected at most one form of clipping")
        return self

    @property
    def cycled_momentum(self) -> float | None:
        """The momentum that a schedule may change at every step, or None where there is none."""
        return None

    def build(self) -> keras.Optimizer:
        """Returns the Keras optimizer of the same name."""
        import keras

        optimizer: keras.Optimizer = getattr(keras.optimizers, type(self).__name__)(**self.settings())
        return optimizer


class SGD(OptimizerTechnique):
    """Stochastic gradient descent: plain, with momentum (Polyak 1964) or with Nesterov's look-ahead (Nesterov 1983)."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: Positive = 0.01
    momentum: Share = 0.0
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            message = "got true without momentum; expected a momentum, such as 0.9"
            raise Contradiction(("nesterov",), message, "for plain descent set nesterov to false")
        return self

    @property
    def cycled_momentum(self) -> float | None:
        """The momentum, where it is not zero."""
        return self.momentum or None

    def build(self) -> keras.Optimizer:
        """Returns Keras's SGD; with momentum, the subclass whose momentum can change at every step."""
        if self.momentum == 0:
            return super().build()
        from dtrain.keras_objects import ScheduledMomentumSGD

        return ScheduledMomentumSGD(**self.settings())


class Adagrad(OptimizerTechnique):
    """Divides by the root of all squared gradients so far: stops early, not for deep nets (Duchi et al. 2011)."""

    kind: Literal["adagrad"] = "adagrad"
    initial_accumulator_value: NonNegative = 0.1
    epsilon: Positive = 1e-7


class RMSprop(OptimizerTechnique):
    """Adagrad that forgets, with decay rho (Tieleman & Hinton 2012, lecture 6e)."""

    kind: Literal["rmsprop"] = "rmsprop"
    rho: Share = 0.9
    momentum: Share = 0.0
    epsilon: Positive = 1e-7
    centered: bool = False


class AdamFamily(OptimizerTechnique):
    """The two decay rates and the epsilon that Adam's variants share."""

    beta_1: Share = 0.9
    beta_2: Share = 0.999
    epsilon: Positive = 1e-7


class Adam(AdamFamily):
    """Momentum and RMSprop with bias correction (Kingma & Ba 2015, algorithm 1)."""

    kind: Literal["adam"] = "adam"
    amsgrad: bool = False


class Adamax(AdamFamily):
    """Adam with the maximum norm (Kingma & Ba 2015, algorithm 2)."""

    kind: Literal["adamax"] = "adamax"


class Nadam(AdamFamily):
    """Adam with Nesterov's look-ahead (Dozat 2016)."""

    kind: Literal["nadam"] = "nadam"


class AdamW(AdamFamily):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    weight_decay: NonNegative = 0.004
    amsgrad: bool = False


Optimizer = Annotated[
    SGD | Adagrad | RMSprop | Adam | Adamax | Nadam | AdamW,
    FAMILY,
    BARE_NAME,
]

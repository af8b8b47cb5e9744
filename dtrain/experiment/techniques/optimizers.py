"""Optimizers, with the field names and defaults of Keras.

All are of first order: n weights have n^2 second derivatives, too many to compute or to keep. *** is the best of the
lesson's table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dtrain.experiment.techniques.technique import (
    BARE_NAME,
    FAMILY,
    Contradiction,
    NonNegative,
    Positive,
    Share,
    Size,
    Technique,
)

if TYPE_CHECKING:
    import keras


RATINGS = (
    ("sgd", "*", "***"),
    ("sgd with momentum", "**", "***"),
    ("sgd with momentum and nesterov", "**", "***"),
    ("adagrad", "***", "* (stops too early)"),
    ("rmsprop", "***", "** or ***"),
    ("adam", "***", "** or ***"),
    ("adamax", "***", "** or ***"),
    ("nadam", "***", "** or ***"),
)
"""The lesson's table: speed and quality of convergence."""


class OptimizerTechnique(Technique):
    """A rule for a step, with at most one form of gradient clipping.

    Args:
        highest_rate: Where a search for a rate had better end; None where it may go on to a divergence.
        sweepable: Whether losses at rising rates say what a training at one of them does.
    """

    highest_rate: ClassVar[float | None] = None
    sweepable: ClassVar[bool] = True

    learning_rate: Positive = 0.001
    weight_decay: NonNegative | None = Field(
        default=None, description="share of each weight, times the rate, that a step takes away (Loshchilov 2019)"
    )
    clipvalue: Positive | None = Field(default=None, description="clip each component; turns the gradient")
    clipnorm: Positive | None = Field(default=None, description="clip the norm of each variable's gradient")
    global_clipnorm: Positive | None = Field(default=None, description="clip the norm of the whole gradient")
    use_ema: bool = Field(
        default=False, description="validate, keep and save a moving average of the weights (Polyak & Juditsky 1992)"
    )
    ema_momentum: Share = Field(default=0.99, description="share of the average that a step keeps")
    ema_overwrite_frequency: Size | None = Field(
        default=None, description="every N steps, also train on from the average"
    )

    @model_validator(mode="after")
    def _one_clipping(self) -> Self:
        forms = [name for name in ("clipvalue", "clipnorm", "global_clipnorm") if getattr(self, name) is not None]
        if len(forms) > 1:
            message = f"got {' and '.join(forms)}; expected at most one form of clipping"
            raise Contradiction((forms[1],), message, "keep global_clipnorm: it alone keeps the direction")
        return self

    @model_validator(mode="after")
    def _average_is_used(self) -> Self:
        fields = type(self).model_fields
        names = ("ema_momentum", "ema_overwrite_frequency")
        changed = [name for name in names if getattr(self, name) != fields[name].default]
        if changed and not self.use_ema:
            message = f"got {getattr(self, changed[0])} without an average; expected use_ema: true beside it"
            raise Contradiction((changed[0],), message, "set use_ema to true or leave it out")
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
        from dtrain.layers.scheduled_momentum import ScheduledMomentumSGD

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


class Adadelta(OptimizerTechnique):
    """RMSprop whose steps also take the scale of past steps; the paper's rate is 1 (Zeiler 2012, algorithm 1)."""

    kind: Literal["adadelta"] = "adadelta"
    rho: Share = 0.95
    epsilon: Positive = 1e-7


class Lion(OptimizerTechnique):
    """The sign of an interpolated momentum: equal steps for all weights, at small rates (Chen et al. 2023)."""

    kind: Literal["lion"] = "lion"
    beta_1: Annotated[float, Field(gt=0, lt=1)] = 0.9
    beta_2: Share = 0.99


class Lamb(AdamFamily):
    """Adam with each layer's step in proportion to its weights, for large batches (You et al. 2020, algorithm 2)."""

    kind: Literal["lamb"] = "lamb"


class Ftrl(OptimizerTechnique):
    """Follow the regularised leader: shallow models with sparse weights (McMahan et al. 2013, algorithm 1)."""

    # its weights are sums of gradients times the rate: where the rate grows, so do they, whatever the gradients say
    sweepable: ClassVar[bool] = False

    kind: Literal["ftrl"] = "ftrl"
    learning_rate_power: float = Field(default=-0.5, le=0, description="0 for a rate that does not fall")
    initial_accumulator_value: NonNegative = 0.1
    l1_regularization_strength: NonNegative = 0.0
    l2_regularization_strength: NonNegative = 0.0
    l2_shrinkage_regularization_strength: NonNegative = 0.0
    beta: NonNegative = 0.0


class Adafactor(OptimizerTechnique):
    """Adam without momentum, with second moments by row and column to save memory (Shazeer & Stern 2018)."""

    # a step is this share of the size of the weights: beyond, they are drawn anew, and the loss falls again from there
    highest_rate: ClassVar[float | None] = 0.1

    kind: Literal["adafactor"] = "adafactor"
    beta_2_decay: float = Field(default=-0.8, lt=0, description="beta_2 of step t is 1 - t^beta_2_decay")
    epsilon_1: Positive = 1e-30
    epsilon_2: Positive = 1e-3
    clip_threshold: Positive = 1.0
    relative_step: bool = Field(default=True, description="never more than 1 / sqrt(step), whatever the rate")


class Muon(OptimizerTechnique):
    """Orthogonalised momentum for the kernels of dense layers and Adam for all else (Jordan 2024; Liu et al. 2025)."""

    kind: Literal["muon"] = "muon"
    weight_decay: NonNegative | None = Field(default=0.004, description="as everywhere, of the dense kernels")
    momentum: Share = 0.95
    nesterov: bool = True
    ns_steps: Size = Field(default=5, description="Newton-Schulz iterations that make the momentum orthogonal")
    adam_beta_1: Share = 0.9
    adam_beta_2: Share = 0.999
    adam_weight_decay: NonNegative | None = Field(default=0.004, description="of all that Adam trains")
    adam_lr_ratio: Positive = Field(default=1.0, description="Adam's rate as a multiple of the learning rate")
    epsilon: Positive = 1e-7


Optimizer = Annotated[
    SGD | Adagrad | RMSprop | Adam | Adamax | Nadam | AdamW | Adadelta | Lion | Lamb | Ftrl | Adafactor | Muon,
    FAMILY,
    BARE_NAME,
]

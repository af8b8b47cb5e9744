"""Learning-rate schedules: pure functions from step numbers to rates, and one small state machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from dtrain.experiment.techniques.schedule_technique import FloatArray, IntArray, Plan, ScheduleTechnique
from dtrain.experiment.techniques.technique import BARE_NAME, FAMILY, Contradiction, NonNegative, Positive, Share


class Constant(ScheduleTechnique):
    """The optimizer's learning rate throughout."""

    kind: Literal["constant"] = "constant"

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        return np.full(steps.shape, plan.learning_rate)


class Power(ScheduleTechnique):
    """rate / (1 + step / decay_steps)^power: drops fast, then slowly; the `decay` of old Keras is 1 / decay_steps."""

    kind: Literal["power"] = "power"
    decay_steps: int = Field(default=10_000, gt=0)
    power: Positive = 1.0

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        decayed: FloatArray = plan.learning_rate / (1 + steps / self.decay_steps) ** self.power
        return decayed


class Exponential(ScheduleTechnique):
    """rate x decay_rate^(epochs so far / decay_epochs): a factor of 10 every decay_epochs, by step or once an epoch."""

    kind: Literal["exponential"] = "exponential"
    decay_rate: float = Field(default=0.1, gt=0, lt=1)
    decay_epochs: Positive = 20.0
    every: Literal["step", "epoch"] = "step"

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        epochs = steps / plan.steps_per_epoch
        if self.every == "epoch":
            epochs = np.floor(epochs)
        decayed: FloatArray = plan.learning_rate * self.decay_rate ** (epochs / self.decay_epochs)
        return decayed


class Polynomial(ScheduleTechnique):
    """Falls over the whole training to end_learning_rate, by (1 - share of the training)^power: a line at power 1."""

    best_at_end: ClassVar[bool] = True

    kind: Literal["polynomial"] = "polynomial"
    end_learning_rate: NonNegative = 1e-4
    power: Positive = 1.0

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        fall = (plan.learning_rate - self.end_learning_rate) * (1 - steps / plan.scheduled_steps) ** self.power
        rates: FloatArray = self.end_learning_rate + fall
        return rates


def _half_cosine(share: FloatArray, last: float) -> FloatArray:
    """Falls from 1 at share 0 to `last` at share 1 along half a cosine."""
    wave: FloatArray = last + (1 - last) * (1 + np.cos(np.pi * share)) / 2
    return wave


class Cosine(ScheduleTechnique):
    """Falls over the whole training along half a cosine (Loshchilov & Hutter 2017, eq. 5, without restarts)."""

    best_at_end: ClassVar[bool] = True

    kind: Literal["cosine"] = "cosine"
    alpha: Share = Field(default=0.0, description="the last rate as a share of the first")

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        return plan.learning_rate * _half_cosine(steps / plan.scheduled_steps, self.alpha)


class CosineRestarts(ScheduleTechnique):
    """SGDR: half cosines, each longer than the one before; best at the end of one (Loshchilov & Hutter 2017, eq. 5)."""

    kind: Literal["cosine_restarts"] = "cosine_restarts"
    first_epochs: Positive = Field(default=5.0, description="epochs of the first cosine")
    t_mul: float = Field(default=2.0, ge=1, description="each cosine's length as a multiple of the one before")
    m_mul: float = Field(default=1.0, gt=0, le=1, description="each cosine's first rate as a share of the one before")
    alpha: Share = Field(default=0.0, description="the lowest rate as a share of the first of all")

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        lengths = [self.first_epochs * plan.steps_per_epoch]
        starts = [0.0]
        while starts[-1] + lengths[-1] < plan.scheduled_steps:
            starts.append(starts[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.t_mul)
        number = np.searchsorted(starts, steps, side="right") - 1
        share = (steps - np.asarray(starts)[number]) / np.asarray(lengths)[number]
        heights = self.m_mul**number * _half_cosine(share, 0.0)
        return plan.learning_rate * (self.alpha + (1 - self.alpha) * heights)


class Piecewise(ScheduleTechnique):
    """values[0] before the epoch boundaries[0], values[1] before boundaries[1], and so on; epochs count from 0."""

    kind: Literal["piecewise"] = "piecewise"
    boundaries: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(strict=False)] = (5, 15)
    values: Annotated[tuple[Positive, ...], Field(strict=False)] = (0.01, 0.005, 0.001)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(later <= earlier for earlier, later in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise Contradiction(("boundaries",), f"got {list(self.boundaries)}; expected epochs in rising order")
        if len(self.values) != len(self.boundaries) + 1:
            raise Contradiction(
                ("values",),
                f"got {len(self.values)} values for {len(self.boundaries)} boundaries; "
                f"expected {len(self.boundaries) + 1}, one more than boundaries",
            )
        return self

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        return np.asarray(self.values)[np.searchsorted(self.boundaries, steps // plan.steps_per_epoch, side="right")]

    def with_highest_rate(self, rate: float) -> Self:
        """Returns the same staircase with `rate` as its highest value."""
        highest = max(self.values)
        return self.model_copy(
            update={"values": tuple(float(f"{value / highest * rate:.6g}") for value in self.values)}
        )


@dataclass(frozen=True)
class Plateau:
    """The memory of performance scheduling.

    Args:
        multiplier: What the rates are multiplied by now.
        best: The lowest loss seen.
        wait: Measurements since then.
    """

    multiplier: float = 1.0
    best: float = float("inf")
    wait: int = 0


class Performance(ScheduleTechnique):
    """Multiplies the rate by `factor` when the validation loss has not improved for `patience` measurements."""

    kind: Literal["performance"] = "performance"
    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=5, gt=0)
    min_delta: NonNegative = 1e-4
    min_lr: NonNegative = 0.0
    every_steps: int | None = Field(default=None, gt=0, description="measure every N steps, not every epoch")

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        return np.full(steps.shape, plan.learning_rate)

    def update(self, plateau: Plateau, val_loss: float, learning_rate: float) -> Plateau:
        """Returns the memory after one measurement; reductions as Keras's ReduceLROnPlateau makes them.

        Args:
            plateau: The memory before.
            val_loss: The validation loss just measured.
            learning_rate: The optimizer's own rate, which `min_lr` bounds the multiple of.
        """
        if val_loss < plateau.best - self.min_delta:
            return replace(plateau, best=val_loss, wait=0)
        if plateau.wait + 1 < self.patience:
            return replace(plateau, wait=plateau.wait + 1)
        lowest = min(plateau.multiplier, self.min_lr / learning_rate)
        return replace(plateau, multiplier=max(plateau.multiplier * self.factor, lowest), wait=0)


RISE_OF_COSINE_FORM = 0.3
"""The share of training that the cosine form rises for: the common default of one-cycle implementations."""


class OneCycle(ScheduleTechnique):
    """Up to a maximum, down again, and a last part far lower, while momentum goes down and up (Smith 2018).

    The linear form rises and falls in equal halves, then falls on linearly in the last part. The cosine form rises for
    0.3 of the training and falls for the rest to the same final rate, both along half a cosine.
    """

    cycles_momentum: ClassVar[bool] = True
    best_at_end: ClassVar[bool] = True

    kind: Literal["one_cycle"] = "one_cycle"
    form: Literal["linear", "cosine"] = "linear"
    maximum: Positive | None = Field(default=None, description="highest rate; the optimizer's learning_rate if null")
    start_divisor: float = Field(default=10.0, gt=1, description="maximum / start_divisor is the first rate")
    final_divisor: float = Field(default=1000.0, gt=1, description="first rate / final_divisor is the last rate")
    final_share: Share = Field(default=0.1, description="share of the training that the linear form's last part takes")
    maximum_momentum: Share = 0.95
    minimum_momentum: Share = 0.85

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum_momentum > self.maximum_momentum:
            raise Contradiction(
                ("minimum_momentum",),
                f"got {self.minimum_momentum}; expected at most maximum_momentum ({self.maximum_momentum})",
            )
        return self

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        maximum = self.maximum or plan.learning_rate
        start = maximum / self.start_divisor
        return self._through(steps, plan, (start, maximum, start, start / self.final_divisor))

    def _momenta(self, steps: IntArray, plan: Plan, momentum: float) -> FloatArray:
        high, low = self.maximum_momentum, self.minimum_momentum
        return self._through(steps, plan, (high, low, high, high))

    def with_highest_rate(self, rate: float) -> Self:
        """Returns the same cycle up to `rate`."""
        return self.model_copy(update={"maximum": rate})

    def _through(self, steps: IntArray, plan: Plan, levels: tuple[float, float, float, float]) -> FloatArray:
        """Leads through the levels at the start, the top, the end of the fall, and the last step."""
        last_step = max(plan.scheduled_steps - 1, 1)
        if self.form == "linear":
            fallen = last_step * (1 - self.final_share)
            return np.interp(steps, [0, fallen / 2, fallen, last_step], levels)
        top = RISE_OF_COSINE_FORM * last_step
        rising, falling = steps / top, (steps - top) / (last_step - top)
        first, high, _, last = levels
        phase = np.where(steps < top, rising, falling)
        begin, end = np.where(steps < top, first, high), np.where(steps < top, high, last)
        wave: FloatArray = end + (begin - end) * _half_cosine(phase, 0.0)
        return wave


BEST_AT_END = frozenset(
    str(kind.model_fields["kind"].default) for kind in ScheduleTechnique.__subclasses__() if kind.best_at_end
)
"""Kinds that reach their lowest rate, and so their best weights, only at the end of the planned training."""

Schedule = Annotated[
    Constant | Power | Exponential | Polynomial | Cosine | CosineRestarts | Piecewise | Performance | OneCycle,
    FAMILY,
    BARE_NAME,
]

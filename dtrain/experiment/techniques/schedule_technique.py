"""What every schedule shares: the plan of a training, and a warm-up in front."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dtrain.experiment.techniques.technique import NonNegative, Technique

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """What a schedule must know of the training that it plans.

    Args:
        steps_per_epoch: Steps in an epoch, a partial last batch included.
        epochs: Epochs planned.
        learning_rate: The optimizer's own rate.
        momentum: The optimizer's momentum, or None where it has none that can change.
        warmup_steps: Steps of warm-up in front of the schedule, which has the others.
    """

    steps_per_epoch: int
    epochs: int
    learning_rate: float
    momentum: float | None = None
    warmup_steps: int = 0

    @property
    def total_steps(self) -> int:
        """Steps in the whole training."""
        return self.steps_per_epoch * self.epochs

    @property
    def scheduled_steps(self) -> int:
        """Steps behind the warm-up; a training shorter than its warm-up counts as one."""
        return max(self.total_steps - self.warmup_steps, 1)


class ScheduleTechnique(Technique):
    """How the learning rate, and with 1cycle the momentum, change from step to step."""

    cycles_momentum: ClassVar[bool] = False
    best_at_end: ClassVar[bool] = False

    warmup: NonNegative = Field(
        default=0.0, description="epochs in which the rate first rises linearly; the schedule itself begins after them"
    )

    def learning_rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        """Returns the learning rate of each step.

        Warm-up rises in equal steps from 0, which is left out, to the schedule's first rate (Goyal et al. 2017, 2.2).

        Args:
            steps: Step numbers from 0, of any shape.
            plan: The training that is planned.
        """
        later, rest, rising = self._after_warmup(steps, plan)
        return self._rates(later, rest) * rising

    def momenta(self, steps: IntArray, plan: Plan) -> FloatArray | None:
        """Returns the momentum of each step, or None where the optimizer has none that can change.

        In the warm-up it stays at the schedule's first.
        """
        later, rest, _ = self._after_warmup(steps, plan)
        return None if plan.momentum is None else self._momenta(later, rest, plan.momentum)

    def _after_warmup(self, steps: IntArray, plan: Plan) -> tuple[IntArray, Plan, FloatArray]:
        """Returns the steps counted from the end of the warm-up, the training left then, and the share of the rate."""
        warm = round(self.warmup * plan.steps_per_epoch)
        rest = replace(plan, warmup_steps=warm)
        return np.maximum(steps - warm, 0), rest, np.minimum((steps + 1) / (warm + 1), 1)

    def _rates(self, steps: IntArray, plan: Plan) -> FloatArray:
        raise AssertionError("every schedule has its own rates")

    def _momenta(self, steps: IntArray, plan: Plan, momentum: float) -> FloatArray:
        return np.full(steps.shape, momentum)

    def with_highest_rate(self, rate: float) -> Self | None:
        """Returns this schedule with `rate` as its highest, or None where the optimizer's own rate is the highest."""
        return None

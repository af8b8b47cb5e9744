"""What a search for a learning rate goes through: from which rate to which, in how many steps, with how many seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import UsageError
from dtrain.rates.rules import FloatArray, pool_size

MAXIMUM = 10.0
ITERATIONS, FEWEST_ITERATIONS, MOST_ITERATIONS = 300, 50, 10_000
LOWEST_RATE, HIGHEST_RATE = 1e-12, 1e6


@dataclass(frozen=True)
class RateRange:
    """What a search goes through.

    Args:
        minimum: The rate of the first step.
        maximum: The rate of the last step; None takes 10, or less where the optimizer makes no sense of that.
        iterations: Steps for each seed; None takes 300, or with small batches as many as go through 9,600 images.
        seeds: How many seeds, from the experiment's own upwards.

    Raises:
        UsageError: They make no range.
    """

    minimum: float = 1e-6
    maximum: float | None = None
    iterations: int | None = None
    seeds: int = 3

    def __post_init__(self) -> None:
        if not LOWEST_RATE <= self.minimum < self.highest <= HIGHEST_RATE:
            raise UsageError(
                f"got --min {self.minimum:g} and --max {self.highest:g}; expected --min < --max, both from "
                f"{LOWEST_RATE:g} to {HIGHEST_RATE:g}",
                where="dtrain lr-find",
                hint="leave both out for 1e-6 to 10",
            )
        if self.iterations is not None and not FEWEST_ITERATIONS <= self.iterations <= MOST_ITERATIONS:
            expected = f"expected {FEWEST_ITERATIONS} to {MOST_ITERATIONS:,}"
            raise UsageError(f"got {self.iterations}; {expected}", where="--iterations")

    @property
    def highest(self) -> float:
        """The rate of the last step."""
        return MAXIMUM if self.maximum is None else self.maximum

    @property
    def rates(self) -> FloatArray:
        """The rate of each step, each the same multiple of the one before."""
        return np.geomspace(self.minimum, self.highest, self.iterations or ITERATIONS)

    def planned(self, experiment: Experiment) -> RateRange:
        """Returns the range with its end and the number of steps settled.

        Raises:
            UsageError: It begins where a search with this optimizer had better end.
        """
        end = experiment.optimizer.highest_rate
        if self.maximum is None and end is not None and self.minimum >= end:
            ending = f"{end:g}, where a search with {experiment.optimizer.kind} ends"
            message = f"got {self.minimum:g}; expected less than {ending}"
            raise UsageError(message, where="--min", hint="leave it out, or give a --max above it")
        maximum = self.maximum or end or MAXIMUM
        iterations = self.iterations or ITERATIONS * pool_size(experiment.training.batch_size)
        return replace(self, maximum=maximum, iterations=iterations)

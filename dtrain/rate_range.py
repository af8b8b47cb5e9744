"""What a search for a learning rate goes through: from which rate to which, in how many steps, with how many seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dtrain.errors import UsageError
from dtrain.rate_rules import FloatArray, pool_size

ITERATIONS, FEWEST_ITERATIONS, MOST_ITERATIONS = 300, 50, 10_000
LOWEST_RATE, HIGHEST_RATE = 1e-12, 1e6


@dataclass(frozen=True)
class RateRange:
    """What a search goes through.

    Args:
        minimum: The rate of the first step.
        maximum: The rate of the last step.
        iterations: Steps for each seed; None takes 300, or with small batches as many as go through 9,600 images.
        seeds: How many seeds, from the experiment's own upwards.

    Raises:
        UsageError: They make no range.
    """

    minimum: float = 1e-6
    maximum: float = 10.0
    iterations: int | None = None
    seeds: int = 3

    def __post_init__(self) -> None:
        if not LOWEST_RATE <= self.minimum < self.maximum <= HIGHEST_RATE:
            raise UsageError(
                f"got --min {self.minimum:g} and --max {self.maximum:g}; expected --min < --max, both from "
                f"{LOWEST_RATE:g} to {HIGHEST_RATE:g}",
                where="dtrain lr-find",
                hint="leave both out for 1e-6 to 10",
            )
        if self.iterations is not None and not FEWEST_ITERATIONS <= self.iterations <= MOST_ITERATIONS:
            expected = f"expected {FEWEST_ITERATIONS} to {MOST_ITERATIONS:,}"
            raise UsageError(f"got {self.iterations}; {expected}", where="--iterations")
        if self.seeds < 1:
            raise UsageError(f"got {self.seeds}; expected at least 1", where="--seeds")

    @property
    def rates(self) -> FloatArray:
        """The rate of each step, each the same multiple of the one before."""
        return np.geomspace(self.minimum, self.maximum, self.iterations or ITERATIONS)

    def planned(self, batch_size: int) -> RateRange:
        """Returns the range with the number of steps settled."""
        return replace(self, iterations=self.iterations or ITERATIONS * pool_size(batch_size))

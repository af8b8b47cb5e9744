"""The range test: one training whose learning rate rises from step to step, as far as its losses are finite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dtrain.engine import Engine, FloatArray
from dtrain.rate_rules import divergence_step, smooth
from dtrain.training import epoch_order, noise_seed

CHUNK_STEPS = 50
"""Steps between two looks at the losses: what comes after a divergence costs time and says nothing."""


def record_losses(
    engine: Engine, seed: int, rates: FloatArray, momentum: float | None, on_progress: Callable[[int, int], None]
) -> FloatArray:
    """Trains one step for each rate, through the data again and again in new orders (Smith 2017, section 3.3).

    Orders and noise are those of a normal run with that seed.

    Args:
        engine: The compiled epoch, at its first weights.
        seed: Seeds the orders of the examples and the noise.
        rates: The learning rate of each step [steps].
        momentum: The optimizer's own momentum, held throughout; None where it has none that can change.
        on_progress: Told the steps taken so far and the steps planned.

    Returns:
        The loss of each batch, up to a divergence: without the first step where anything is not finite, or to the end
        of the chunk in which the smoothed loss became a multiple of its best [steps or fewer].
    """
    length = engine.steps_per_epoch
    epochs = -(-len(rates) // length)
    whole = np.pad(rates, (0, epochs * length - len(rates)), mode="edge").reshape(epochs, length)
    momenta = None if momentum is None else np.full(length, momentum)
    losses = np.empty(0)
    for first in range(0, len(rates), length):
        order = epoch_order(seed, first // length, engine.examples)
        for start in range(0, min(length, len(rates) - first), CHUNK_STEPS):
            stop = min(start + CHUNK_STEPS, length, len(rates) - first)
            records = engine.train(order, whole[first // length], momenta, noise_seed(seed), first, start, stop)
            losses = np.append(losses, records.loss)
            finite = np.isfinite(records.loss + records.penalty + records.gradient_norm)
            if not finite.all():
                return losses[: first + start + int(finite.argmin())]
            if divergence_step(smooth(losses, len(rates))) is not None:
                return losses
            on_progress(first + stop, len(rates))
    return losses

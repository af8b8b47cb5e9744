"""The range test: one training whose learning rate rises from step to step, as far as its losses are finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from dtrain.engine.epoch import Engine, FloatArray
from dtrain.engine.measures import are_finite
from dtrain.engine.training import epoch_order, noise_seed
from dtrain.rates.rules import divergence_step, pool_size, smooth

CHUNK_STEPS = 50
"""Steps between two looks at the losses: what comes after a divergence costs time and says nothing."""
LOOKS = 20
"""At most so many looks: each smooths all the losses, and long tests must not spend their time on that."""


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
        The loss of each batch, up to a divergence: without the first step where anything is not finite, or, where the
        rates rise, to the end of the chunk in which the smoothed loss became a multiple of its best [steps or fewer].
    """
    # at one rate a training may recover from its first steps
    rising = rates[-1] > rates[0]
    every = max(CHUNK_STEPS, -(-len(rates) // LOOKS))
    losses, looked = np.empty(len(rates)), 0
    for taken, measured, finite in _train(engine, seed, rates, momentum, every):
        losses[taken : taken + len(measured)] = measured
        taken += len(measured)
        if not finite.all():
            return losses[: taken - len(measured) + int(finite.argmin())]
        if rising and taken - looked >= every:
            looked = taken
            smoothed = smooth(losses[:taken], len(rates), pool_size(engine.batch_size))
            if divergence_step(smoothed) is not None:
                return losses[:taken]
        on_progress(taken, len(rates))
    return losses


def _train(
    engine: Engine, seed: int, rates: FloatArray, momentum: float | None, chunk: int
) -> Iterator[tuple[int, FloatArray, npt.NDArray[np.bool_]]]:
    """Yields, of each chunk of an epoch, its first step, its losses and whether all that it measured is finite."""
    length = engine.steps_per_epoch
    epochs = -(-len(rates) // length)
    whole = np.pad(rates, (0, epochs * length - len(rates)), mode="edge").reshape(epochs, length)
    momenta = None if momentum is None else np.full(length, momentum)
    for epoch, first in enumerate(range(0, len(rates), length)):
        order = epoch_order(seed, epoch, engine.examples)
        end = min(length, len(rates) - first)
        for start in range(0, end, chunk):
            stop = min(start + chunk, end)
            records = engine.train(order, whole[epoch], momenta, noise_seed(seed), first, start, stop)
            yield first + start, records["loss"], are_finite(records)

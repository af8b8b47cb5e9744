"""The search where losses at rising rates say nothing: a brief training from fresh weights at each rate of a grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dtrain.rates.rules import FloatArray, readings
from dtrain.rates.suggestion import DIVERGES, SMALLEST_FALL, Curve, Suggestion, agreement, spread

RATES_PER_DECADE = 2
SHARE = 2 / 3
"""Steps at each rate, as a share of those of a sweep."""
READ = 0.2
"""The loss of a training is the geometric mean over this share of its steps, the last ones."""
NO_LOWER = "is nowhere lower than at the lowest rate: lower --min, if any rate trains this network"


def rate_grid(minimum: float, maximum: float) -> FloatArray:
    """Returns rates from the lowest to the highest, about half a decade apart."""
    count = round(RATES_PER_DECADE * np.log10(maximum / minimum)) + 1
    return np.geomspace(minimum, maximum, max(count, 2))


def compare_rates(
    train: Callable[[FloatArray], FloatArray], rates: FloatArray, steps: int, seed: int, pool: int = 1
) -> Curve:
    """Returns one seed's losses at the end of a brief training at each rate.

    Args:
        train: Takes the rate of each step and returns its losses, fewer where the training diverged.
        rates: The grid, rising [rates].
        steps: Steps of each training.
        seed: The seed.
        pool: Steps that make one reading.
    """
    losses = np.array([_last_loss(train(np.full(steps, rate)), steps, pool) for rate in rates])
    diverged = ~np.isfinite(losses)
    kept = losses[: int(diverged.argmax())] if diverged.any() else losses
    fault = ""
    if len(kept) < 2:
        fault = DIVERGES
    elif np.log(kept[0] / kept.min()) <= SMALLEST_FALL:
        fault = NO_LOWER
    return Curve(seed, kept, kept, bool(diverged.any()), fault, None, constant=True)


def _last_loss(losses: FloatArray, steps: int, pool: int) -> float:
    if len(losses) < steps or not np.isfinite(losses).all():
        return np.inf
    return float(np.exp(np.log(readings(losses, pool)[-max(1, round(READ * steps)) :]).mean()))


def suggest_best(curves: tuple[Curve, ...], rates: FloatArray) -> Suggestion:
    """Returns the rate of the lowest loss, the geometric mean over the seeds, or why none is safe.

    Args:
        curves: One for each seed.
        rates: The grid [rates].
    """
    edge = min(filter(None, (_edge(curve, rates) for curve in curves)), default=None)
    faults = [curve.fault for curve in curves if curve.fault]
    if faults:
        return Suggestion(None, f"the loss of {len(faults)} of {len(curves)} seeds {faults[0]}", edge)
    return agreement(spread([float(rates[curve.losses.argmin()]) for curve in curves]), edge)


def _edge(curve: Curve, rates: FloatArray) -> float | None:
    """The first rate above the best one at which training does no better than at the lowest, or diverges."""
    best = int(curve.losses.argmin()) if len(curve.losses) else 0
    worse = np.flatnonzero(curve.losses[best + 1 :] >= curve.losses[0]) if not curve.fault else np.array([], int)
    if len(worse):
        return float(rates[best + 1 + worse[0]])
    return float(rates[len(curve.losses)]) if curve.diverged else None

"""From the curves of several seeds to one learning rate worth trusting, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dtrain.rates.rules import SMOOTHING, FloatArray, Marks, divergence_step, learnt_step, marks, noise_left, smooth

SMALLEST_FALL, NOISE_MULTIPLE = 0.05, 5.0
"""The logarithm of the loss must fall by so much, and by this multiple of the noise left in the smoothed curve."""
TOO_NOISY = float(np.log(1.5))
"""Where the noise could hide a fall of the loss by a third, or the readings are too few, the noise is to blame."""
QUIET = 0.25
"""Share of the steps planned, at least, from which the noise is read: fewer tell too little of it."""
FEWEST_STEPS = 10
MOST_DISAGREEMENT = 10.0
SAFETY = 2.0
"""A suggestion keeps at least this factor below the edge of divergence."""
FLAT = "does not fall, at any rate of the range, by more than its noise"
NOISY = "is too noisy to see it fall: raise --iterations or training.batch_size"
DIVERGES = "diverges at once: lower --min"
ROOM = 30.0
"""The edge must be this factor above the lowest rate: a range that begins higher leaves the loss no room to fall."""


@dataclass(frozen=True)
class Curve:
    """One seed's range test.

    Args:
        seed: The seed.
        losses: The loss of each step, up to the divergence [steps taken].
        smoothed: The same smoothed [steps taken].
        diverged: Whether the losses end before the range does.
        fault: What is wrong with the loss; empty where it falls by more than its noise explains.
        marks: What the rules say; None where the loss does not fall, or no rate rises.
        constant: Whether each loss is that of a brief training at one rate, and the steps are the rates tried.
    """

    seed: int
    losses: FloatArray
    smoothed: FloatArray
    diverged: bool
    fault: str
    marks: Marks | None
    constant: bool = False


@dataclass(frozen=True)
class Spread:
    """A rate over the seeds.

    Args:
        middle: The geometric mean.
        low: The lowest.
        high: The highest.
    """

    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Suggestion:
    """What all seeds together say.

    Args:
        rate: The suggested rate, of two digits; None where none is safe.
        reason: Why there is none; empty where there is one.
        edge: The lowest edge of divergence of any seed; None where no seed has one.
        seeds: What each seed alone would suggest, over the seeds; None where one of them cannot say.
        learnt: How many seeds had hardly any loss left within the search.
    """

    rate: float | None
    reason: str
    edge: float | None
    seeds: Spread | None = None
    learnt: int = 0


def read_curve(losses: FloatArray, rates: FloatArray, seed: int, pool: int = 1) -> Curve:
    """Returns the curve of recorded losses with what the rules say of it.

    Args:
        losses: The loss of each step, up to the first that is not finite or further [steps taken].
        rates: The rate of each step planned [steps].
        seed: The seed.
        pool: Steps that make one reading.
    """
    finite = losses[: len(losses) if np.isfinite(losses).all() else int(np.isfinite(losses).argmin())]
    smoothed = smooth(finite, len(rates), pool)
    end = divergence_step(smoothed)
    kept, smoothed = finite[:end], smoothed[:end]
    diverged = len(kept) < len(rates)
    if len(kept) < FEWEST_STEPS:
        return Curve(seed, kept, smoothed, diverged, DIVERGES, None)
    seen = learnt_step(smoothed)
    noise = noise_left(kept[:seen], smoothed[:seen], len(rates), pool)
    # what explodes behind the lowest loss says nothing of the noise before it
    before = max(int(smoothed.argmin()) + 1, round(QUIET * len(rates)))
    fault = _fault(smoothed, noise_left(kept[:before], smoothed[:before], len(rates), pool), len(rates), pool)
    found = None if fault else marks(smoothed, rates, diverged=diverged, noise=noise)
    return Curve(seed, kept, smoothed, diverged, fault, found)


def _fault(smoothed: FloatArray, noise: float, steps: int, pool: int) -> str:
    """Says why nothing can be read off a curve; the loss of a training that learns nothing moves by its noise alone."""
    logs, hidden = np.log(smoothed), max(SMALLEST_FALL, NOISE_MULTIPLE * noise)
    if logs[0] - logs.min() > hidden:
        return ""
    return NOISY if hidden > TOO_NOISY or pool > SMOOTHING * steps else FLAT


def spread(rates: list[float]) -> Spread:
    """Returns the geometric mean of positive rates and their ends."""
    return Spread(float(np.exp(np.mean(np.log(rates)))), min(rates), max(rates))


def agreed_rate(found: Marks) -> float:
    """Returns the rate half way, on the logarithmic axis, between where the rules agree and the edge.

    The rules agree on where a sweep learns fast: their median, which no single rule that errs can move far. It is too
    low for a training, because a sweep stays at each rate for a moment only, and the edge is too high. Without an edge
    the rate of the lowest loss takes its place, and where hardly any loss was left, the rate at which that was so: it
    did no harm, and higher ones may do none only because there was nothing left to learn.
    """
    rules = np.log([found.steepest, found.minimum, found.valley, found.slide])
    upper = found.learnt or found.edge or 10 * found.minimum
    return float(np.exp((np.median(rules) + np.log(upper)) / 2))


def _edge(curve: Curve, rates: FloatArray) -> float | None:
    if curve.marks is not None:
        return curve.marks.edge
    return float(rates[max(len(curve.losses) - 1, 0)]) if curve.diverged else None


def suggest(curves: tuple[Curve, ...], rates: FloatArray) -> Suggestion:
    """Returns the rate that all seeds agree on, or why no rate is safe.

    Args:
        curves: One for each seed.
        rates: The rate of each step planned [steps].
    """
    edge = min(filter(None, (_edge(curve, rates) for curve in curves)), default=None)
    if edge is not None and edge < ROOM * rates[0]:
        reason = f"the range begins within {ROOM:g}x of the edge of divergence at {edge:.2g}: lower --min"
        return Suggestion(None, reason, edge)
    faults = [curve.fault for curve in curves if curve.fault]
    if faults:
        return Suggestion(None, f"the loss of {len(faults)} of {len(curves)} seeds {faults[0]}", edge)
    agreed = spread([agreed_rate(curve.marks) for curve in curves if curve.marks])
    learnt = sum(curve.marks is not None and curve.marks.learnt is not None for curve in curves)
    return agreement(agreed, edge, learnt)


def agreement(agreed: Spread, edge: float | None, learnt: int = 0) -> Suggestion:
    """Returns the rate that the seeds agree on, or why it is not safe.

    Args:
        agreed: What each seed alone would suggest, over the seeds.
        edge: The lowest edge of divergence of any seed; None where no seed has one.
        learnt: How many seeds had hardly any loss left within the search.
    """
    if agreed.high > MOST_DISAGREEMENT * agreed.low:
        reason = f"the seeds disagree by more than {MOST_DISAGREEMENT:g}x: {agreed.low:.2g} to {agreed.high:.2g}"
        return Suggestion(None, reason, edge, agreed)
    if edge is not None and agreed.middle > edge / SAFETY:
        where = "lies beyond" if agreed.middle > edge else f"is within {SAFETY:g}x of"
        reason = f"the rate {agreed.middle:.2g} {where} the edge of divergence at {edge:.2g}"
        return Suggestion(None, reason, edge, agreed)
    return Suggestion(float(f"{agreed.middle:.1e}"), "", edge, agreed, learnt)

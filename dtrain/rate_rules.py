"""The rules of the range test, in pure NumPy: from losses at rising learning rates to a rate worth trusting.

A curve is the loss of each step of one training whose rate grows by a constant factor from step to step. All rules look
at the smoothed curve on a logarithmic axis of rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SMOOTHING = 0.02
"""Standard deviation of the smoothing kernel, as a share of the steps planned."""
DIVERGENCE = 4.0
"""The smoothed loss, as a multiple of the best one so far, from which the training counts as diverged (fastai's)."""
EDGE_TOLERANCE = 1.05
"""The edge is where the smoothed loss leaves this multiple of its minimum for good."""
SLIDE_WINDOW = 0.15
"""Width of the slide rule's window, as a share of the steps planned."""
SLIDE_THRESHOLD = 0.5
"""Difference of slopes, in loss per whole sweep, below which the slide rule stops."""
SMALLEST_FALL, NOISE_MULTIPLE = 0.05, 5.0
"""The logarithm of the loss must fall by so much, and by this multiple of the noise left in the smoothed curve."""
FEWEST_STEPS = 10
MOST_DISAGREEMENT = 10.0
SAFETY = 2.0
"""A suggestion keeps at least this factor below the edge of divergence."""
LEARNT = 0.02
"""Share of the first loss below which the batches are learnt by heart: what comes after says nothing about the rate."""
TINY = 1e-300


@dataclass(frozen=True)
class Marks:
    """What the four rules say of one curve, and where it leaves its valley.

    Args:
        steepest: The rate at which the loss falls fastest.
        minimum: A tenth of the rate at which the loss is lowest, the rule of fastai's course (2018).
        valley: The rate in the middle of the longest descent.
        slide: The rate at which a window that comes from the right first finds a steady slope.
        edge: The rate from which the loss only rises; None where it does not within the range.
    """

    steepest: float
    minimum: float
    valley: float
    slide: float
    edge: float | None


def smooth(losses: FloatArray, steps: int) -> FloatArray:
    """Returns the geometric mean of the losses around each step, weighted by a normal kernel.

    Unlike an exponential average it looks both ways, so it moves no feature to higher rates; at the ends the weights of
    the missing steps are divided out. The mean is geometric so that a single exploding loss stays a single one.

    Args:
        losses: The loss of each step taken [steps taken].
        steps: Steps planned, whose share the kernel's width is.
    """
    if not len(losses):
        return losses
    deviation = max(SMOOTHING * steps, 0.5)
    reach = int(4 * deviation) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    inside = slice(reach, reach + len(losses))
    sums = np.convolve(np.log(np.maximum(losses, TINY)), kernel)[inside]
    smoothed: FloatArray = np.exp(sums / np.convolve(np.ones(len(losses)), kernel)[inside])
    return smoothed


def divergence_step(smoothed: FloatArray) -> int | None:
    """Returns the first step at which the loss is a multiple of the best one before, or None."""
    diverged = smoothed > DIVERGENCE * np.minimum.accumulate(smoothed)
    return int(diverged.argmax()) if diverged.any() else None


def steepest(smoothed: FloatArray) -> int:
    """Returns the step of the steepest descent before the minimum: the first suggestion that fastai made (2018)."""
    end = int(smoothed.argmin()) + 1
    return int(np.gradient(smoothed)[:end].argmin()) if len(smoothed) > 1 else 0


def valley(smoothed: FloatArray) -> int:
    """Returns the middle of the longest descent: steps, not all neighbours, each with a lower loss than the one before.

    The descent is taken to fill as many steps before its last one as it has. The rule of ESRI, published with fastai
    (2021), written anew from its description.
    """
    lengths = np.ones(len(smoothed), np.int64)
    for step in range(1, len(smoothed)):
        lengths[step] += np.where(smoothed[:step] > smoothed[step], lengths[:step], 0).max()
    last = int(lengths.argmax())
    return last - int(lengths[last]) // 2


def slide(smoothed: FloatArray, steps: int) -> int:
    """Returns the left end of a window, moved leftwards from the right end until both its ends have about one slope.

    The interval slide rule of Andrew Chang, published with fastai (2021), written anew from its description, with its
    width and threshold as shares of the sweep, so that they do not depend on the number of steps.
    """
    width = max(round(SLIDE_WINDOW * steps), 1)
    slopes = np.gradient(smoothed) * steps if len(smoothed) > 1 else np.zeros(1)
    for right in range(len(smoothed) - 1, width - 1, -1):
        if abs(slopes[right] - slopes[right - width]) <= SLIDE_THRESHOLD:
            return right - width
    return 0


def edge_step(smoothed: FloatArray) -> int:
    """Returns the last step that led to about the lowest loss: every later one made it worse.

    The loss of a step is measured before its own rate is applied, so it is the rate of the step before that led to it.
    """
    return max(int(np.flatnonzero(smoothed <= EDGE_TOLERANCE * smoothed.min())[-1]) - 1, 0)


def marks(smoothed: FloatArray, rates: FloatArray, *, diverged: bool) -> Marks:
    """Returns what every rule says of one curve.

    Args:
        smoothed: The smoothed losses, up to the divergence [steps taken].
        rates: The rate of each step planned [steps].
        diverged: Whether the curve ends with a divergence and not with the last step planned.
    """
    edge = edge_step(smoothed)
    return Marks(
        steepest=float(rates[steepest(smoothed)]),
        minimum=float(rates[smoothed.argmin()]) / 10,
        valley=float(rates[valley(smoothed)]),
        slide=float(rates[slide(smoothed, len(rates))]),
        edge=float(rates[edge]) if diverged or edge < len(smoothed) - 2 else None,
    )


@dataclass(frozen=True)
class Curve:
    """One seed's range test.

    Args:
        seed: The seed.
        losses: The loss of each step, up to the divergence [steps taken].
        smoothed: The same smoothed [steps taken].
        diverged: Whether the losses end before the range does.
        falls: Whether the loss falls by more than its noise explains.
        marks: What the rules say; None where the loss does not fall.
    """

    seed: int
    losses: FloatArray
    smoothed: FloatArray
    diverged: bool
    falls: bool
    marks: Marks | None


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
    """

    rate: float | None
    reason: str
    edge: float | None
    seeds: Spread | None = None


def read_curve(losses: FloatArray, rates: FloatArray, seed: int) -> Curve:
    """Returns the curve of recorded losses with what the rules say of it.

    Args:
        losses: The loss of each step, up to the first that is not finite or further [steps taken].
        rates: The rate of each step planned [steps].
        seed: The seed.
    """
    finite = losses[: len(losses) if np.isfinite(losses).all() else int(np.isfinite(losses).argmin())]
    end = divergence_step(smooth(finite, len(rates)))
    kept = finite[:end]
    smoothed = smooth(finite, len(rates))[:end]
    diverged = len(kept) < len(rates)
    falls = len(kept) >= FEWEST_STEPS and _falls(kept, smoothed, len(rates))
    found = marks(smoothed, rates, diverged=diverged) if falls else None
    return Curve(seed, kept, smoothed, diverged, falls, found)


def _falls(losses: FloatArray, smoothed: FloatArray, steps: int) -> bool:
    """The smoothed loss of a training that learns nothing moves by its noise over the root of the steps averaged."""
    logs = np.log(np.maximum(smoothed, TINY))
    noise = float(np.std(np.log(np.maximum(losses, TINY)) - logs))
    averaged = 2 * np.sqrt(np.pi) * max(SMOOTHING * steps, 0.5)
    return bool(logs[0] - logs.min() > max(SMALLEST_FALL, NOISE_MULTIPLE * noise / np.sqrt(averaged)))


def spread(rates: list[float]) -> Spread:
    """Returns the geometric mean of positive rates and their ends."""
    return Spread(float(np.exp(np.mean(np.log(rates)))), min(rates), max(rates))


def agreed_rate(found: Marks) -> float:
    """Returns the rate half way, on the logarithmic axis, between where the rules agree and the edge.

    The rules agree on where a sweep learns fast: their median, which no single rule that errs can move far. It is too
    low for a training, because a sweep stays at each rate for a moment only, and the edge is too high. Without an edge
    the rate of the lowest loss takes its place.
    """
    rules = np.log([found.steepest, found.minimum, found.valley, found.slide])
    upper = 10 * found.minimum if found.edge is None else found.edge
    return float(np.exp((np.median(rules) + np.log(upper)) / 2))


def suggest(curves: tuple[Curve, ...], rates: FloatArray) -> Suggestion:
    """Returns the rate that all seeds agree on, or why no rate is safe.

    Args:
        curves: One for each seed.
        rates: The rate of each step planned [steps].
    """
    ends = [float(rates[len(curve.losses) - 1]) for curve in curves if curve.diverged and len(curve.losses)]
    edges = [curve.marks.edge for curve in curves if curve.marks and curve.marks.edge is not None] or ends
    edge = min(edges, default=None)
    flat = [curve.seed for curve in curves if curve.marks is None]
    if flat:
        short = any(curve.diverged and len(curve.losses) < FEWEST_STEPS for curve in curves)
        why = "diverges at once: lower --min" if short else "never falls at any rate of the range"
        return Suggestion(None, f"the loss of {len(flat)} of {len(curves)} seeds {why}", edge)
    learnt = sum(curve.smoothed.min() < LEARNT * curve.smoothed[0] for curve in curves)
    if learnt:
        reason = f"{learnt} of {len(curves)} seeds learnt their images by heart within the search: take more images"
        return Suggestion(None, reason, edge)
    agreed = spread([agreed_rate(curve.marks) for curve in curves if curve.marks])
    if agreed.high > MOST_DISAGREEMENT * agreed.low:
        reason = f"the seeds disagree by more than {MOST_DISAGREEMENT:g}x: {agreed.low:.2g} to {agreed.high:.2g}"
        return Suggestion(None, reason, edge, agreed)
    if edge is not None and agreed.middle > edge / SAFETY:
        where = "lies beyond" if agreed.middle > edge else f"is within {SAFETY:g}x of"
        return Suggestion(
            None, f"the rate {agreed.middle:.2g} {where} the edge of divergence at {edge:.2g}", edge, agreed
        )
    return Suggestion(float(f"{agreed.middle:.1e}"), "", edge, agreed)

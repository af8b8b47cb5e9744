"""The rules of the range test, in pure NumPy: what the losses of one training at rising learning rates say.

A curve is the loss of each step of one training whose rate grows by a constant factor from step to step. All rules look
at the smoothed curve on a logarithmic axis of rates.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

EXAMPLES = 32
"""So many examples make one reading: the loss of a smaller batch says more of its images than of the weights."""
SMOOTHING = 0.02
"""Standard deviation of the smoothing kernel, as a share of the steps planned."""
DIVERGENCE = 4.0
"""The smoothed loss, as a multiple of the best one so far, from which the training counts as diverged (fastai's)."""
EDGE_TOLERANCE = 1.05
"""The edge is where the smoothed loss leaves this multiple of its minimum for good, or its noise where that is more."""
SLIDE_WINDOW = 0.15
"""Width of the slide rule's window, as a share of the steps planned."""
SLIDE_THRESHOLD = 0.5
"""Difference of slopes, in loss per whole sweep, below which the slide rule stops."""
LEARNT = 0.02
"""Share of the first loss below which hardly a gradient is left: what comes after says nothing about the rate."""
RESOLUTION = 1e-7
"""What a loss of exactly zero counts as: about the smallest that single precision tells from it."""


@dataclass(frozen=True)
class Marks:
    """What the four rules say of one curve, and where it leaves its valley.

    Args:
        steepest: The rate at which the loss falls fastest.
        minimum: A tenth of the rate at which the loss is lowest, the rule of fastai's course (2018).
        valley: The rate in the middle of the longest descent.
        slide: The rate at which a window that comes from the right first finds a steady slope.
        edge: The rate from which the loss only rises; None where it does not within the range.
        learnt: The rate at which hardly any loss was left, which ends what the rules look at; None where much was.
    """

    steepest: float = field(metadata={"name": "steepest descent"})
    minimum: float = field(metadata={"name": "minimum / 10"})
    valley: float = field(metadata={"name": "valley"})
    slide: float = field(metadata={"name": "slide"})
    edge: float | None
    learnt: float | None = None


RULE_NAMES = {rule.name: rule.metadata["name"] for rule in fields(Marks) if rule.metadata}
"""What people call each rule, by its field of `Marks`."""


def pool_size(batch_size: int) -> int:
    """Returns how many batches make one reading."""
    return -(-EXAMPLES // batch_size)


def smooth(losses: FloatArray, steps: int, pool: int = 1) -> FloatArray:
    """Returns the geometric mean of the readings around each step, weighted by a normal kernel.

    Unlike an exponential average it looks both ways, so it moves no feature to higher rates; at the ends the weights of
    the missing steps are divided out. The mean is geometric so that a single exploding loss stays a single one; within
    a reading it is arithmetic, because the losses of single images differ by orders of magnitude.

    Args:
        losses: The loss of each step taken [steps taken].
        steps: Steps planned, whose share the kernel's width is.
        pool: Steps that make one reading.
    """
    if not len(losses):
        return losses
    deviation = _deviation(steps, pool)
    reach = int(4 * deviation) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    smoothed: FloatArray = np.exp(_weighted_mean(np.log(readings(losses, pool)), kernel))
    return smoothed


def _deviation(steps: int, pool: int) -> float:
    return max(SMOOTHING * steps, pool, 0.5)


def readings(losses: FloatArray, pool: int) -> FloatArray:
    """Returns the arithmetic mean of the losses around each step that make one reading; none is exactly zero.

    Args:
        losses: The loss of each step [steps taken].
        pool: Steps that make one reading.
    """
    pooled = losses if pool == 1 else _weighted_mean(losses, np.ones(2 * (pool // 2) + 1))
    return np.where(pooled > 0, pooled, RESOLUTION)


def _weighted_mean(values: FloatArray, kernel: FloatArray) -> FloatArray:
    """Returns the mean around each value, weighted by a kernel of odd length, of what there is at the ends."""
    inside = slice(len(kernel) // 2, len(kernel) // 2 + len(values))
    means: FloatArray = np.convolve(values, kernel)[inside] / np.convolve(np.ones(len(values)), kernel)[inside]
    return means


def noise_left(losses: FloatArray, smoothed: FloatArray, steps: int, pool: int = 1) -> float:
    """Returns the standard deviation of the noise in the logarithm of the smoothed loss.

    It is that of the steps around the curve over the root of the steps averaged, which a normal kernel of deviation s
    has 2 s root(pi) of. Where a reading has many steps, they are compared with it: readings overlap, and hide noise.

    Args:
        losses: The loss of each step taken [steps taken].
        smoothed: The same smoothed [steps taken].
        steps: Steps planned.
        pool: Steps that make one reading.
    """
    read = readings(losses, pool)
    around = np.log(read / smoothed) if pool == 1 else losses / read
    return float(np.std(around) / np.sqrt(2 * np.sqrt(np.pi) * _deviation(steps, pool)))


def learnt_step(smoothed: FloatArray) -> int | None:
    """Returns the first step at which hardly any loss is left, or None."""
    learnt = smoothed < LEARNT * smoothed[:1]
    return int(learnt.argmax()) if learnt.any() else None


def divergence_step(smoothed: FloatArray) -> int | None:
    """Returns the first step at which the loss is a multiple of the best one before, or None.

    What is left of a loss that is learnt is no measure: a single image more or less is a multiple of it.
    """
    best = np.maximum(np.minimum.accumulate(smoothed), LEARNT * smoothed[:1])
    diverged = smoothed > DIVERGENCE * best
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
    risen: list[float] = []
    lengths = []
    for loss in smoothed.tolist():
        # `risen` holds, for each length, the highest loss that a descent of that length ends with, as a negative
        length = bisect_left(risen, -loss)
        risen[length : length + 1] = [-loss]
        lengths.append(length + 1)
    longest = max(lengths)
    return lengths.index(longest) - longest // 2


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


def edge_step(smoothed: FloatArray, noise: float = 0.0) -> int:
    """Returns the last step that led to about the lowest loss: every later one made it worse.

    The loss of a step is measured before its own rate is applied, so it is the rate of the step before that led to it.

    Args:
        smoothed: The smoothed losses [steps taken].
        noise: Standard deviation of the noise in their logarithm.
    """
    tolerance = max(EDGE_TOLERANCE, float(np.exp(noise)))
    return max(int(np.flatnonzero(smoothed <= tolerance * smoothed.min())[-1]) - 1, 0)


def marks(smoothed: FloatArray, rates: FloatArray, *, diverged: bool, noise: float = 0.0) -> Marks:
    """Returns what every rule says of one curve.

    Args:
        smoothed: The smoothed losses, up to the divergence [steps taken].
        rates: The rate of each step planned [steps].
        diverged: Whether the curve ends with a divergence and not with the last step planned.
        noise: Standard deviation of the noise in the logarithm of the smoothed losses.
    """
    edge, learnt = edge_step(smoothed, noise), learnt_step(smoothed)
    seen = smoothed[:learnt]
    return Marks(
        steepest=float(rates[steepest(seen)]),
        minimum=float(rates[seen.argmin()]) / 10,
        valley=float(rates[valley(seen)]),
        slide=float(rates[slide(seen, len(rates))]),
        edge=float(rates[edge]) if diverged or edge < len(smoothed) - 2 else None,
        learnt=None if learnt is None else float(rates[learnt]),
    )

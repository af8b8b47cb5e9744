"""All stochastic passes for all images, batch by batch, in memory that does not grow with the number of passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.errors import ConfigError
from dtrain.evaluation import BATCH
from dtrain.monte_carlo import StochasticModel
from dtrain.storage import replace_file
from dtrain.uncertainty import PassSums, SettlingSums, Uncertainty, passes_to_look_at

Array = npt.NDArray[Any]

CHUNK_PASSES = 25
"""Passes in one call: between two calls progress is shown and the results leave the device."""
PROBED_IMAGES, PROBED_PASSES = 200, 3


@dataclass(frozen=True)
class Batch:
    """One batch of images while it is sampled.

    Args:
        start: Number of its first image.
        first: Number of the first of `passes`.
        passes: Probabilities [passes, images, classes].
    """

    start: int
    first: int
    passes: Array


def sample(
    model: StochasticModel,
    images: Array,
    labels: Array | None,
    samples: int,
    seed: int,
    on_batch: Callable[[Batch], None],
) -> tuple[Uncertainty, SettlingSums]:
    """Runs all passes for all images, a batch of images at a time.

    Args:
        model: The model.
        images: As stored [images, ...].
        labels: int [images], or None.
        samples: Passes for each image, at least two.
        seed: Seeds the masks, which depend on it, the pass and the image's number alone.
        on_batch: Shown the passes as they come.

    Returns:
        What the passes say, and how it settled.
    """
    numbers = passes_to_look_at(samples)
    settling, parts = SettlingSums(numbers), []
    for start in range(0, len(images), BATCH):
        some = slice(start, start + BATCH)
        signals = model.begin(images[some])
        sums = PassSums(model.plain(signals), numbers)
        examples = np.arange(start, start + len(images[some]))
        for first, length in _chunks(numbers):
            passes = model.passes(signals, examples, seed, first, length)
            sums.add(passes)
            on_batch(Batch(start, first, passes))
        parts.append(sums.result())
        settling.add(sums.means, None if labels is None else labels[some])
    return Uncertainty.joined(parts), settling


def _chunks(numbers: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yields first pass and count of each call, so that calls end at the numbers to look at."""
    done = 0
    for number in numbers:
        while done < number:
            length = min(CHUNK_PASSES, number - done)
            yield done, length
            done += length


@contextmanager
def kept_passes(path: Path | None, shape: tuple[int, ...]) -> Iterator[Callable[[Batch], None]]:
    """Gives what keeps the passes: in a file that is mapped into memory, or not at all.

    Args:
        path: An .npy file; None to keep nothing.
        shape: Passes, images and classes.
    """
    if path is None:
        yield lambda batch: None
        return
    with replace_file(path) as temporary:
        kept = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)

        def keep(batch: Batch) -> None:
            passes, images = batch.passes.shape[:2]
            kept[batch.first : batch.first + passes, batch.start : batch.start + images] = batch.passes

        yield keep
        kept.flush()


def check_varies(model: StochasticModel, images: Array, seed: int, where: str) -> None:
    """Refuses a model whose passes are all the same for the first images, before anything is written.

    Raises:
        ConfigError: They are.
    """
    few = images[:PROBED_IMAGES]
    passes = model.passes(model.begin(few), np.arange(len(few)), seed, 0, PROBED_PASSES)
    if np.ptp(passes, axis=0).max() > 0:
        return
    raise ConfigError(
        f"got the same probabilities in {PROBED_PASSES} passes for {len(few)} images, although dropout is on; expected "
        "some variance",
        where=where,
        hint="the signal does not reach the output: the weights behind dropout are zero, or the output is saturated",
    )

"""All stochastic passes for all images, batch by batch, in memory that does not grow with the number of passes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dtrain.engine.evaluation import BATCH
from dtrain.ground.errors import ConfigError, EnvironmentProblem
from dtrain.ground.files import replace_file
from dtrain.monte_carlo.stochastic_model import StochasticModel
from dtrain.statistics.uncertainty import PassSums, SettlingSums, Uncertainty, passes_to_look_at

Array = npt.NDArray[Any]

CHUNK_PASSES = 25
"""Passes in one call: between two calls progress is shown and the results leave the device."""
PROBED_IMAGES, PROBED_PASSES = 200, 3
"""So many passes of so many images are drawn to see whether they vary; as many in all where there are fewer images."""


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
def kept_passes(path: Path | None, shape: tuple[int, int, int]) -> Iterator[Callable[[Batch], None]]:
    """Gives what keeps the passes: in a file, or not at all.

    Args:
        path: An .npy file; None to keep nothing.
        shape: Passes, images and classes.
    """
    if path is None:
        yield lambda batch: None
        return
    # written piece by piece: a file that is mapped into memory kills the process where the disk is full
    with replace_file(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        begin, row = file.tell(), 4 * shape[2]

        def keep(batch: Batch) -> None:
            for number, one in enumerate(batch.passes.astype("<f4"), batch.first):
                file.seek(begin + row * (number * shape[1] + batch.start))
                file.write(one.tobytes())

        yield keep


def check_room(folder: Path, shape: tuple[int, int, int]) -> None:
    """Refuses passes that the disk has no room for, before any is drawn.

    Args:
        folder: Where they are to be kept; it need not exist.
        shape: Passes, images and classes.

    Raises:
        EnvironmentProblem: There is less room.
    """
    needed, existing = 4 * math.prod(shape), next(one for one in (folder, *folder.absolute().parents) if one.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        passes, images, classes = shape
        message = f"got {passes:,} passes x {images:,} images x {classes} classes, {needed:,} bytes; {free:,} are free"
        hint = "take fewer --samples, or leave out --save-passes: all but the single passes is kept without it"
        raise EnvironmentProblem(message, where="--save-passes", hint=hint)


def check_varies(model: StochasticModel, images: Array, seed: int, where: str) -> None:
    """Refuses a model whose passes are all the same for the first images, before anything is written.

    Raises:
        ConfigError: They are.
        ModelFileError: What they are made of are no probabilities.
    """
    few = images[:PROBED_IMAGES]
    number = -(-PROBED_PASSES * PROBED_IMAGES // len(few))
    signals = model.begin(few)
    model.plain(signals)
    passes = model.passes(signals, np.arange(len(few)), seed, 0, number)
    if np.ptp(passes, axis=0).max() > 0:
        return
    raise ConfigError(
        f"got the same probabilities in {number} passes for {len(few)} images, although dropout is on; expected "
        "some variance",
        where=where,
        hint="dropout does not reach the output: its rates are too small to drop anything, the weights behind it are "
        "zero, or the output is saturated",
    )

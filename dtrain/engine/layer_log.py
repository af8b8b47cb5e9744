"""What the steps that are looked into measured of each layer: the first ten of a stage, and the last of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from dtrain.engine.epoch import Engine
from dtrain.engine.layer_measures import LayerStep, measured
from dtrain.ground.reading import Array

FIRST_STEPS = 10
"""Steps of a stage that are each looked into: much of what goes wrong does so at once."""
DEAD_UNITS = "dead_units"
"""Under which name an epoch has how many units no image activates at its end."""


class LayerLog:
    """Measures layers at some steps, each a function of the variables and the step alone, and keeps what it finds.

    Args:
        engine: What trains.
        first_step: The step that the stage begins with.
        before: What was measured in the stage before; None in the first.
    """

    def __init__(self, engine: Engine, first_step: int, before: LayerLog | None = None) -> None:
        self._engine, self._first_step = engine, first_step
        self._rows: list[dict[str, Array]] = list(before._rows) if before else []

    def next_cut(self, first: int, start: int) -> int:
        """Returns where an epoch is cut, so that a step that is looked into is alone.

        Args:
            first: Number of the epoch's first step.
            start: Where the last cut was, counted from there.
        """
        if self._is_looked_into(first, start):
            return start + 1
        last = self._last_whole_step
        return last if start < last else self._engine.steps_per_epoch

    @contextmanager
    def measuring(self, order: npt.NDArray[np.int64], noise_seed: int, first: int, start: int) -> Iterator[None]:
        """Measures the layers at the step that is taken inside, if it is looked into.

        Args:
            order: The order of the epoch's examples.
            noise_seed: Seeds the noise layers.
            first: Number of the epoch's first step.
            start: The step, counted from there.
        """
        if not self._is_looked_into(first, start):
            yield
            return
        network = self._engine.network
        size = self._engine.batch_size
        places = order[start * size : (start + 1) * size]
        found = network.look(*self._engine.batch(places, noise_seed, first + start))
        kernels = network.kernels()
        yield
        steps = [
            LayerStep(kernel, after - kernel, flat_below=layer.flat_below, **vars(signals))
            for kernel, after, layer, signals in zip(
                kernels, network.kernels(), network.layers, found.layers, strict=True
            )
        ]
        row = {"step": np.array(first + start + 1)} | measured(steps, found.normalizations)
        self._rows.append(row | {DEAD_UNITS: np.full(len(steps), np.nan)})

    def end_epoch(self) -> None:
        """Counts the units that are dead at the end of an epoch."""
        dead = self._engine.network.dead_units(self._engine.examples_of, self._engine.examples)
        self._rows[-1] = self._rows[-1] | {DEAD_UNITS: np.array(dead)}

    def records(self) -> dict[str, Array]:
        """Returns arrays [measured steps, layers or normalizations], and the number of each step from 1."""
        names = dict.fromkeys(name for row in self._rows for name in row)
        return {name: np.stack([row[name] for row in self._rows]) for name in names}

    def restore(self, records: Mapping[str, Array], first_step: int) -> None:
        """Takes the place of what was measured, in the stage that begins with this step."""
        self._first_step = first_step
        count = len(records.get("step", ()))
        self._rows = [{name: values[number] for name, values in records.items()} for number in range(count)]

    def kept(self) -> dict[str, Array]:
        """Returns what a run folder keeps: the records, and the names and sizes of what they are of."""
        network = self._engine.network
        names = {
            "layers": np.array([one.layer.name for one in network.layers]),
            "units": np.array([one.tensors[1].shape[-1] for one in network.layers]),
            "normalizations": np.array([one.name for one in network.normalizations], np.str_),
        }
        return names | self.records()

    @property
    def _last_whole_step(self) -> int:
        """Of an epoch: a batch of a few images would tell little."""
        return max(self._engine.examples // self._engine.batch_size, 1) - 1

    def _is_looked_into(self, first: int, start: int) -> bool:
        return first + start - self._first_step < FIRST_STEPS or start == self._last_whole_step

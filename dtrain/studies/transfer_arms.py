"""Every arm with every seed of a transfer experiment: each is a trial with a run folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.experiment.transfer import Arm, Stage
from dtrain.ground.errors import DivergedError
from dtrain.ground.randomness import Stream, generator
from dtrain.runs.folder import RunFolder
from dtrain.runs.ownership import true_status
from dtrain.runs.results import Reuse, RunResult, summarise_seeds, without_folders
from dtrain.studies.transfer_report import ARMS
from dtrain.studies.transfer_source import Request, Source
from dtrain.trials.observer import RunObserver
from dtrain.trials.resuming import train_cell
from dtrain.trials.trial import Trial
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.reuse.grafting import Graft

Results = dict[Arm, dict[int, RunResult]]


def labelled_images(seed: int, available: int, wanted: int | None) -> npt.NDArray[np.int64]:
    """Returns the indices of the training images whose labels a seed may use, in the order of the data.

    Args:
        seed: Another seed has other images.
        available: Training images that there are.
        wanted: How many; None for all.
    """
    order = generator(seed, Stream.LABELLED_IMAGES).permutation(available)
    chosen: npt.NDArray[np.int64] = np.sort(order[:wanted])
    return chosen


@dataclass(frozen=True)
class Cell:
    """One training of the experiment: small and plain, so that any process can be told of it.

    Args:
        arm: The arm.
        seed: Decides labelled images, first weights, orders and noise, for all arms together.
    """

    arm: Arm
    seed: int


@dataclass(frozen=True, eq=False)
class Design:
    """What is trained.

    Args:
        source: Base and task.
        graft: The network.
        experiment: The task, with nothing left to choose; the optimizer's own rate is that from scratch.
        names: The arms to train, reused layers first.
        seeds: All seeds.
    """

    source: Source
    graft: Graft
    experiment: Experiment
    names: tuple[Arm, ...]
    seeds: tuple[int, ...]

    def stages(self, arm: Arm) -> tuple[Stage, ...]:
        """Returns the stages of an arm; from scratch everything trains for as many epochs at the optimizer's rate."""
        transfer, reused, rate = self.experiment.transfer, len(self.graft.cut.groups), self.experiment.optimizer
        assert transfer
        if arm == "scratch":
            return (Stage("scratch", reused, transfer.epochs, rate.learning_rate),)
        return transfer.stages(reused, rate.learning_rate)

    def trial(self, cell: Cell) -> Trial:
        """Returns what is trained in a cell; what is compiled depends on the layers that learn, on no arm or seed."""
        whole, limit = self.source.data, self.experiment.dataset.train_limit
        return Trial(
            experiment=self.experiment.model_copy(update={"seed": cell.seed}),
            stages=self.stages(cell.arm),
            whole=whole,
            network=replace(self.graft, reused=cell.arm == "transfer"),
            chosen=labelled_images(cell.seed, len(whole.train.labels), limit),
            reuse=Reuse(arm=cell.arm, base=self.source.base.digest),
        )

    def missing_classes(self, seed: int) -> tuple[str, ...]:
        """Returns the classes that none of a seed's labelled images shows."""
        names, labels = self.source.data.class_names, self.trial(Cell("transfer", seed)).data.train.labels
        counts = np.bincount(labels, minlength=len(names))
        return tuple(name for name, count in zip(names, counts, strict=True) if not count)


def design_of(source: Source, request: Request, workshop: Workshop) -> Design:
    """Cuts the base and decides the rest, before anything is written.

    Raises:
        DtrainError: The base cannot be cut there.
    """
    from dtrain.reuse.cutting import cut
    from dtrain.reuse.grafting import Graft

    experiment, data = source.experiment, source.data
    assert experiment.transfer
    kept = cut(source.base, experiment.transfer)
    graft = Graft(source.base, kept, experiment, data.image_shape, len(data.class_names))
    resolved = workshop.resolved(experiment, convolutional=graft.convolutional)
    seeds = tuple(range(experiment.seed, experiment.seed + request.seeds))
    return Design(source, graft, resolved, tuple(ARMS) if request.controls else ("transfer",), seeds)


def train_arms(
    design: Design, folder: RunFolder, workshop: Workshop, observer: RunObserver, *, allow_drift: bool = False
) -> Results:
    """Trains every arm with every seed, but for what has ended already; one that diverges is left out.

    Args:
        design: What to train.
        folder: Where the arms have their folders.
        workshop: Where.
        observer: Told of each seed and of what diverges.
        allow_drift: Whether to go on where versions, device or data are others than before.

    Raises:
        DivergedError: Every seed of the reused layers diverged.
    """
    # reading and starting are no training
    workshop.take_seconds()
    results: Results = {name: {} for name in design.names}
    cells = [Cell(name, seed) for seed in design.seeds for name in design.names]
    with _arm_folders(design, folder) as folders:
        for number, cell in enumerate(cells):
            if cell.arm == "transfer":
                _tell_of_seed(design, cell.seed, observer)
            # of the reused layers, the model of the first seed that trains to its end is kept
            models = folder if cell.arm == "transfer" and not results[cell.arm] else None
            trial, inner = replace(design.trial(cell), models=models), folders[cell.arm].seed_folder(cell.seed)
            try:
                results[cell.arm][cell.seed] = train_cell(trial, workshop, inner, allow_drift=allow_drift)
            except DivergedError as error:
                observer.on_warning(f"{ARMS[cell.arm]}, seed {cell.seed}, diverged: {error}")
            observer.on_progress(number + 1, len(cells))
        if not results["transfer"]:
            message = f"all {len(design.seeds)} seeds of the reused layers diverged"
            hint = "lower transfer.frozen_learning_rate and transfer.unfrozen_learning_rate tenfold"
            raise DivergedError(message, where=str(folder.path), hint=hint)
        for name, runs in results.items():
            if runs:
                seeds = summarise_seeds(folders[name].path, tuple(runs.values()), len(design.seeds) - len(runs))
                folders[name].write_summary(without_folders(seeds))
    return results


def _tell_of_seed(design: Design, seed: int, observer: RunObserver) -> None:
    trainings = f"{len(design.names)} training{'s' if len(design.names) > 1 else ''}"
    observer.on_phase(f"seed {seed}, {design.seeds.index(seed) + 1} of {len(design.seeds)}: {trainings}")
    if missing := design.missing_classes(seed):
        observer.on_warning(f"seed {seed}: no labelled image shows {', '.join(missing)}")


@contextmanager
def _arm_folders(design: Design, folder: RunFolder) -> Iterator[dict[Arm, RunFolder]]:
    with ExitStack() as statuses:
        folders = {name: folder.arm_folder(name) for name in design.names}
        for one in folders.values():
            one.write_config(dump_experiment(design.experiment))
            statuses.enter_context(true_status(one, seeds=len(design.seeds)))
        yield folders

"""Whether runs were validated and tested on the same images, which their folders say without any image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dtrain.experiment.dataset import Dataset
from dtrain.ground.errors import UsageError
from dtrain.runs.results import SHOWN_DIGITS
from dtrain.studies.groups import ComparedRun, Group


@dataclass(frozen=True)
class HeldOut:
    """What decides which images a run was validated and tested on: equal for two runs only if these are the same.

    Args:
        digest: SHA-256 of all images.
        known: Whether it is a known data set, which is split by position, and not class by class.
        held_out: Images of the training part before classes were chosen; None for a tenth of who knows how many.
        validation: Images to validate with.
        test: Images to test on.
        classes: Those kept, in order of their number; None where they are all up to a number. Of these, more classes
            have all images of fewer, and thus the same ones where they have as many.
    """

    digest: str
    known: bool
    held_out: int | None
    validation: int
    test: int
    classes: tuple[int, ...] | None

    def __str__(self) -> str:
        of_classes = f" of classes {list(self.classes)}" if self.classes else ""
        held_out = "a tenth" if self.held_out is None else f"{self.held_out:,}"
        return (
            f"{self.digest[:SHOWN_DIGITS]}, {self.validation:,} to validate and {self.test:,} to test{of_classes}, "
            f"{held_out} held out {'by position' if self.known else 'class by class'}"
        )


def check_same_images(groups: Sequence[Group]) -> None:
    """Refuses runs that were not validated and tested on the same images with a UsageError that says which."""
    runs = [(group.name, run) for group in groups for run in group.runs]
    tenths = {run.digest: run.result.validation.images for _, run in runs if _is_tenth_of_all(run.experiment.dataset)}
    named: dict[HeldOut, dict[str, None]] = {}
    for name, run in runs:
        named.setdefault(_held_out(run, tenths), {})[name] = None
    if len(named) > 1:
        found = ", ".join(f"{' and '.join(names)} on images {images}" for images, names in named.items())
        raise UsageError(
            f"got runs on different images: {found}; expected all on the same",
            where="dtrain compare",
            hint="compare runs with the same dataset.name, dataset.classes and dataset.validation",
        )


def _is_tenth_of_all(dataset: Dataset) -> bool:
    return dataset.known is None and dataset.validation is None and dataset.classes is None


def _held_out(run: ComparedRun, tenths: Mapping[str, int]) -> HeldOut:
    dataset, result = run.experiment.dataset, run.result
    known = dataset.known
    default = known.validation if known else tenths.get(run.digest)
    classes = tuple(sorted(dataset.classes or ()))
    return HeldOut(
        digest=run.digest,
        known=known is not None,
        held_out=dataset.validation or default,
        validation=result.validation.images,
        test=result.test.images,
        classes=None if classes == tuple(range(len(classes))) else classes,
    )

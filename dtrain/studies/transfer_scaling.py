"""How `dtrain transfer` scales images: by what scaled those that the base was trained on, wherever that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dtrain.data.prepare import Data, Scaling, prepare
from dtrain.data.scaling import fit_scaling
from dtrain.experiment.dataset import Dataset
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError, DataError, Problem
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.reuse.base import Base, Outline

SCALINGS = {
    "unit": "pixels from 0 to 1",
    "standardize": "mean 0 and deviation 1 of each pixel",
    "none": "pixels as they are",
}
LARGEST_SCALE_OF_BYTES = 1 / 64
BYTES = np.dtype(np.uint8)
"""The type of every known data set's images."""


@dataclass(frozen=True, eq=False)
class FoundScaling:
    """What scales the images of a task.

    Args:
        scaling: Offset and factor.
        kind: What `dataset.scaling` calls it.
        origin: Where it is from, in words.
        warnings: What the user should know of the choice.
    """

    scaling: Scaling
    kind: str
    origin: str = "as for the base"
    warnings: tuple[str, ...] = ()


def check_scaling(experiment: Experiment, base: Outline) -> None:
    """Refuses a scaling that is asked for where the base is known to have another one.

    Args:
        experiment: The task.
        base: The base, before TensorFlow starts.

    Raises:
        ConfigError: The two differ.
    """
    dataset = experiment.dataset
    asked = "scaling" in dataset.model_fields_set and not _may_be_filled_in(experiment)
    if base.scaling and asked and dataset.scaling != base.scaling["kind"]:
        message = f"got {dataset.scaling}; expected {base.scaling['kind']}, as for the images of {base.path}"
        hint = "leave it out: a run brings its own scaling; a model file outside of its run takes any"
        raise ConfigError(message, where="dataset.scaling", hint=hint)


def _may_be_filled_in(experiment: Experiment) -> bool:
    """Whether nobody knows if the scaling was written or came with selu."""
    return experiment.activation.kind == "selu" and experiment.dataset.scaling == "standardize"


def scaling_for(base: Base, experiment: Experiment, data: Data, workshop: Workshop) -> FoundScaling:
    """Returns what scales images for the base: what did so in its own training, where that is known.

    Args:
        base: The base.
        experiment: The task, after `check_scaling`.
        data: The task's images.
        workshop: Reads other images.

    Raises:
        DataError: Only the images that the base was trained on tell its scaling, and they are gone, others, or of
            another type than the task's.
    """
    chosen, known = experiment.dataset.scaling, base.scaling
    if known is None and _scales_bytes_itself(base) and "scaling" not in experiment.dataset.model_fields_set:
        warning = f"{base.path.name} scales bytes in a layer of its own; images go in as they are stored"
        return FoundScaling(fit_scaling("none", data.train.images), "none", "by a layer of the base", (warning,))
    if known is None:
        return FoundScaling(data.scaling, chosen, "assumed", (_assumption(base.path.name, chosen),))
    kind = known["kind"]
    if "digest" in known:
        scaling, trained_on = _scaling_in_training(known, base.path.name, workshop)
    else:
        scaling, trained_on = fit_scaling(kind, np.zeros(1, BYTES)), BYTES
    if data.train.images.dtype != trained_on:
        return _for_another_type(kind, trained_on, data, experiment.dataset.name)
    if kind != chosen and _may_be_filled_in(experiment):
        warning = f"images are scaled as for the base, {kind}, and not with {chosen}, which goes with selu"
        return FoundScaling(scaling, kind, warnings=(warning,))
    return FoundScaling(scaling, kind)


def _scales_bytes_itself(base: Base) -> bool:
    """Whether the base divides by so much that bytes are meant: what is scaled already would come out as black."""
    scales = [plan.options.get("scale") for plan in base.architecture.layers if plan.kind == "Rescaling"]
    return any(isinstance(one, int | float) and 0 < one <= LARGEST_SCALE_OF_BYTES for one in scales)


def _for_another_type(kind: str, trained_on: np.dtype[Any], data: Data, name: str) -> FoundScaling:
    """Returns what scales images of another type than the base's: bytes and floats have no unit in common."""
    found = data.train.images.dtype
    if kind == "unit":
        warning = f"the base saw {trained_on} images; these, {found}, are scaled to [0, 1] by their own range"
        return FoundScaling(fit_scaling("unit", data.train.images), kind, "by their own range", (warning,))
    reason = "which are taken as they are" if kind == "none" else "whose mean and deviation scale them"
    message = f"got {found} images; expected {trained_on}, as the base's, {reason}"
    raise DataError(message, where=name, hint="save them in the type and range of the base's images")


def _assumption(base: str, chosen: str) -> str:
    others = " or ".join(f"dataset.scaling={kind}" for kind in SCALINGS if kind != chosen)
    return (
        f"{base} does not say how its images were scaled; assumed {chosen} ({SCALINGS[chosen]}); "
        f"if it was another way: {others}"
    )


def _scaling_in_training(known: dict[str, Any], base: str, workshop: Workshop) -> tuple[Scaling, np.dtype[Any]]:
    """Returns what scaled the images that the base was trained on, and their type."""
    dataset = Dataset.model_validate(known["dataset"])
    hint = f"put those images back, or copy {base} out of its run: then the scaling is fitted to the task's images"
    try:
        images = workshop.images(dataset.name, ", which the base was trained on")
    except DataError as error:
        raise DataError([Problem(one.message, one.where, one.hint or hint) for one in error.problems]) from error
    if images.digest != known["digest"]:
        got, expected = images.digest[:12], known["digest"][:12]
        message = f"got images with digest {got}; expected {expected}, those that {base} was trained and scaled on"
        raise DataError(message, where=dataset.name, hint=hint)
    data = prepare(dataset, images)
    return data.scaling, data.train.images.dtype

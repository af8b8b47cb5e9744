"""Rules on the data: what a split can give, and what fits the images, by their known sizes or once they are read."""

from __future__ import annotations

from collections.abc import Iterator

from dtrain.experiment.dataset import Dataset
from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.rule import FOLLOWED, Facts, Finding, Places, advice, error, error_of_data, self_normalises
from dtrain.experiment.techniques.networks import MAXIMUM_PARAMETERS, TRAINING_BYTES_PER_PARAMETER, ConvNetwork
from dtrain.experiment.techniques.normalizations import BatchNorm, NormalizationTechnique
from dtrain.experiment.techniques.optimizers import AdamFamily
from dtrain.experiment.techniques.technique import Contradiction, LayerSite


def known_facts(dataset: Dataset) -> Facts | None:
    """Returns what the name of a data set tells, where its split is possible; None where only the images can tell."""
    if dataset.known is None or dataset.training_images is None or any(_impossible_in(dataset)):
        return None
    classes = len(dataset.classes or range(dataset.known.classes))
    return Facts(dataset.training_images, dataset.known.image_shape, classes)


def _impossible_in(dataset: Dataset) -> Iterator[Finding]:
    """What a data set whose sizes are known without reading it cannot give."""
    known, left = dataset.known, dataset.left
    if known is None or left is None:
        return
    for place, label in enumerate(dataset.classes or ()):
        if label >= known.classes:
            yield Finding(f"dataset.classes.{place}", f"got class {label}; expected 0 to {known.classes - 1}")
        elif label in (dataset.classes or ())[:place]:
            yield Finding(f"dataset.classes.{place}", f"got class {label} twice")
    held_out = known.train - left
    if left <= 0:
        message = f"got {held_out}; expected fewer than the {known.train:,} training images of {dataset.name}"
        yield Finding("dataset.validation", message)
    elif dataset.train_limit and dataset.train_limit > left:
        because = f"{known.train:,} less {held_out:,} for validation"
        yield Finding("dataset.train_limit", f"got {dataset.train_limit}; expected at most {left}: {because}")


@error
def split(one: Draft) -> Iterator[Finding]:
    return _impossible_in(one.dataset)


@error_of_data
def batch_size(one: Draft, facts: Facts) -> Iterator[Finding]:
    size = one.training.batch_size
    if 0 < facts.images < size:
        yield Finding(
            "training.batch_size", f"got {size}; expected at most {facts.images}, the number of training images"
        )


@error_of_data
def output(one: Draft, facts: Facts) -> Iterator[Finding]:
    if one.network.output == "sigmoid" and facts.classes != 2:
        message = f"got 'sigmoid' with {facts.classes} classes; expected 'softmax' or 'auto', or two classes"
        yield Finding("network.output", message)


@error_of_data
def parameters(one: Draft, facts: Facts) -> Iterator[Finding]:
    count = one.network.parameters(facts.image_shape, facts.classes)
    if count > MAXIMUM_PARAMETERS:
        memory = f"{count * TRAINING_BYTES_PER_PARAMETER / 1e9:,.1f} GB in training"
        message = f"got about {count:,} parameters, {memory}; expected at most {MAXIMUM_PARAMETERS:,}"
        yield Finding("network", message, "make the layers fewer or smaller")


@error_of_data
def normalized_inputs(one: Draft, facts: Facts) -> Iterator[Finding]:
    normalization, convolutional = one.normalization, isinstance(one.network, ConvNetwork)
    if not (isinstance(normalization, NormalizationTechnique) and normalization.inputs):
        return
    height, width, channels = (*facts.image_shape, 1)[:3]
    size = channels if convolutional else channels * height * width
    try:
        normalization.check(LayerSite("inputs", 0, convolutional, size), "inputs")
        if isinstance(normalization, BatchNorm) and normalization.axis is not None:
            normalization.merged((height, width, channels) if convolutional else facts.image_shape)
    except Contradiction as wrong:
        yield Finding.of(wrong, "normalization")


@advice(
    "raw pixels reach 255, which makes the first gradients as large",
    lambda one: f"dataset.scaling={'standardize' if self_normalises(one) else 'unit'}",
    fix="set dataset.scaling to unit or standardize",
)
def unscaled_inputs(one: Draft) -> Places:
    # on the sample Adam lost 11 points to them in dense nets, and nothing with convolutions
    harmless = isinstance(one.optimizer, AdamFamily) and isinstance(one.network, ConvNetwork)
    raw = one.dataset.scaling == "none" and one.dataset.known and not harmless
    normalised = isinstance(one.normalization, NormalizationTechnique) and one.normalization.inputs
    return ("dataset.scaling",) if raw and not normalised else FOLLOWED

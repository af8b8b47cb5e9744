"""Techniques that are right one by one and wrong together: what each check says, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dtrain.experiment.techniques.initializers import Identity
from dtrain.experiment.techniques.networks import ConvNetwork, DenseNetwork, Network
from dtrain.experiment.techniques.normalizations import BatchNorm, Normalization, NormalizationTechnique
from dtrain.experiment.techniques.regularizers import Noise, Orthogonal, Penalty, SpatialDropout, WeightConstraint
from dtrain.experiment.techniques.schedules import Piecewise, Polynomial
from dtrain.experiment.techniques.technique import Contradiction, LayerSite

if TYPE_CHECKING:
    from dtrain.experiment.spec import Experiment


def technique_contradictions(experiment: Experiment) -> list[Contradiction]:
    """Returns what does not fit together in an experiment, whatever its data."""
    return [
        *_in_schedule(experiment),
        *_in_initializer(experiment),
        *_in_normalization(experiment),
        *_in_number_of_regularizers(experiment),
        *_in_regularizers(experiment),
    ]


def input_contradictions(experiment: Experiment, image_shape: tuple[int, ...]) -> list[Contradiction]:
    """Returns why the inputs cannot be normalised as asked for.

    Args:
        experiment: The experiment, right in itself.
        image_shape: Height, width and, for colour, channels.
    """
    normalization = experiment.normalization
    if not (isinstance(normalization, NormalizationTechnique) and normalization.inputs):
        return []
    channels = image_shape[2] if len(image_shape) == 3 else 1
    convolutional = isinstance(experiment.network, ConvNetwork)
    if isinstance(normalization, BatchNorm) and normalization.axis is not None:
        sides = (*image_shape[:2], channels) if convolutional else image_shape
        try:
            normalization.merged(sides)
        except Contradiction as wrong:
            path, beside = ("normalization", *wrong.path), ("dataset", "network")
            return [Contradiction(path, wrong.message, wrong.hint, beside=beside)]
    width = channels if convolutional else channels * image_shape[0] * image_shape[1]
    site = LayerSite("inputs", 0, convolutional, width)
    return _wrong_at(normalization, site, "inputs", beside=("dataset", "network"))


def _in_schedule(experiment: Experiment) -> Iterator[Contradiction]:
    schedule, epochs = experiment.schedule, experiment.training.epochs
    if schedule.warmup >= epochs:
        message = f"got {schedule.warmup:g} epochs with training.epochs {epochs}; expected less"
        yield Contradiction(("schedule", "warmup"), message, "a tenth of the training is much", beside=("training",))
    elif isinstance(schedule, Piecewise) and schedule.boundaries:
        last = epochs - schedule.warmup
        if schedule.boundaries[-1] >= last:
            behind = f" and warmup {schedule.warmup:g}" if schedule.warmup else ""
            yield Contradiction(
                ("schedule", "boundaries"),
                f"got {list(schedule.boundaries)} with training.epochs {epochs}{behind}; "
                f"expected epochs below {last:g}",
                "move the boundaries or train for longer",
                beside=("training",),
            )
    rate = experiment.optimizer.learning_rate
    if isinstance(schedule, Polynomial) and schedule.end_learning_rate > rate:
        message = f"got {schedule.end_learning_rate:g}; expected at most optimizer.learning_rate ({rate:g})"
        yield Contradiction(("schedule", "end_learning_rate"), message, beside=("optimizer",))


def _in_initializer(experiment: Experiment) -> Iterator[Contradiction]:
    if isinstance(experiment.initializer, Identity) and isinstance(experiment.network, ConvNetwork):
        message = "got 'identity' with convolutions; expected a dense network"
        yield Contradiction(("initializer",), message, "write orthogonal: it keeps lengths too", beside=("network",))


def _in_normalization(experiment: Experiment) -> Iterator[Contradiction]:
    normalization, network = experiment.normalization, experiment.network
    if not isinstance(normalization, NormalizationTechnique):
        return
    if network.fixup:
        message = f"got {normalization.kind!r} with network.fixup; expected 'none'"
        yield Contradiction(
            ("normalization",), message, "Fixup takes its place; or leave fixup out", beside=("network",)
        )
    for place, site in dict.fromkeys(_hidden_sites(network)):
        found = _wrong_at(normalization, site, place, beside=("network",))
        yield from found
        if found:
            return


def _hidden_sites(network: Network) -> Iterator[tuple[str, LayerSite]]:
    if isinstance(network, ConvNetwork):
        yield from (("a convolution", LayerSite("hidden", 0, True, width)) for width in network.filters)
    sizes = network.sizes if isinstance(network, DenseNetwork) else network.hidden
    yield from (("a layer", LayerSite("hidden", 0, False, width)) for width in sizes)


def _wrong_at(
    normalization: Normalization, site: LayerSite, place: str, *, beside: tuple[str, ...]
) -> list[Contradiction]:
    try:
        if isinstance(normalization, NormalizationTechnique):
            normalization.check(site, place)
    except Contradiction as wrong:
        return [Contradiction(("normalization", *wrong.path), wrong.message, wrong.hint, beside=beside)]
    return []


def _in_number_of_regularizers(experiment: Experiment) -> Iterator[Contradiction]:
    for role, name, advice in (
        (Penalty, "penalty", "l1_l2 has both factors"),
        (WeightConstraint, "constraint", "keep one of them"),
        (Noise, "dropout", "one entry takes a list of rates"),
    ):
        places = [index for index, one in enumerate(experiment.regularizer) if isinstance(one, role)]
        if len(places) > 1:
            second = experiment.regularizer[places[1]]
            message = f"got {second.kind!r} as a second {name}; expected at most one"
            yield Contradiction(("regularizer", places[1]), message, advice)


def _in_regularizers(experiment: Experiment) -> Iterator[Contradiction]:
    convolutional = isinstance(experiment.network, ConvNetwork)
    for index, one in enumerate(experiment.regularizer):
        path = ("regularizer", index)
        if isinstance(one, Orthogonal) and convolutional:
            message = "got 'orthogonal' with convolutions; expected a dense network"
            hint = "write l2, and initializer: orthogonal for first weights at right angles"
            yield Contradiction(path, message, hint, beside=("network",))
        if isinstance(one, SpatialDropout) and not convolutional:
            message = "got 'spatial_dropout' without convolutions; expected network: {filters: [32, 64]}, for example"
            yield Contradiction(path, message, "write dropout", beside=("network",))
        if isinstance(one, Noise):
            try:
                one.rates(experiment.network.hidden_layers)
            except Contradiction as wrong:
                yield Contradiction((*path, *wrong.path), wrong.message, wrong.hint, beside=("network",))

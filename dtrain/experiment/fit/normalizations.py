"""Rules on the normalization: what it can normalise, which nets need it, and which statistics it can trust."""

from __future__ import annotations

from collections.abc import Iterator

from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.rule import (
    FOLLOWED,
    Finding,
    Places,
    advice,
    error,
    is_plain_and_deep,
    notice,
    self_normalises,
    training_steps,
)
from dtrain.experiment.techniques.networks import ConvNetwork, DenseNetwork, Network
from dtrain.experiment.techniques.normalizations import BatchNorm, NoNormalization, NormalizationTechnique
from dtrain.experiment.techniques.technique import Contradiction, LayerSite

UNSTEADY = 10
"""Hidden layers with which, on the sample, He and ELU without normalization diverged at the default rate."""
UNSTEADY_RESIDUAL = 8
"""The same where branches add their variance to what went into them."""
SMALLEST_WINDOW = 100
"""Images that the moving statistics of batch normalization average over."""


@error
def fixup_normalization(one: Draft) -> Iterator[Finding]:
    if one.network.fixup and isinstance(one.normalization, NormalizationTechnique):
        message = f"got {one.normalization.kind!r} with network.fixup; expected 'none'"
        yield Finding("normalization", message, "Fixup takes its place; or leave fixup out")


@error
def normalized_widths(one: Draft) -> Iterator[Finding]:
    if not isinstance(one.normalization, NormalizationTechnique):
        return
    try:
        for place, site in dict.fromkeys(_hidden_sites(one.network)):
            one.normalization.check(site, place)
    except Contradiction as wrong:
        yield Finding.of(wrong, "normalization")


def _hidden_sites(network: Network) -> Iterator[tuple[str, LayerSite]]:
    if isinstance(network, ConvNetwork):
        yield from (("a convolution", LayerSite("hidden", 0, True, width)) for width in network.filters)
    sizes = network.sizes if isinstance(network, DenseNetwork) else network.hidden
    yield from (("a layer", LayerSite("hidden", 0, False, width)) for width in sizes)


def _moving(one: Draft) -> BatchNorm | None:
    """The batch normalization whose moving statistics are used in the end."""
    layer = one.normalization
    return layer if isinstance(layer, BatchNorm) and layer.final_statistics == "moving" else None


@notice
def averaged_statistics(one: Draft) -> Iterator[Finding]:
    if one.optimizer.use_ema and _moving(one):
        text = (
            "optimizer.use_ema: batch norm's moving statistics are not of the averaged weights; "
            "normalization.final_statistics=full_pass measures them again at the end"
        )
        yield Finding("optimizer.use_ema", text)


@advice(
    "good first weights keep gradients in bounds at the start, and not later in so deep a net",
    "normalization=batch_norm",
    NoNormalization,
)
def deep_normalization(one: Draft) -> Places:
    unsteady = is_plain_and_deep(one, UNSTEADY_RESIDUAL if one.network.residual else UNSTEADY)
    return ("normalization", "network") if unsteady and not self_normalises(one) else FOLLOWED


@advice(
    "the moving statistics are of so few images that they are noise; small batches need more 9s",
    "normalization.final_statistics=full_pass",
    BatchNorm,
)
def batch_norm_window(one: Draft) -> Places:
    layer = _moving(one)
    short = layer and one.training.batch_size / (1 - layer.momentum) < SMALLEST_WINDOW
    return ("normalization.momentum", "training.batch_size") if short else FOLLOWED


@advice(
    "the training ends before the moving statistics have forgotten their first values, so predictions use wrong ones",
    "normalization.final_statistics=full_pass",
    BatchNorm,
)
def batch_norm_steps(one: Draft) -> Places:
    layer, steps = _moving(one), training_steps(one)
    # after n steps a share momentum^n of the first values is left: 5% at three windows
    short = layer and steps is not None and steps * (1 - layer.momentum) < 3
    return ("normalization.momentum", "training.epochs") if short else FOLLOWED

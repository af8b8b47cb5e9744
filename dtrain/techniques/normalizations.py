"""Normalizations of the hidden layers and of the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dtrain.techniques.technique import BARE_NAME, FAMILY, LayerSite, Positive, Technique

if TYPE_CHECKING:
    import keras


class NormalizationTechnique(Technique):
    """What rescales the signal between layers."""

    position: Literal["after", "before"] = Field(
        default="after", description="after the activation, or before it (the layer's bias is then dropped)"
    )
    inputs: bool = Field(default=False, description="also normalise the inputs, instead of standardising them")

    def build(self, site: LayerSite) -> keras.layers.Layer | None:
        """Returns the layer that stands at `site`, or None where nothing stands."""
        raise AssertionError("every kind of normalization builds its own layer")


class NoNormalization(Technique):
    """No normalization: right for shallow nets and for self-normalising ones."""

    kind: Literal["none"] = "none"


class BatchNorm(NormalizationTechnique):
    """Normalises each unit over the batch, then scales and shifts it (Ioffe & Szegedy 2015): pays in deep nets."""

    kind: Literal["batch_norm"] = "batch_norm"
    momentum: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="of the moving statistics; more 9s for larger data and smaller batches",
    )
    epsilon: Positive = 1e-3
    final_statistics: Literal["moving", "full_pass"] = Field(
        default="moving", description="moving averages, or one pass over the training set at the end"
    )

    def build(self, site: LayerSite) -> keras.layers.Layer:
        """Returns Keras's BatchNormalization over the last axis: a statistic per unit or channel."""
        import keras

        return keras.layers.BatchNormalization(momentum=self.momentum, epsilon=self.epsilon, name=site.name)


Normalization = Annotated[NoNormalization | BatchNorm, FAMILY, BARE_NAME]

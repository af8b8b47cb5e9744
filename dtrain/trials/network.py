"""What a trial trains: a network of the experiment's own, or one that is grafted on a base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dtrain.experiment.spec import Experiment
from dtrain.ground.reading import Array

if TYPE_CHECKING:
    import keras

    from dtrain.reuse.grafting import Graft


@dataclass(frozen=True)
class OwnNetwork:
    """The network that the experiment describes, every layer of which is new; else it is as a `Graft`.

    Args:
        experiment: The experiment.
        image_shape: Height, width and, for colour, channels.
        classes: Classes to tell apart.
    """

    experiment: Experiment
    image_shape: tuple[int, ...]
    classes: int
    base_digest: str = ""

    def build(self, seed: int) -> keras.Model:
        """Returns the network with the first weights of a seed; with those of another it computes the same."""
        from dtrain.engine.model import build_model

        return build_model(self.experiment, self.image_shape, self.classes, seed)

    def first_weights(self, seed: int) -> list[Array]:
        """Returns the weights that a training with that seed begins with."""
        return list(self.build(seed).get_weights())

    def freeze(self, model: keras.Model, unfrozen: int) -> None:
        """Leaves the model as it is: there is nothing to freeze."""


if TYPE_CHECKING:
    Network = OwnNetwork | Graft

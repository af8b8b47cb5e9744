"""What every technique shares: strict immutable fields, a kind, and a bare name that stands for the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dtrain.ground.printable import KeyPath

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Size = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A mapping of the experiment file: strict types, finite numbers, no unknown keys, immutable."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Technique(Section):
    """One member of a family; the field `kind` tells which."""

    def settings(self) -> dict[str, Any]:
        """Returns the fields without `kind`, as keyword arguments for the Keras class of the same name."""
        return self.model_dump(exclude={"kind"})


class Contradiction(ValueError):
    """Fields that are right one by one and wrong together.

    Args:
        path: The field to blame, relative to the section that raises.
        message: What was received and what was expected.
        hint: The fix.
    """

    def __init__(self, path: KeyPath, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.path, self.message, self.hint = path, message, hint


@dataclass(frozen=True)
class LayerSite:
    """Where in the network a layer stands.

    Args:
        name: The layer's name, unique in the network.
        noise_index: The number of the site; it separates the noise of one layer from another's.
        convolutional: Whether the layer acts on images [batch, height, width, channels], not on vectors.
        width: Units, or channels, of the signal there; 0 where no technique asks.
    """

    name: str
    noise_index: int
    convolutional: bool = False
    width: int = 0


def _name_to_mapping(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


BARE_NAME = BeforeValidator(_name_to_mapping)
FAMILY = Field(discriminator="kind")

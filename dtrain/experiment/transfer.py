"""The `transfer` section: which layers of a base are kept, and the stages in which they are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dtrain.experiment.techniques.technique import Contradiction, Positive, Section, Size

Count = Annotated[int, Field(ge=0)]
Arm = Literal["transfer", "scratch", "random"]
LOWER = 0.1
"""Of the optimizer's rate, where layers that know something already are trained: large steps would undo it."""


@dataclass(frozen=True)
class Stage:
    """Some epochs in which the same layers are trained at one rate.

    Args:
        name: What to call it.
        unfrozen: Hidden layers of the base that are trained, counted from the output down; new layers always are.
        epochs: How many.
        learning_rate: The optimizer's rate; a schedule begins anew from it.
    """

    name: str
    unfrozen: int
    epochs: int
    learning_rate: float


class Transfer(Section):
    """Layers of a trained model that `dtrain transfer` reuses, with a new output, and how they are trained.

    `network` has no part in it: the base brings its own.
    """

    reuse: Annotated[int, Field(gt=0)] | Annotated[str, Field(min_length=1)] = Field(
        default="all",
        description="hidden layers of the base to keep: all, how many from the images on, or the name of the last",
    )
    hidden: Annotated[tuple[Size, ...], Field(strict=False)] = Field(
        default=(), description="units of new dense layers on top of them, in the place of what is dropped"
    )
    frozen_epochs: Count = Field(default=4, description="epochs in which new layers alone are trained")
    frozen_learning_rate: Positive | None = Field(
        default=None, description="the rate of these epochs; the optimizer's own if left out"
    )
    unfreeze: Literal["all", "gradual"] | Annotated[int, Field(gt=0)] = Field(
        default="all",
        description="reused layers that are trained afterwards: all, how many from the top, or one more in each stage",
    )
    unfrozen_epochs: Count = Field(default=16, description="epochs after them, over all stages")
    unfrozen_learning_rate: Positive | None = Field(
        default=None, description="the rate of these epochs; a tenth of the optimizer's own if left out"
    )

    @model_validator(mode="after")
    def _something_is_trained(self) -> Self:
        if not self.epochs:
            message = "got 0 beside frozen_epochs: 0, which trains nothing; expected an epoch or more in one of the two"
            raise Contradiction(("unfrozen_epochs",), message)
        return self

    @property
    def epochs(self) -> int:
        """Epochs of all stages together."""
        return self.frozen_epochs + self.unfrozen_epochs

    def with_rates(self, learning_rate: float) -> Self:
        """Returns the section with nothing left to choose.

        Args:
            learning_rate: The optimizer's own.
        """
        frozen = self.frozen_learning_rate or learning_rate
        unfrozen = self.unfrozen_learning_rate or learning_rate * LOWER
        return self.model_copy(update={"frozen_learning_rate": frozen, "unfrozen_learning_rate": unfrozen})

    def stages(self, reused: int, learning_rate: float) -> tuple[Stage, ...]:
        """Returns the stages in their order.

        Args:
            reused: Hidden layers of the base that are kept, at least as many as `unfreeze` asks for.
            learning_rate: The optimizer's own.
        """
        rates = self.with_rates(learning_rate)
        assert rates.frozen_learning_rate and rates.unfrozen_learning_rate
        first = Stage("frozen", 0, self.frozen_epochs, rates.frozen_learning_rate)
        unfrozen = self._unfrozen(reused, rates.unfrozen_learning_rate)
        return tuple(stage for stage in (first, *unfrozen) if stage.epochs)

    def _unfrozen(self, reused: int, rate: float) -> list[Stage]:
        if self.unfreeze != "gradual":
            top = reused if self.unfreeze == "all" else self.unfreeze
            return [Stage(_name(top, reused), top, self.unfrozen_epochs, rate)]
        # where there are fewer epochs than layers, some stages unfreeze several; what does not divide goes to the last
        count = min(reused, self.unfrozen_epochs)
        each, rest = divmod(self.unfrozen_epochs, count) if count else (0, 0)
        tops = [-(-reused * number // count) for number in range(1, count + 1)]
        return [Stage(_name(top, reused), top, each + rest * (top == reused), rate) for top in tops]


def _name(top: int, reused: int) -> str:
    return "unfrozen" if top == reused else f"top {top} unfrozen"

"""One experiment: a draft whose parts fit together, whether a file or Python makes it."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.findings import findings
from dtrain.experiment.fit.rule import Contradictions


class Experiment(Draft):
    """One experiment: data, network, techniques, training and seed."""

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if found := findings("error", self):
            raise Contradictions(found)
        return self

    def notices(self) -> tuple[str, ...]:
        """Returns what a user should know about the combination, beside any error."""
        return tuple(each.message for each in findings("notice", self))

"""A suggested rate stands where training really takes it from, in the experiment and in the line to paste."""

from __future__ import annotations

from typing import Any

import pytest

from dtrain.experiment.config.learning_rate import rate_line, with_rate
from dtrain.experiment.config.loading import parse_experiment
from dtrain.experiment.spec import Experiment

NESTEROV = {"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True}


@pytest.mark.parametrize(
    "written, line",
    [
        ({"schedule": "one_cycle"}, "schedule: {kind: one_cycle, maximum: 0.5}"),
        (
            {"schedule": {"kind": "one_cycle", "maximum": 3.0, "form": "cosine"}},
            "schedule: {kind: one_cycle, form: cosine, maximum: 0.5}",
        ),
        (
            {"schedule": {"kind": "piecewise", "boundaries": [1], "values": [4.0, 2.0]}},
            "schedule: {kind: piecewise, boundaries: [1], values: [0.5, 0.25]}",
        ),
        (
            {"schedule": "power", "optimizer": NESTEROV},
            "optimizer: {kind: sgd, learning_rate: 0.5, momentum: 0.9, nesterov: true}",
        ),
        ({"schedule": "performance", "optimizer": "adam"}, "optimizer: {kind: adam, learning_rate: 0.5}"),
    ],
)
def test_the_line_pasted_into_the_file_gives_the_same_experiment(written: dict[str, Any], line: str) -> None:
    better = with_rate(Experiment.model_validate(written), 0.5)
    assert rate_line(better) == line
    rest = (
        ""
        if line.startswith("optimizer")
        else "optimizer: {kind: sgd, learning_rate: 0.02, momentum: 0.9, nesterov: true}"
    )
    schedule = f"schedule: {written['schedule']}" if line.startswith("optimizer") else ""
    assert parse_experiment("\n".join([line, rest, schedule]), "pasted") == better


def test_the_default_rate_is_written_too() -> None:
    better = with_rate(Experiment.model_validate({"schedule": "constant", "optimizer": "adam"}), 0.001)
    assert rate_line(better) == "optimizer: {kind: adam, learning_rate: 0.001}"

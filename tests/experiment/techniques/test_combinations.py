"""What techniques do not fit together, where it is to blame, and what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.technique import Contradictions

CONVOLUTIONS = {"filters": [8, 16], "hidden": [12]}
FIXUP = {"depth": 4, "width": 10, "residual": True, "fixup": True}


@pytest.mark.parametrize(
    ("written", "path", "message", "hint"),
    [
        (
            {"regularizer": "orthogonal", "network": CONVOLUTIONS},
            ("regularizer", 0),
            "got 'orthogonal' with convolutions; expected a dense network",
            "write l2",
        ),
        (
            {"regularizer": ["l2", "spatial_dropout"]},
            ("regularizer", 1),
            "got 'spatial_dropout' without convolutions",
            "write dropout",
        ),
        (
            {"regularizer": ["unit_norm", "max_norm"]},
            ("regularizer", 1),
            "got 'max_norm' as a second constraint; expected at most one",
            "keep one",
        ),
        (
            {"initializer": "identity", "network": CONVOLUTIONS},
            ("initializer",),
            "got 'identity' with convolutions; expected a dense network",
            "write orthogonal",
        ),
        (
            {"normalization": {"kind": "group_norm", "groups": 7}},
            ("normalization", "groups"),
            "got 7 with a layer of 300 units; expected 6 or 10",
            "leave groups out",
        ),
        (
            {"normalization": {"kind": "group_norm", "groups": 8}, "network": {"filters": [8, 12]}},
            ("normalization", "groups"),
            "got 8 with a convolution of 12 channels; expected 6 or 12",
            "leave groups out",
        ),
        (
            {"normalization": {"kind": "group_norm", "groups": 25, "inputs": True}, "network": [100]},
            ("normalization", "groups"),
            "got 25 with inputs of 784 units; expected 16 or 28",
            "leave groups out",
        ),
        (
            {"normalization": {"kind": "batch_norm", "inputs": True, "axis": 3}},
            ("normalization", "axis"),
            "got 3 with inputs of 28 x 28; expected 1, 2 or [1, 2]",
            "axis 0 is the batch",
        ),
        (
            {"normalization": {"kind": "batch_norm", "inputs": True, "axis": [1, 3]}, "network": CONVOLUTIONS},
            ("normalization", "axis"),
            "got [1, 3] with inputs of 28 x 28 x 1; expected 1, 2, 3, [1, 2], [2, 3] or [1, 2, 3]",
            "axis 0 is the batch",
        ),
        (
            {"normalization": "batch_norm", "network": FIXUP},
            ("normalization",),
            "got 'batch_norm' with network.fixup; expected 'none'",
            "leave fixup out",
        ),
        (
            {"schedule": {"kind": "cosine", "warmup": 5}, "training": {"epochs": 5}},
            ("schedule", "warmup"),
            "got 5 epochs with training.epochs 5; expected less",
            "",
        ),
        (
            {"schedule": {"kind": "piecewise", "warmup": 5}},
            ("schedule", "boundaries"),
            "got [5, 15] with training.epochs 20 and warmup 5; expected epochs below 15",
            "",
        ),
        (
            {"schedule": {"kind": "polynomial", "end_learning_rate": 0.1}},
            ("schedule", "end_learning_rate"),
            "got 0.1; expected at most optimizer.learning_rate (0.02)",
            "",
        ),
    ],
)
def test_contradictions(written: dict[str, Any], path: tuple[str | int, ...], message: str, hint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Experiment.model_validate(written)
    found = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(found, Contradictions)
    (one,) = found.found
    assert (one.path, one.message[: len(message)]) == (path, message)
    assert hint in one.hint


@pytest.mark.parametrize(
    ("written", "notice"),
    [
        ({"optimizer": "muon", "network": CONVOLUTIONS, "schedule": "cosine"}, "its Adam trains the convolutions"),
        ({"optimizer": {"kind": "sgd", "use_ema": True, "momentum": 0.9}, "normalization": "batch_norm"}, "full_pass"),
    ],
)
def test_notices(written: dict[str, Any], notice: str) -> None:
    (said,) = Experiment.model_validate(written).notices()
    assert notice in said


def test_fixup_takes_the_place_of_the_default_tables_normalization() -> None:
    deep = {"depth": 20, "width": 10, "residual": True}
    assert Experiment.model_validate({"network": deep}).normalization.kind == "batch_norm"
    assert Experiment.model_validate({"network": deep | {"fixup": True}}).normalization.kind == "none"
    assert Experiment.model_validate({"network": {"filters": [8] * 6}}).normalization.kind == "batch_norm"

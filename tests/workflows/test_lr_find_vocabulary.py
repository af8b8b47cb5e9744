"""`lr-find` on every kind of every family, as the unions have them: a new kind is tested by being there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.activations import Activation
from dtrain.experiment.techniques.networks import Network
from dtrain.experiment.techniques.normalizations import Normalization
from dtrain.experiment.techniques.optimizers import Optimizer
from dtrain.experiment.techniques.regularizers import Regularizer
from dtrain.rates.search_range import RateRange
from dtrain.trials.request import RunOptions
from dtrain.workflows.lr_find import lr_find
from tests.workflows.test_run import Listener

FAMILIES = {
    "optimizer": Optimizer,
    "activation": Activation,
    "normalization": Normalization,
    "regularizer": Regularizer,
    "network": Network,
}
CONVOLUTIONS: dict[str, Any] = {"kind": "conv", "filters": [4], "hidden": [16]}
NETWORKS: dict[str, Any] = {"dense": {"hidden": [16]}, "conv": CONVOLUTIONS}
NEEDS: dict[str, Any] = {"spatial_dropout": {"network": CONVOLUTIONS}}
"""What must stand beside a kind that cannot stand alone."""
CHEAP = {"adam", "conv", "max_norm", "batch_norm", "ftrl"}


def kinds(family: Any) -> list[str]:
    """The names that the members of a union go by."""
    members: tuple[type[BaseModel], ...] = get_args(get_args(family)[0])
    return [get_args(member.model_fields["kind"].annotation)[0] for member in members]


def every_kind() -> list[Any]:
    """One experiment for each kind of each family; all but a few of them are slow."""
    return [
        pytest.param(family, kind, marks=() if kind in CHEAP else pytest.mark.slow)
        for family, union in FAMILIES.items()
        for kind in kinds(union)
    ]


@pytest.mark.parametrize("family, kind", every_kind())
def test_every_kind_of_technique(family: str, kind: str, tmp_path: Path) -> None:
    plain = {"dataset": {"train_limit": 1000}, "network": [16], "training": {"engine": "graph"}, "regularizer": []}
    written = {"kind": kind} | (NETWORKS.get(kind, {}) if family == "network" else {})
    try:
        experiment = Experiment.model_validate(plain | NEEDS.get(kind, {}) | {family: written})
    except ValidationError as problem:
        pytest.fail(f"{kind} needs more than its name: {problem}")
    report = lr_find(experiment, RateRange(1e-5, iterations=200, seeds=2), RunOptions(tmp_path), Listener())
    assert report.suggestion is not None, report.reason
    assert (report.folder / "lr_find.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {"network": {"depth": 4, "width": 16, "residual": True}},
        {"network": {"depth": 4, "width": 16, "residual": True, "fixup": True}, "normalization": "none"},
        {"network": {"filters": [4, 4], "hidden": [16], "residual": True}},
        {"optimizer": {"kind": "sgd", "use_ema": True, "ema_overwrite_frequency": 20}},
        {"optimizer": {"kind": "nadam", "weight_decay": 0.004, "global_clipnorm": 1.0}},
        {"schedule": {"kind": "cosine", "warmup": 1}},
        {"initializer": "orthogonal"},
    ],
)
def test_combinations_that_are_no_kind_of_their_own(more: dict[str, Any], tmp_path: Path) -> None:
    plain = {"dataset": {"train_limit": 2000}, "network": [16], "training": {"engine": "graph"}, "regularizer": []}
    report = lr_find(Experiment.model_validate(plain | more), RateRange(seeds=2), RunOptions(tmp_path), Listener())
    assert report.suggestion is not None

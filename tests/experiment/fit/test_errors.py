"""What techniques do not fit together, where it is to blame, and what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dtrain.experiment.draft import Draft
from dtrain.experiment.fit.findings import RULES, check_data, findings
from dtrain.experiment.fit.rule import Contradictions, Facts, Finding
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError
from dtrain.ground.printable import dotted

CONVOLUTIONS = {"filters": [8, 16], "hidden": [12]}
FIXUP = {"depth": 4, "width": 10, "residual": True, "fixup": True}


ERRORS: list[tuple[dict[str, Any], tuple[str | int, ...], str, str]] = [
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
    (
        {"regularizer": {"kind": "dropout", "rate": [0.1, 0.2]}},
        ("regularizer", 0, "rate"),
        "got 2 rates; expected 3: the inputs' and one for each of 2 hidden layers",
        "",
    ),
    (
        {"dataset": {"name": "mnist", "validation": 60_000}},
        ("dataset", "validation"),
        "got 60000; expected fewer than the 60,000 training images of mnist",
        "",
    ),
    (
        {"training": {"batch_size": 9001}},
        ("training", "batch_size"),
        "got 9001; expected at most 9000, the number of training images",
        "",
    ),
    (
        {"network": {"hidden": [5], "output": "sigmoid"}},
        ("network", "output"),
        "got 'sigmoid' with 10 classes; expected 'softmax' or 'auto', or two classes",
        "",
    ),
    ({"network": [20_000, 20_000]}, ("network",), "got about 415,920,010 parameters, 6.7 GB in training", "fewer"),
]
NOTICES: list[tuple[dict[str, Any], str]] = [
    ({"optimizer": "adam"}, "schedule one_cycle: adam has no momentum to cycle here"),
    ({"optimizer": "muon", "network": CONVOLUTIONS, "schedule": "cosine"}, "its Adam trains the convolutions"),
    ({"optimizer": {"kind": "sgd", "use_ema": True, "momentum": 0.9}, "normalization": "batch_norm"}, "full_pass"),
]


def errors_of(written: dict[str, Any]) -> tuple[Finding, ...]:
    with pytest.raises(ValidationError) as caught:
        Experiment.model_validate(written)
    error = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(error, Contradictions)
    return error.found


@pytest.mark.parametrize(("written", "path", "message", "hint"), ERRORS)
def test_errors(written: dict[str, Any], path: tuple[str | int, ...], message: str, hint: str) -> None:
    (one,) = errors_of(written)
    assert (one.place, one.message[: len(message)]) == (dotted(path), message)
    assert hint in one.hint


def test_every_error_and_notice_has_an_experiment() -> None:
    errors = {one.rule for written, *_ in ERRORS for one in errors_of(written)}
    notices = {one.rule for written, _ in NOTICES for one in findings("notice", Experiment.model_validate(written))}
    assert errors == {rule.name for rule in RULES if rule.severity == "error"}
    assert notices == {rule.name for rule in RULES if rule.severity == "notice"}
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_nothing_is_found_that_follows_from_a_section_that_is_wrong_in_itself() -> None:
    draft = Draft.model_validate({"schedule": {"kind": "cosine", "warmup": 30}, "training": {"batch_size": 9001}})
    assert {one.rule for one in findings("error", draft)} == {"warmup", "batch_size"}
    assert {one.rule for one in findings("error", draft, {"dataset"})} == {"warmup"}
    assert {one.rule for one in findings("error", draft, {"schedule"})} == {"batch_size"}
    assert findings("error", draft, {"training"}) == ()


def test_images_that_were_read_are_judged_as_known_ones_are() -> None:
    own = Experiment.model_validate({"dataset": "./mine", "network": {"hidden": [5], "output": "sigmoid"}})
    check_data(own, Facts(images=32, image_shape=(8, 8), classes=2))
    with pytest.raises(ConfigError) as caught:
        check_data(own, Facts(images=31, image_shape=(8, 8), classes=3))
    assert [one.where for one in caught.value.problems] == ["training.batch_size", "network.output"]


@pytest.mark.parametrize(("written", "notice"), NOTICES)
def test_notices(written: dict[str, Any], notice: str) -> None:
    (said,) = Experiment.model_validate(written).notices()
    assert notice in said


def test_fixup_takes_the_place_of_the_default_tables_normalization() -> None:
    deep = {"depth": 20, "width": 10, "residual": True}
    assert Experiment.model_validate({"network": deep}).normalization.kind == "batch_norm"
    assert Experiment.model_validate({"network": deep | {"fixup": True}}).normalization.kind == "none"
    assert Experiment.model_validate({"network": {"filters": [8] * 6}}).normalization.kind == "batch_norm"

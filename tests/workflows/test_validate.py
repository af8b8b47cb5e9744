"""`validate`: an experiment that is right, its sizes and what to know about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.experiment.config.loading import parse_experiment
from dtrain.ground.errors import ConfigError
from dtrain.workflows.validate import validate


def test_the_default_experiment() -> None:
    report = validate(None)
    assert report.source == "the default experiment"
    assert report.parameters == (784 + 1) * 300 + (300 + 1) * 100 + (100 + 1) * 10
    assert report.steps_per_epoch == -(-9000 // 32)
    assert report.notices == ()


def test_the_resolved_text_stands_for_the_same_experiment(tmp_path: Path) -> None:
    file = tmp_path / "selu.yaml"
    file.write_text("activation: selu\nnetwork: {depth: 20, width: 100}\n")
    report = validate(file, ["training.batch_size=100"])
    assert report.source == str(file)
    assert report.experiment.training.batch_size == 100
    assert parse_experiment(report.resolved, "resolved") == report.experiment


@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        (["dataset.train_limit=100"], 4),
        (["dataset=mnist"], 55_000 // 32 + 1),
        (["dataset.validation=9000", "training.batch_size=500"], 2),
    ],
)
def test_steps_of_an_epoch(overrides: list[str], steps: int) -> None:
    assert validate(None, overrides).steps_per_epoch == steps


def test_images_of_ones_own_are_not_read() -> None:
    report = validate(None, ["dataset=./not-here.npz"])
    assert (report.parameters, report.steps_per_epoch) == (None, None)


def test_what_to_know_about_the_combination() -> None:
    (notice,) = validate(None, ["optimizer=adam"]).notices
    assert "no momentum to cycle" in notice


def test_what_is_wrong_is_an_error() -> None:
    with pytest.raises(ConfigError, match="training"):
        validate(None, ["training.epochs=0"])

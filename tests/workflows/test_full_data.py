"""The default experiment on the full data sets reaches what the lesson's default table promises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dtrain.experiment.config.loading import load_experiment
from dtrain.trials.request import RunOptions
from dtrain.workflows.run import run
from tests.workflows.test_run import Listener

pytestmark = pytest.mark.slow

NEEDS_FULL_DATA = pytest.mark.skipif("DTRAIN_DATA_DIR" not in os.environ, reason="DTRAIN_DATA_DIR is not set")


@NEEDS_FULL_DATA
@pytest.mark.parametrize(("dataset", "accuracy"), [("fashion_mnist", 0.885), ("mnist", 0.98)])
def test_the_default_experiment_is_good_on_full_data(dataset: str, accuracy: float, tmp_path: Path) -> None:
    options = RunOptions(tmp_path, data_dir=Path(os.environ["DTRAIN_DATA_DIR"]))
    result = run(load_experiment(None, [f"dataset={dataset}"]), options, Listener())
    assert result.epochs <= 20
    assert result.test.accuracy >= accuracy

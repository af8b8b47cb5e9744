"""The lesson's table says what was measured: every row, over six seeds."""

from __future__ import annotations

import json

import pytest

from dtrain.experiment.config.loading import load_experiment
from tests.benchmarks.lesson import MEASURED, SEEDS, TABLE, table_of
from tests.benchmarks.lesson_rows import COMMON, ROWS, Row

ACCURACIES = json.loads(MEASURED.read_text())


def test_the_table_is_that_of_the_rows_and_what_was_measured() -> None:
    assert TABLE.read_text() == table_of(ACCURACIES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_an_experiment_measured_over_all_seeds(row: Row) -> None:
    load_experiment(None, [*COMMON, *row.changes])
    assert len(ACCURACIES[row.name]["test"]) == SEEDS

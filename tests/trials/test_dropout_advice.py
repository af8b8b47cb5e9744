"""More or less dropout is advised where a training shows it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.display.results import describe_run
from dtrain.experiment.config.loading import dump_experiment, load_experiment, parse_experiment
from dtrain.experiment.config.stories import stories
from dtrain.experiment.fit.findings import findings
from dtrain.runs.results import SplitResult
from dtrain.statistics.intervals import wilson_interval
from dtrain.trials.dropout_advice import dropout_advice
from dtrain.trials.request import RunOptions
from dtrain.workflows.run import run
from dtrain.workflows.show import RunReport, show
from tests.display.test_results import text
from tests.workflows.test_run import Listener


def split(accuracy: float, images: int) -> SplitResult:
    right = round(accuracy * images)
    return SplitResult(0.3, right / images, wilson_interval(right, images), images)


def advised(train: float, validation: float, *written: str) -> str:
    """The change advised after a training on the sample."""
    found = dropout_advice(load_experiment(None, written), split(train, 9000), split(validation, 1000))
    return f"{found.rule}: {found.hint}" if found else ""


@pytest.mark.parametrize(
    ("written", "change"),
    [
        (["regularizer=[]"], "regularizer.0={kind: dropout, rate: 0.3, layers: last}"),
        (["regularizer=l2"], "regularizer.1={kind: dropout, rate: 0.3, layers: last}"),
        (["activation=selu", "regularizer=[]"], "regularizer.0={kind: alpha_dropout, rate: 0.3, layers: last}"),
        (["regularizer=[l2, {kind: dropout, rate: 0.2}]"], "regularizer.1.rate=0.35"),
        (["regularizer={kind: gaussian_dropout, rate: [0, 0.2, 0.4]}"], "regularizer.0.rate=[0.0, 0.35, 0.45]"),
    ],
)
def test_what_was_learnt_by_heart_wants_more_dropout(written: list[str], change: str) -> None:
    assert advised(1.0, 0.85, *written) == f"overfitting: {change}"
    before = load_experiment(None, written)
    after = parse_experiment(dump_experiment(before), "config.yaml", [change])
    assert advised(1.0, 0.85, *written, change) != "" and after != before
    assert len(findings("advice", after)) <= len(findings("advice", before))


@pytest.mark.parametrize(
    ("written", "change"),
    [
        (["regularizer={kind: dropout, rate: 0.5}"], "regularizer.0.rate=0.25"),
        (["regularizer=[l2, {kind: alpha_dropout, rate: 0.3, layers: last}]"], "regularizer.1.rate=0.15"),
        (["regularizer={kind: dropout, rate: [0, 0.2, 0.4]}"], "regularizer.0.rate=[0.0, 0.1, 0.2]"),
    ],
)
def test_what_the_training_images_are_not_learnt_by_wants_less(written: list[str], change: str) -> None:
    assert advised(0.80, 0.80, *written) == f"underfitting: {change}"


@pytest.mark.parametrize(
    ("train", "validation", "written"),
    [
        (1.0, 0.80, ["regularizer={kind: dropout, rate: 0.5}"]),
        (1.0, 0.80, ["network=[]"]),
        (1.0, 0.80, ["training.epochs=4"]),
        (0.80, 0.80, ["training.epochs=4", "regularizer={kind: dropout, rate: 0.5}"]),
        (0.80, 0.80, ["regularizer={kind: dropout, rate: 0.2}"]),
        (0.80, 0.80, []),
        (0.98, 0.99, ["regularizer={kind: dropout, rate: 0.5}"]),
    ],
    ids=str,
)
def test_where_dropout_is_no_cure_none_is_advised(train: float, validation: float, written: list[str]) -> None:
    assert advised(train, validation, *written) == ""


@pytest.mark.parametrize(
    ("name", "train", "validation"),
    [
        ("quickstart", 0.954, 0.875),
        ("default_table", 0.9793, 0.876),
        ("batch_norm_before", 0.9597, 0.87),
        ("performance_scheduling", 0.949, 0.868),
        ("alpha_dropout", 0.8667, 0.858),
        ("convolutions", 0.938, 0.9),
        ("self_normalising_table", 0.8632, 0.841),
        ("transfer_conv_a", 0.9631, 0.9489),
        ("hundred_layers_relu", 0.3644, 0.379),
    ],
)
def test_stories_are_left_as_they_are(name: str, train: float, validation: float) -> None:
    """With one of their seeds, that which comes nearest to either."""
    experiment = load_experiment(stories()[name])
    assert dropout_advice(experiment, split(train, 9000), split(validation, 1000)) is None


def test_a_training_that_overfits_ends_with_the_advice_and_shows_it_again(tmp_path: Path) -> None:
    few = ["dataset.train_limit=200", "network=[50]", "regularizer=[]", "schedule=constant", "training.epochs=15"]
    adam = ["optimizer={kind: adam, learning_rate: 0.01}", "training.early_stopping=null"]
    experiment = load_experiment(None, [*few, *adam, "training.engine=graph", "training.save=[]"])
    result = run(experiment, RunOptions(tmp_path, name="few"), Listener())
    change = "'regularizer.0={kind: dropout, rate: 0.3, layers: last}'"
    command = f"next: dtrain run {tmp_path / 'few' / 'config.yaml'} {change}  # overfitting: "
    assert command in text(describe_run(result), 400)
    report = show(tmp_path, "few")
    assert isinstance(report, RunReport) and report.result == result

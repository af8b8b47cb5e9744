"""Following a repair puts right what raised it, raises no other finding, and never costs accuracy beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import pytest

from dtrain.experiment.config.loading import parse_experiment
from dtrain.experiment.fit.findings import findings
from dtrain.experiment.fit.rule import Finding
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError, DivergedError
from dtrain.studies.rate_search import validation_accuracy
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.trials.trial import prepare_trial
from dtrain.trials.workshop import Workshop
from tests.experiment.fit.test_findings import ALIKE, BROKEN_AND_FOLLOWED

SEEDS = 3
CHANCE = 0.025
"""Two standard errors of a difference of two means over three seeds that deviate by 0.015."""
GUESSED = 0.1
"""What a training that diverged is worth."""
BRIEF = ("dataset.train_limit=1000", "training.epochs=10", "training.engine=graph")
"""Of experiments that do not say it themselves."""
BROKEN = [(rule, broken) for rule, (broken, _) in BROKEN_AND_FOLLOWED.items()]
AROUND = (
    "network={kind: conv, filters: [8, 8]}",
    "network={depth: 30, width: 10}",
    "network={depth: 30, width: 10, residual: true}",
    "network={depth: 30, width: 10, residual: true, fixup: true}",
    "normalization=none",
    "normalization=layer_norm",
    "activation=relu",
    "activation=sigmoid",
    "activation=selu",
    "optimizer={kind: sgd, learning_rate: 3, momentum: 0.9}",
    "optimizer={kind: lion, learning_rate: 3}",
    "schedule=performance",
    "schedule={kind: piecewise, boundaries: [2], values: [3, 0.1]}",
    "schedule={kind: one_cycle, maximum: 3}",
    "regularizer=[{kind: l1, factor: 0.5}, {kind: spatial_dropout, rate: 0.7, layers: last}]",
    "training.epochs=1",
)
"""What an experiment may say besides; where it does not go with it, is another one, or raises nothing any more."""


def found(text: str, *overrides: str) -> dict[str, Finding]:
    return {one.rule: one for one in findings("advice", parse_experiment(f"{{{text}}}", "exp.yaml", overrides))}


@pytest.mark.parametrize(("rule", "broken"), [*BROKEN, *(alike[:2] for alike in ALIKE)])
def test_a_repair_puts_its_finding_right_and_raises_no_other(rule: str, broken: str) -> None:
    before = found(broken)
    after = found(broken, *before[rule].repair)
    assert after.keys() <= before.keys() - {rule}


@pytest.mark.parametrize("around", AROUND)
def test_a_repair_goes_with_what_is_around_it(around: str) -> None:
    for rule, broken in BROKEN:
        try:
            before = found(broken, around)
        except ConfigError:
            continue
        assert rule not in before or rule not in found(broken, around, *before[rule].repair), rule


@pytest.fixture(scope="module")
def workshop() -> Workshop:
    return Workshop(RunOptions(Path("runs")), RunObserver())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::dtrain.ground.errors.DtrainWarning")
@pytest.mark.parametrize(("rule", "broken"), BROKEN)
def test_following_a_repair_costs_no_accuracy_beyond_chance(rule: str, broken: str, workshop: Workshop) -> None:
    brief = [one for one in BRIEF if one.split("=")[0].split(".")[-1] not in broken]
    repair = found(broken, *brief)[rule].repair
    before, after = (accuracies(broken, [*brief, *overrides], workshop) for overrides in ((), repair))
    assert mean(after) > mean(before) - CHANCE


def accuracies(text: str, overrides: Sequence[str], workshop: Workshop) -> list[float]:
    experiment = parse_experiment(f"{{{text}}}", "exp.yaml", overrides)
    return [accuracy(experiment.model_copy(update={"seed": seed}), workshop) for seed in range(SEEDS)]


def accuracy(experiment: Experiment, workshop: Workshop) -> float:
    try:
        return validation_accuracy(prepare_trial(experiment, workshop), workshop)
    except DivergedError:
        return GUESSED

"""The linter: a rule speaks up where it is broken, is silent next to it, and leaves the lesson's own tables alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.experiment.config.catalogue import catalogue
from dtrain.experiment.config.loading import load_advised, parse_experiment
from dtrain.experiment.config.schema import families
from dtrain.experiment.fit.findings import RULES, findings
from dtrain.ground.errors import ConfigError
from tests.test_configs import CONFIGS

SELU = "activation: selu, "
DEEP = "network: {depth: 20, width: 100}, normalization: none, "
CNN = (
    "network: {kind: conv, filters: [32, 64], hidden: [512]}, activation: relu, training: {epochs: 3}, "
    "schedule: constant, "
)
TWO_HUNDRED_IMAGES = "dataset: {train_limit: 200}, "

# for each rule an experiment that does not follow it, and its nearest neighbour that does
BROKEN_AND_FOLLOWED = {
    "unscaled_inputs": ("dataset: {scaling: none}", "dataset: {scaling: none, name: ./own.npz}"),
    "selu_inputs": (SELU + "dataset: {scaling: unit}", SELU + "dataset: {scaling: standardize}"),
    "selu_initializer": (SELU + "initializer: he_normal", SELU + "initializer: {kind: variance_scaling, scale: 1}"),
    "selu_normalization": (SELU + "normalization: batch_norm", "normalization: batch_norm"),
    "selu_residual": (
        SELU + "network: {depth: 8, width: 50, residual: true}",
        "network: {depth: 8, width: 50, residual: true}",
    ),
    "selu_dropout": (SELU + "regularizer: dropout", SELU + "regularizer: alpha_dropout"),
    "selu_sparsity": (SELU + "regularizer: {kind: l1, factor: 0.0001}", SELU + "regularizer: l2"),
    "alpha_dropout": ("regularizer: alpha_dropout", "regularizer: dropout"),
    "rectifier_initializer": (
        DEEP + "activation: relu, initializer: glorot_uniform",
        "network: [300, 100], activation: relu, initializer: glorot_uniform",
    ),
    "unscaled_initializer": (
        "network: {depth: 8, width: 100}, activation: sigmoid, normalization: none, "
        "initializer: {kind: random_normal, stddev: 1}",
        "initializer: random_normal",
    ),
    "equal_weights": ("initializer: constant", "initializer: constant, network: []"),
    "vanishing": (
        "network: {depth: 5, width: 100}, normalization: none, activation: sigmoid",
        "network: {depth: 5, width: 100}, normalization: batch_norm, activation: sigmoid",
    ),
    "explosion": ("activation: exponential", "activation: exponential, normalization: batch_norm"),
    "linear_layers": ("activation: linear", "activation: linear, network: []"),
    "deep_normalization": (DEEP, DEEP + SELU),
    "batch_norm_window": (
        "normalization: {kind: batch_norm, momentum: 0.5}",
        "normalization: {kind: batch_norm, momentum: 0.5, final_statistics: full_pass}",
    ),
    "batch_norm_steps": (
        TWO_HUNDRED_IMAGES + "normalization: batch_norm",
        TWO_HUNDRED_IMAGES + "normalization: {kind: batch_norm, momentum: 0.9}",
    ),
    "dropout_rate": (
        "regularizer: {kind: dropout, rate: [0.2, 0.5, 0.6]}",
        "regularizer: {kind: dropout, rate: [0.2, 0.5, 0.5]}",
    ),
    "penalty": (
        "optimizer: {kind: sgd, learning_rate: 0.1}, schedule: constant, regularizer: {kind: l2, factor: 0.1}",
        "optimizer: {kind: sgd, learning_rate: 0.0002}, schedule: constant, regularizer: {kind: l2, factor: 0.1}",
    ),
    "clipvalue": ("optimizer: {kind: sgd, clipvalue: 1}", "optimizer: {kind: sgd, global_clipnorm: 1}"),
    "clipnorm": ("optimizer: {kind: sgd, clipnorm: 1}", "optimizer: {kind: sgd, global_clipnorm: 1}"),
    "adagrad_depth": ("network: {depth: 20, width: 100}, optimizer: adagrad", "optimizer: adagrad"),
    "adaptive_rate": (
        "optimizer: {kind: nadam, learning_rate: 0.05}",
        "optimizer: {kind: nadam, learning_rate: 0.05}, schedule: {kind: one_cycle, maximum: 0.01}",
    ),
    "slow_optimizer": ("optimizer: adadelta", "optimizer: {kind: adadelta, learning_rate: 1}"),
    "dying_relu": (
        "activation: relu, optimizer: {kind: sgd, learning_rate: 0.2, momentum: 0.9}",
        "activation: relu, optimizer: {kind: sgd, learning_rate: 0.2}",
    ),
    "convolutional_rate": (
        "network: {kind: conv}, optimizer: {kind: sgd, learning_rate: 0.5}",
        "network: {kind: conv}, optimizer: {kind: sgd, learning_rate: 0.1, momentum: 0.7}, schedule: constant",
    ),
    "low_rate": (
        "schedule: constant, optimizer: {kind: sgd, learning_rate: 0.0001}",
        "schedule: constant, optimizer: {kind: sgd, learning_rate: 0.0001, momentum: 0.9}",
    ),
    "few_steps": (
        "schedule: constant, optimizer: sgd, training: {epochs: 1}",
        "schedule: constant, optimizer: sgd, training: {epochs: 2}",
    ),
    "cut_steps": (
        "optimizer: {kind: sgd, learning_rate: 0.1, global_clipnorm: 0.001}",
        "optimizer: {kind: adam, global_clipnorm: 0.001}",
    ),
    "patience_before_end": (
        "training: {early_stopping: {patience: 4}}",
        "training: {early_stopping: {patience: 4}}, schedule: constant",
    ),
    "one_cycle_steps": (TWO_HUNDRED_IMAGES + "training: {epochs: 5}", "training: {epochs: 1}"),
    "performance_patience": (
        "schedule: {kind: performance, patience: 10}",
        "schedule: {kind: performance, patience: 9}",
    ),
    "exponential_span": (
        "schedule: {kind: exponential, decay_epochs: 200}",
        "schedule: {kind: exponential, decay_epochs: 20}",
    ),
    "no_early_stopping": (
        "training: {epochs: 100, early_stopping: null}, schedule: constant",
        "training: {epochs: 100, early_stopping: null}",
    ),
    "patience_beyond_end": (
        "training: {epochs: 5, early_stopping: {patience: 6}}, schedule: constant",
        "training: {epochs: 5}, schedule: constant",
    ),
}
# the same rule for the kinds that the lesson does not name
ALIKE = [
    ("rectifier_initializer", DEEP + "activation: gelu, initializer: glorot_uniform", DEEP + "activation: gelu"),
    ("unscaled_initializer", "initializer: {kind: random_normal, stddev: 1}", "initializer: glorot_normal"),
    (
        "unscaled_initializer",
        "initializer: {kind: truncated_normal, stddev: 0.5}",
        "initializer: {kind: truncated_normal, stddev: 0.4}",
    ),
    (
        "unscaled_initializer",
        "initializer: {kind: random_uniform, minval: -1.0, maxval: 1.0}",
        "initializer: {kind: random_uniform, minval: 0.9, maxval: 1.0}",
    ),
    (
        "vanishing",
        "network: {depth: 5, width: 9}, normalization: none, activation: hard_sigmoid",
        "network: {depth: 5, width: 9}, normalization: layer_norm, activation: hard_sigmoid",
    ),
    (
        "deep_normalization",
        "network: {depth: 8, width: 9, residual: true}, normalization: none",
        "network: {depth: 8, width: 9, residual: true, fixup: true}",
    ),
    (
        "selu_dropout",
        SELU + "network: {kind: conv}, regularizer: spatial_dropout",
        SELU + "network: {kind: conv}, regularizer: alpha_dropout",
    ),
    (
        "dropout_rate",
        "regularizer: {kind: gaussian_dropout, rate: 0.6}",
        "regularizer: {kind: gaussian_dropout, rate: 0.5}",
    ),
    (
        "unscaled_inputs",
        "dataset: {scaling: none}, normalization: layer_norm",
        "dataset: {scaling: none}, normalization: {kind: layer_norm, inputs: true}",
    ),
    ("adaptive_rate", "optimizer: {kind: lion, learning_rate: 0.003}", "optimizer: {kind: lion, learning_rate: 1e-4}"),
    ("slow_optimizer", "optimizer: ftrl", "optimizer: {kind: ftrl, learning_rate: 0.1}"),
    (
        "adagrad_depth",
        "network: {depth: 20, width: 100}, optimizer: ftrl",
        "network: {depth: 20, width: 100}, optimizer: {kind: ftrl, learning_rate_power: 0}",
    ),
    (
        "dying_relu",
        "activation: relu6, optimizer: {kind: sgd, learning_rate: 0.2, momentum: 0.9}",
        "activation: relu6, optimizer: {kind: sgd, learning_rate: 0.02, momentum: 0.9}",
    ),
    (
        "patience_before_end",
        "training: {early_stopping: {patience: 5}}, schedule: cosine",
        "training: {early_stopping: {patience: 5}}, schedule: cosine_restarts",
    ),
    (
        "patience_beyond_end",
        "training: {epochs: 5, early_stopping: {patience: 6}}, schedule: cosine_restarts",
        "training: {epochs: 5, early_stopping: {patience: 6}}, schedule: cosine",
    ),
    (
        "no_early_stopping",
        "training: {epochs: 100, early_stopping: null}, schedule: cosine_restarts",
        "training: {epochs: 100, early_stopping: null}, schedule: polynomial",
    ),
]
# what trains well: nothing is said of it
HEALTHY = [
    CNN + "optimizer: {kind: sgd, learning_rate: 0.1}",
    CNN + "optimizer: {kind: sgd, learning_rate: 0.1}, initializer: {kind: random_normal, stddev: 0.1}",
    CNN + "optimizer: adam, dataset: {scaling: none}",
    CNN + "optimizer: {kind: adadelta, learning_rate: 1}, regularizer: {kind: dropout, rate: 0.25}",
    "network: {kind: conv, filters: [6, 16], kernel_size: 5, hidden: [120, 84]}, activation: relu, schedule: constant, "
    "optimizer: {kind: adam, learning_rate: 0.001}, training: {epochs: 3}",
    "network: [], activation: linear, optimizer: adam, training: {epochs: 1}, schedule: constant",
]
# kinds that are advised against wherever they stand, or at the rate that Keras gives them
UNWISE = {
    ("initializer", "constant"),
    ("initializer", "zeros"),
    ("activation", "linear"),
    ("optimizer", "adadelta"),
    ("optimizer", "ftrl"),
    ("regularizer", "l1"),
    ("regularizer", "l1_l2"),
}
TABLES = [
    "",
    SELU,
    "network: {depth: 20, width: 100}",
    SELU + "network: {depth: 100, width: 100}",
    "network: {depth: 100, width: 100, residual: true, fixup: true}",
    "network: {kind: conv}",
]


def rules_of(text: str) -> set[str]:
    return {one.rule for one in findings("advice", parse_experiment(f"{{{text}}}", "exp.yaml"))}


def test_every_rule_has_an_experiment() -> None:
    assert {rule.name for rule in RULES if rule.severity == "advice"} == set(BROKEN_AND_FOLLOWED)


@pytest.mark.parametrize("rule", BROKEN_AND_FOLLOWED)
def test_a_rule_speaks_up_and_its_neighbour_is_silent(rule: str) -> None:
    broken, followed = BROKEN_AND_FOLLOWED[rule]
    assert rule in rules_of(broken)
    assert rule not in rules_of(followed)


@pytest.mark.parametrize(("rule", "broken", "followed"), ALIKE)
def test_a_rule_holds_for_all_kinds_alike(rule: str, broken: str, followed: str) -> None:
    assert rule in rules_of(broken)
    assert rule not in rules_of(followed)


@pytest.mark.parametrize("text", [*TABLES, *HEALTHY])
def test_what_trains_well_is_not_advised_against(text: str) -> None:
    assert rules_of(text) == set()


def test_what_is_shown_of_a_kind_is_not_advised_against_unless_nothing_helps() -> None:
    shown = [(family, one) for family in families() for one in catalogue(family).kinds]
    assert {
        (family, one.kind) for family, one in shown if findings("advice", parse_experiment(one.yaml, one.kind))
    } == UNWISE


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_config_is_advised_against_unless_it_says_so(path: Path) -> None:
    _, advice = load_advised(path)
    assert bool(advice) == ("advised against" in path.read_text())


def test_the_lessons_own_model_a_breaks_its_own_rules() -> None:
    model_a = (
        "network: [300, 100, 50, 50, 50], activation: selu, initializer: glorot_uniform, dataset: {scaling: unit}, "
        "optimizer: {kind: sgd, learning_rate: 1e-3}, schedule: constant, regularizer: []"
    )
    assert rules_of(model_a) == {"selu_inputs", "selu_initializer"}


def test_row_15_a_contradiction_names_both_lines(tmp_path: Path) -> None:
    file = tmp_path / "exp.yaml"
    file.write_text("activation: selu\n\nnormalization: batch_norm\nregularizer:\n  - {kind: dropout, rate: 0.2}\n")
    _, (normalization, dropout) = load_advised(file)
    assert normalization.where == f"{file}:3:16 normalization"
    assert normalization.message.startswith(f"got 'batch_norm' with 'selu' ({file}:1:13 activation); SELU normalises")
    assert dropout.where == f"{file}:5:5 regularizer.0"
    assert dropout.hint == "set regularizer.0.kind=alpha_dropout regularizer.0.rate=0.1 regularizer.0.layers=last"
    assert dropout.warning == f"{dropout.where}: {dropout.message} [selu_dropout]; {dropout.hint}"


def test_what_is_not_written_is_called_the_default(tmp_path: Path) -> None:
    _, (advice,) = load_advised(None, ["training.early_stopping.patience=3"])
    assert advice.where == "override training.early_stopping.patience=3"
    assert "got 3 with the default schedule 'one_cycle' and the default training.epochs 20" in advice.message
    _, (advice, *_) = load_advised(None, ["regularizer=alpha_dropout"])
    assert "with the default activation 'elu'" in advice.message


def test_strict_makes_errors_of_all_advice() -> None:
    with pytest.raises(ConfigError) as caught:
        load_advised(None, ["activation=selu", "normalization=batch_norm", "regularizer=dropout"], strict=True)
    assert len(caught.value.problems) == 2
    load_advised(None, strict=True)

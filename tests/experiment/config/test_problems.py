"""Every complaint is in the words of the file, at the place where the user wrote what is wrong."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dtrain.experiment.config.problems import experiment_problems
from dtrain.experiment.config.yaml_reader import read_yaml
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import Problem


def found(text: str) -> list[Problem]:
    document = read_yaml(text, "exp.yaml")
    with pytest.raises(ValidationError) as caught:
        Experiment.model_validate(document.value)
    return list(experiment_problems(caught.value, document))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("optimizer: adm", "1:12 optimizer"),
        ("optimizer: {kind: adm}", "1:19 optimizer.kind"),
        ("optimizer: {learning_rate: 0.1}", "1:12 optimizer.kind"),
        ("optimizer: {kind: adam, momentum: 1}", "1:25 optimizer.momentum"),
        ("optimizer: {kind: adam, beta_1: 1}", "1:33 optimizer.beta_1"),
        ("optimizer:", "1:11 optimizer"),
        ("network: [300, a]", "1:16 network.1"),
        ("network: {hidden: [300, a]}", "1:25 network.hidden.1"),
        ("network: {filters: [0]}", "1:21 network.filters.0"),
        ("network: {depth: 3}", "1:10 network.width"),
        ("network: dense", "1:10 network"),
        ("dataset: {name: 3}", "1:17 dataset.name"),
        ("regularizer: dropot", "1:14 regularizer"),
        ("regularizer: [l2, dropot]", "1:19 regularizer.1"),
        ("regularizer: {kind: dropout, rate: 1}", "1:36 regularizer.rate"),
        ("regularizer: [{kind: dropout, rate: [0, 1]}]", "1:41 regularizer.0.rate.1"),
        ("regularizer: {kind: dropout, dropout: 1}", "1:30 regularizer.dropout"),
        ("regularizer: [l1, l2]", "1:19 regularizer.1"),
        ("regularizer: {kind: dropout, rate: [0.1]}", "1:36 regularizer.rate"),
        ("schedule: {kind: piecewise, values: [1, 2]}", "1:37 schedule.values"),
        ("training: {early_stopping: {patience: 0}}", "1:39 training.early_stopping.patience"),
        ("dataset: {train_limit: 10}", "1:1 training.batch_size"),
        ('"\\e[1m": 3', "1:1 \\x1b[1m"),
    ],
)
def test_places(text: str, where: str) -> None:
    (problem,) = found(text)
    assert problem.where == f"exp.yaml:{where}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: -1", "got -1; expected an integer of at least 0 and of at most 4294967295"),
        ("seed: x", "got 'x' (a string); expected an integer of at least 0 and of at most 4294967295"),
        ("training: 3", "got 3; expected a mapping"),
        ("training: {early_stopping: 3}", "got 3; expected a mapping, or null"),
        ("training: {save: [kers]}", "got 'kers'; expected one of 'keras', 'h5'; did you mean 'keras'?"),
        ("training: {save: 3}", "got 3; expected a list, each one of 'keras', 'h5'"),
        ("dataset: 4", "got 4; expected a name or a mapping"),
        ("dataset: ''", "got ''; expected text that is not empty"),
        ("training: {class_weight: auto}", "got 'auto'; expected 'balanced', or null"),
        ("dataset: {classes: [1]}", "got [1]; expected a list of 2 or more integers of at least 0, or null"),
        ("network: dense", "got 'dense' (a string); expected a list, or a mapping with kind 'dense', 'conv'"),
        ("network: {kind: dens}", "got 'dens'; expected one of 'dense', 'conv'; did you mean 'dense'?"),
        (
            "normalization: 3",
            "got 3; expected one of 'none', 'batch_norm', 'layer_norm', 'group_norm', or a mapping with kind",
        ),
        (
            "normalization: {inputs: true}",
            "is missing; expected one of 'none', 'batch_norm', 'layer_norm', 'group_norm'",
        ),
        ("normalization: {kind: batch_norm, inputs: yes}", "got 'yes' (a string); expected true or false"),
        (
            "regularizer: {kind: dropout, rate: x}",
            "got 'x' (a string); expected a number of at least 0 and less than 1, "
            "or a list of numbers of at least 0 and less than 1",
        ),
        ("schedule: {kind: piecewise, values: 3}", "got 3; expected a list of numbers greater than 0"),
    ],
)
def test_messages(text: str, message: str) -> None:
    (problem,) = found(text)
    assert problem.message == message


def test_a_list_of_regularizers_names_its_entries() -> None:
    (problem,) = found("regularizer: 3")
    assert problem.message.startswith("got 3; expected a list, each one of 'l1', 'l2', ")


def test_contradictions_keep_their_hints() -> None:
    (problem,) = found("regularizer: [l1, l2]")
    assert problem.hint == "l1_l2 has both factors"


@pytest.mark.parametrize(("value", "hint"), [("'0.1'", "write it without quotes"), ("high", ""), ("true", "")])
def test_hint_for_a_number_in_quotes(value: str, hint: str) -> None:
    (problem,) = found(f"optimizer: {{kind: adam, learning_rate: {value}}}")
    assert problem.hint == hint


def test_a_list_is_not_blamed_for_its_entries() -> None:
    assert [problem.where for problem in found("dataset: {classes: [-1, x]}")] == [
        "exp.yaml:1:21 dataset.classes.0",
        "exp.yaml:1:25 dataset.classes.1",
    ]


def test_no_word_of_pydantic() -> None:
    text = "optimizer: {kind: 1, x: 2}\nnetwork: 3\nseed: x\ntraining: {epochs: 0.5}\nregularizer: [{kind: l1, l2: 3}]"
    for problem in found(text):
        assert not any(word in str(problem).lower() for word in ("input", "pydantic", "tuple", "http", "extra", "tag"))


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("dataset: {train_limit: 10}", "1:1 training.batch_size: got the default 32; expected"),
        ("dataset: {train_limit: 10}\ntraining: {batch_size: 20}", "2:24 training.batch_size: got 20; expected"),
        ("schedule: piecewise\ntraining: {epochs: 3}", "1:11 schedule.boundaries: got the default [5, 15] with"),
        (
            "schedule: {kind: piecewise, boundaries: [5], values: [1, 2]}\ntraining: {epochs: 3}",
            "1:41 schedule.boundaries: got [5] with",
        ),
    ],
)
def test_a_value_that_nobody_wrote_is_called_the_default(text: str, blamed: str) -> None:
    (problem,) = found(text)
    assert str(problem).startswith(f"exp.yaml:{blamed}")

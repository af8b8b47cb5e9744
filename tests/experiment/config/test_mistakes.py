"""What is typed wrong is blamed where it is typed, not where the parser stops, and the fix is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.experiment.config.loading import load_experiment, parse_experiment
from dtrain.experiment.config.mistakes import meant_number
from dtrain.ground.errors import ConfigError, Problem

TRAINING = "training:\n  epochs: 3\n"
NO_SPACE = "write a space behind the colon: `batch_size: 32`"
SPACE = "type the space again, or put all of the text in quotes"


def problem_of(text: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        parse_experiment(text, "exp.yaml")
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "where", "fix"),
    [
        ("batch_size:32", "1:1", NO_SPACE),
        ("seed: 1\nbatch_size:32\n", "2:1", NO_SPACE),
        (TRAINING + "  batch_size:32\nseed: 1\n", "3:3", NO_SPACE),
        (TRAINING + "  batch_size:32\n\n\nseed: 1\n", "3:3", NO_SPACE),
        ("training:\n  batch_size:32\n  epochs: 3\n", "2:3", NO_SPACE),
        ("training:\n  batch_size:32\nseed: 1\n", "2:3", NO_SPACE),
        ("training: {batch_size:32, epochs: 3}\n", "1:12", NO_SPACE),
        ("network:[300, 100]\nseed: 1\n", "1:1", "write a space behind the colon: `network: [300, 100]`"),
        ("regularizer:\n  -dropout\n", "2:3", "write a space behind the dash: `- dropout`"),
        ("activation: relu\nseed = 1\n", "2:1", "write a colon and a space: `seed: 1`"),
        ("training:\n  epochs = 3\n  batch_size: 2\n", "2:3", "write a colon and a space: `epochs: 3`"),
        ("optimizer: {kind: sgd, learning_rate=0.1}", "1:24", "write a colon and a space: `learning_rate: 0.1`"),
        ("optimizer: SGD(0.1)", "1:12", "write a mapping with its fields: `{kind: sgd, ...}`"),
        ("network: (300, 100)", "1:10", "write [300, 100]"),
        ("// mine\nseed: 1\n", "1:1", "write comments with a number sign: `# mine`"),
        ('{\n  "seed": 1, // x\n  "activation": "relu"\n}', "2:14", "take the comment away"),
        ('{\n  "seed": 1\n  "activation": "relu"\n}', "2:12", "write a comma at the end of the line"),
        ("optimizer:\n  kind: sgd\n  learning_rate: 0,01\n", "3:18", "write 0.01"),
        ("optimizer: {kind: sgd, learning_rate: 0,01}", "1:39", "write 0.01"),
        ("optimizer: {learning_rate: 0,5, kind: sgd}", "1:28", "write 0.5"),
        ("schedule: {kind: piecewise, values: [0,01, 1]}", "1:38", "write 0.01"),
        ("training: {epochs: 1,000}", "1:20", "write 1000"),
        ("training:\n  epochs: 1,000\n", "2:11", "write 1000"),
        ("seed:\u00a01", "1:6", SPACE),
        ("activation: relu\nseed:\u00a01\nnetwork: [3]\n", "2:6", SPACE),
        ("training:\n\u00a0\u00a0epochs: 3\n", "2:1", SPACE),
        ("activation: relu\u200b\n", "1:17", SPACE),
        ("seed\uff1a 1", "1:5", "type the colon again, or put all of the text in quotes"),
        ("dataset: \u201cmnist\u201d", "1:10", "type the quotation mark again, or put all of the text in quotes"),
        ("regularizer:\n  \u2013 dropout\n", "2:3", "type the hyphen again, or put all of the text in quotes"),
        ("training:\n\tepochs: 3\n", "2:1", "write spaces instead"),
        (TRAINING + "  \tbatch_size: 4\n", "3:3", "write spaces instead"),
        ("seed:\t1", "1:6", "write a space instead"),
        ("seed: 1\t# mine", "1:8", "write a space instead"),
        (TRAINING + "    batch_size: 4\n", "3:5", "indent it like the keys that it belongs to"),
        ("training:\n    epochs: 3\n  batch_size: 4\n", "3:3", "indent it like the lines that it belongs to"),
        ("optimizer: sgd\n  learning_rate: 0.1\n", "2:3", "indent it like the keys that it belongs to"),
        (" seed: 1\nactivation: relu\n", "1:1", "take the spaces in front of it away"),
        ('dataset: "mnist\nseed: 1\n', "1:10", "close the quotation marks"),
        ('dataset: "C:\\images"', "1:14", "write it in single quotes, in which a backslash is a backslash"),
        ("dataset: @mnist", "1:10", "put it in quotes"),
        ("network: [300, 100]]", "1:20", "take it away"),
        ("seed: 1\n...\nactivation: relu\n", "2:1", "take the line away"),
        ("seed: 1\nactivation\nnetwork: [3]\n", "2:1", "write a colon and a value behind the key"),
        ("optimizer.learning_rate: 0.1", "1:1", "write `optimizer: {learning_rate: ...}`: only overrides have dots"),
        ("training: {early_stopping: None}", "1:28", "write null"),
        ("training: {early_stopping: false}", "1:28", "write null"),
        ("normalization: {kind: batch_norm, inputs: yes}", "1:43", "write true"),
    ],
)
def test_the_mistake_is_blamed_and_not_the_place_where_the_parser_stops(text: str, where: str, fix: str) -> None:
    problem = problem_of(text)
    assert problem.where.split()[0] == f"exp.yaml:{where}"
    assert problem.hint.splitlines()[0] == fix


@pytest.mark.parametrize(
    ("text", "whole", "number"),
    [
        ("0,01", False, "0.01"),
        ("1.000,5", False, ""),
        ("1,000", True, "1000"),
        ("10_000", True, "10000"),
        ("1 000", True, "1000"),
        ("20%", False, "0.2"),
        ("1/4", False, "0.25"),
        ("1/0", False, "1"),
        ("10^-3", False, "1e-3"),
        ("1e\u22123", False, "1e-3"),
        ("3;", True, "3"),
        ("3 # three", True, "3"),
        ("three", True, ""),
        ("3", True, ""),
        ("9" * 30 + ",5", False, ""),
    ],
)
def test_a_number_is_known_however_it_is_written(text: str, whole: bool, number: str) -> None:
    assert meant_number(text, whole=whole) == number


@pytest.mark.parametrize("text", ["'a\u00a0b'", '"\u201cx\u201d"', "x # \u00a0"])
def test_in_quotes_and_comments_every_character_may_stand(text: str) -> None:
    problem = problem_of(f"activation: {text}")
    assert "expected one of 'relu'" in problem.message


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("train.ipynb", '{"cells": [], "metadata": {}, "nbformat": 4}', "a Jupyter notebook"),
        ("model.json", '{"class_name": "Sequential", "config": {}}', "the configuration of a Keras model"),
    ],
)
def test_another_document_is_called_what_it_is(name: str, content: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    (problem,) = caught.value.problems
    assert problem.where == f"{path}:1:1"
    assert problem.message.startswith(f"got {what}; expected an experiment")
    assert problem.hint == "`dtrain init exp.yaml` writes one to start from"

"""A wrong word finds the right one: by what it means to others, by where it belongs, and by a slip of the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from dtrain.experiment.config.loading import load_experiment
from dtrain.experiment.config.other_words import TABLE, squashed
from dtrain.experiment.config.schema import Schema, every_key, every_kind, experiment_schema, families, kinds_of
from dtrain.experiment.config.suggestions import guess, guess_mapping
from dtrain.experiment.config.yaml_reader import read_yaml
from dtrain.experiment.dataset import NAMED_DATASETS
from dtrain.ground.errors import ConfigError
from dtrain.ground.printable import dotted

MEANT: dict[str, str] = cast(Any, read_yaml(TABLE.read_text(), TABLE.name).value)["meant"]
ROOT = list(experiment_schema()["properties"])

# what is written as an override, and what is meant by it
FOREIGN_WORDS = """
lr=0.1 -> 'optimizer.learning_rate'
optimizer.lr=0.1 -> 'learning_rate'
optimizer.eta0=0.1 -> 'learning_rate'
learning_rate_init=0.1 -> 'optimizer.learning_rate'
weight_decay=1e-4 -> 'optimizer.weight_decay'
optimizer.decay=1e-4 -> 'weight_decay'
optimizer.max_grad_norm=1 -> 'global_clipnorm'
optimizer={kind: adam, beta1: 0.9} -> 'beta_1'
optimizer={kind: adam, eps: 1e-8} -> 'epsilon'
optimizer=Adam -> 'adam'
optimizer=adma -> 'adam'
optimizer=momentum -> 'sgd'
solver=adam -> 'optimizer'
schedule=CosineAnnealing -> 'cosine'
schedule=CosineAnnealingLR -> 'cosine'
schedule=CosineDecayRestarts -> 'cosine_restarts'
schedule=SGDR -> 'cosine_restarts'
schedule=StepLR -> 'piecewise'
schedule=MultiStepLR -> 'piecewise'
schedule=PiecewiseConstantDecay -> 'piecewise'
schedule=ReduceLROnPlateau -> 'performance'
schedule=OneCycleLR -> 'one_cycle'
schedule=1cycle -> 'one_cycle'
schedule=ExponentialDecay -> 'exponential'
schedule=InverseTimeDecay -> 'power'
schedule=invscaling -> 'power'
schedule=linear -> 'polynomial'
schedule=none -> 'constant'
schedule={kind: exponential, gamma: 0.9} -> 'decay_rate'
schedule={kind: performance, gamma: 0.9} -> 'factor'
schedule.gamma=0.9 -> 'schedule.decay_rate' or 'schedule.factor'
schedule.steps=[5] -> 'schedule.boundaries'
schedule={kind: piecewise, milestones: [5]} -> 'boundaries'
schedule.max_lr=0.1 -> 'maximum'
schedule.div_factor=25 -> 'start_divisor'
schedule={kind: cosine, eta_min: 0.0} -> 'alpha'
schedule={kind: cosine_restarts, T_0: 5} -> 'first_epochs'
lr_scheduler=cosine -> 'schedule'
initializer=he -> 'he_normal'
initializer=HeNormal -> 'he_normal'
initializer=kaiming_normal -> 'he_normal'
initializer=kaiming_uniform_ -> 'he_uniform'
initializer=xavier_uniform -> 'glorot_uniform'
initializer=Xavier -> 'glorot_uniform'
initializer=truncnormal -> 'truncated_normal'
kernel_initializer=zeros -> 'initializer'
activation=SiLU -> 'swish'
activation=LeakyReLU -> 'leaky_relu'
activation=logistic -> 'sigmoid'
activation=identity -> 'linear'
normalization=bn -> 'batch_norm'
normalization=batchnorm -> 'batch_norm'
normalization=BatchNorm2d -> 'batch_norm'
normalization=LayerNormalization -> 'layer_norm'
normalization=gn -> 'group_norm'
regularizer=droput -> 'dropout'
regularizer=Dropout2d -> 'spatial_dropout'
regularizer=ridge -> 'l2'
regularizer=lasso -> 'l1'
regularizer=elasticnet -> 'l1_l2'
regularizer=weight_decay -> 'l2'
regularizer=bn -> 'normalization: batch_norm'
regularizer={kind: dropout, p: 0.5} -> 'rate'
kernel_regularizer=l2 -> 'regularizer'
network={units: [300]} -> 'hidden' or 'width'
network={kind: mlp} -> 'dense'
network={kind: cnn} -> 'conv'
network={filters: [8], kernel: 3} -> 'kernel_size'
model=[300] -> 'network'
hidden_layer_sizes=[300] -> 'network.hidden'
random_state=1 -> 'seed'
dataset=FashionMNIST -> 'fashion_mnist'
dataset=mnist_784 -> 'mnist'
dataset.validation_split=0.1 -> 'validation'
dataset.scaling=minmax -> 'unit'
dataset.scaling=StandardScaler -> 'standardize'
training.bs=32 -> 'batch_size'
training.num_epochs=3 -> 'epochs'
max_iter=3 -> 'training.epochs'
class_weight=balanced -> 'training.class_weight'
training.class_weights=balanced -> 'class_weight'
n_iter_no_change=3 -> 'training.early_stopping.patience'
training.early_stopping.monitor=val_acc -> 'val_accuracy'
training.early_stopping.monitor=loss -> 'val_loss'
training.early_stopping.save_best_only=true -> 'restore_best_weights'
training.save=[hdf5] -> 'h5'
"""
# what dtrain cannot do, and why there is nothing to write instead
LACKING_WORDS = [
    ("training.sample_weight=balanced", "dtrain weighs classes, no single images: training.class_weight"),
    ("dataset=kmnist", "dtrain knows no others by name"),
    ("dataset=cifar10", "dtrain knows no others by name"),
    ("loss=mse", "the loss follows from network.output"),
    ("training.shuffle=true", "every epoch sees all images in a new order"),
    ("optimizer=lbfgs", "dtrain has none of this sort"),
    ("normalization=instance_norm", "dtrain has none of this sort"),
    ("activation=softmax", "the output layer has it of its own accord"),
    ("training.device=gpu", "options of the command"),
    ("data_augmentation=true", "dtrain changes no images"),
]


def complaint(override: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_experiment(None, [override])
    return " ".join(map(str, caught.value.problems))


@pytest.mark.parametrize("line", FOREIGN_WORDS.strip().splitlines())
def test_words_of_other_libraries_find_ours(line: str) -> None:
    override, meant = line.split(" -> ")
    assert f"; did you mean {meant}?" in complaint(override)


@pytest.mark.parametrize(("override", "reason"), LACKING_WORDS)
def test_what_dtrain_lacks_is_said_and_nothing_else_is_suggested(override: str, reason: str) -> None:
    message = complaint(override)
    assert f"; {reason}" in message
    assert "did you mean" not in message


def swaps(word: str) -> Iterator[str]:
    """The word with each two letters that follow each other in the wrong order."""
    for place in range(len(word) - 1):
        swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        if swapped != word:
            yield swapped


@pytest.mark.parametrize("family", families())
def test_two_letters_in_the_wrong_order_are_found_in_every_kind(family: str) -> None:
    kinds = kinds_of(families()[family])
    for kind in kinds:
        for word in set(swaps(kind)) - kinds.keys():
            assert guess(word, kinds, f"{family}=") == f"; did you mean {kind!r}?", word


def test_two_letters_in_the_wrong_order_are_found_in_every_key() -> None:
    sections: dict[str, list[str]] = {}
    for path in every_key():
        sections.setdefault("".join(f"{part}." for part in path[:-1]), []).append(str(path[-1]))
    for prefix, keys in sections.items():
        for key in keys:
            for word in set(swaps(key)) - set(keys):
                assert guess(word, keys, prefix) == f"; did you mean {key!r}?", word


@pytest.mark.parametrize(
    ("received", "own", "prefix", "meant"),
    [
        ("LR", ["learning_rate", "momentum"], "optimizer.", "did you mean 'learning_rate'"),
        ("batch", ROOT, "", "did you mean 'training.batch_size'"),
        ("epochs", ROOT, "", "did you mean 'training.epochs'"),
        ("learning-rate", ["epochs", "batch_size"], "training.", "did you mean 'optimizer.learning_rate'"),
        ("patience", ["epochs"], "x.", "did you mean 'schedule.patience' or 'training.early_stopping.patience'"),
        ("optimiser", ROOT, "", "did you mean 'optimizer'"),
        ("dropout", ROOT, "", "'dropout' is a kind of 'regularizer'"),
        ("xyzzy", ROOT, "", ""),
        ("l3", ["l1", "l2"], "regularizer=", ""),
        ("relu", ["he_normal"], "initializer=", "'relu' is a kind of 'activation'"),
    ],
)
def test_row_07_unknown_word_finds_the_one_that_is_meant(
    received: str, own: list[str], prefix: str, meant: str
) -> None:
    assert guess(received, own, prefix).strip("; ?") == meant


def test_keys_within_lists_and_kinds_are_known() -> None:
    assert {("regularizer", "rate"), ("optimizer", "beta_1"), ("network", "filters"), ("seed",)} < set(every_key())


def test_every_meaning_is_something_that_an_override_can_say() -> None:
    keys, kinds = {dotted(path) for path in every_key()}, {f"{family}={kind}" for kind, family in every_kind()}
    values = {f"dataset={name}" for name in NAMED_DATASETS}
    for meant in MEANT.keys() - keys - kinds - values:
        assert "got 'xyzzy'" in complaint(f"{meant.partition('=')[0]}=xyzzy")
        load_experiment(None, [meant.replace("save=", "save=[") + "]" * ("save" in meant)])


def test_no_meaning_has_a_word_twice_or_its_own_name_among_them() -> None:
    for meaning, words in MEANT.items():
        spellings = [squashed(word) for word in (*words.split(), meaning.replace("=", ".").split(".")[-1])]
        assert len(set(spellings)) == len(spellings), meaning


def kinds(family: str) -> dict[str, Schema]:
    return kinds_of(families()[family])


@pytest.mark.parametrize(
    ("family", "written", "meant"),
    [
        ("optimizer", {"adam": {"learning_rate": 0.1}}, "; did you mean {kind: adam, learning_rate: 0.1}?"),
        ("optimizer", {"adam": 0.1}, "; did you mean {kind: adam, ...}?"),
        ("optimizer", {"adam": None}, "; did you mean {kind: adam}?"),
        ("regularizer", {"dropout": 0.3}, "; did you mean {kind: dropout, rate: 0.3}?"),
        (
            "regularizer",
            {"dropout": 0.3, "layers": "last"},
            "; did you mean {kind: dropout, rate: 0.3, layers: 'last'}?",
        ),
        ("regularizer", {"rate": 0.3}, ""),
        ("regularizer", {"l1": 0.3, "l2": 0.3}, ""),
        ("regularizer", 3, ""),
    ],
)
def test_a_kind_that_stands_as_a_key(family: str, written: object, meant: str) -> None:
    assert guess_mapping(written, kinds(family)) == meant

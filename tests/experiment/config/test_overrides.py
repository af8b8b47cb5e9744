"""`key.path=value` changes one value of what the file says, or of the default where the file says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.experiment.config.loading import parse_experiment
from dtrain.experiment.config.overrides import apply_overrides, long_form
from dtrain.experiment.config.yaml_reader import read_yaml
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError, UsageError
from dtrain.ground.printable import KeyPath

DEFAULT = Experiment.model_validate({})


def changed(text: str, *overrides: str) -> object:
    return apply_overrides(read_yaml(text, "exp.yaml"), overrides).value


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_experiment(text, "exp.yaml", overrides)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "override", "value"),
    [
        ("seed: 1", "seed=3", {"seed": 3}),
        ("{}", "network=[100, 50]", {"network": [100, 50]}),
        ("{}", "regularizer=[dropout]", {"regularizer": ["dropout"]}),
        ("{}", "activation=no", {"activation": "no"}),
        ("training: {epochs: 5}", "training.epochs=6", {"training": {"epochs": 6}}),
        ("optimizer: adam", "optimizer.learning_rate=1e-2", {"optimizer": {"kind": "adam", "learning_rate": 0.01}}),
        ("dataset: mnist", "dataset.train_limit=200", {"dataset": {"name": "mnist", "train_limit": 200}}),
        ("network: [3, 4]", "network.1=5", {"network": [3, 5]}),
        ("network: [3]", "network.output=softmax", {"network": {"kind": "dense", "hidden": [3], "output": "softmax"}}),
        ("network: {depth: 3, width: 4}", "network.hidden=[5]", {"network": {"kind": "dense", "hidden": [5]}}),
        ("regularizer: [l1, l2]", "regularizer.1.factor=0.5", {"regularizer": ["l1", {"kind": "l2", "factor": 0.5}]}),
        ("regularizer: dropout", "regularizer.rate=0.5", {"regularizer": {"kind": "dropout", "rate": 0.5}}),
        ("regularizer: dropout", "regularizer.0.rate=0.5", {"regularizer": [{"kind": "dropout", "rate": 0.5}]}),
        ("regularizer: [l2]", "regularizer.1.kind=max_norm", {"regularizer": ["l2", {"kind": "max_norm"}]}),
        (
            "training: {early_stopping: null}",
            "training.early_stopping.patience=3",
            {"training": {"early_stopping": {"patience": 3}}},
        ),
    ],
)
def test_one_value_is_changed(text: str, override: str, value: object) -> None:
    assert changed(text, override) == value


def test_a_field_of_a_section_left_out_changes_the_default() -> None:
    experiment = parse_experiment("{}", "exp.yaml", ["optimizer.learning_rate=0.123"])
    assert experiment.optimizer == DEFAULT.optimizer.model_copy(update={"learning_rate": 0.123})
    assert experiment.model_copy(update={"optimizer": DEFAULT.optimizer}) == DEFAULT


@pytest.mark.parametrize("activation", ["activation=selu", "activation.kind=selu", "activation={kind: selu}"])
def test_the_default_is_that_of_the_overridden_experiment(activation: str) -> None:
    expected = parse_experiment("activation: selu", "exp.yaml").regularizer[0].model_copy(update={"rate": 0.4})
    for overrides in ([activation, "regularizer.0.rate=0.4"], ["regularizer.0.rate=0.4", activation]):
        assert parse_experiment("{}", "exp.yaml", overrides).regularizer == (expected,)


@pytest.mark.parametrize("text", ["{}", "optimizer: {kind: sgd, momentum: 0.9}", "optimizer: rmsprop"])
def test_another_kind_replaces_the_section(text: str) -> None:
    assert changed(text, "optimizer.kind=adam") == {"optimizer": {"kind": "adam"}}
    for overrides in (
        ("optimizer.kind=adam", "optimizer.learning_rate=0.1"),
        ("optimizer.learning_rate=0.1", "optimizer.kind=adam"),
    ):
        assert changed(text, *overrides) == {"optimizer": {"kind": "adam", "learning_rate": 0.1}}


def test_the_same_kind_keeps_its_fields() -> None:
    text = "optimizer: {kind: sgd, momentum: 0.3}"
    assert changed(text, "optimizer.kind=sgd") == {"optimizer": {"kind": "sgd", "momentum": 0.3}}


@pytest.mark.parametrize(
    "text", ["{}", "network: [30, 10]", "network: {hidden: [30]}", "network: {depth: 3, width: 4}"]
)
def test_depth_and_width_replace_a_list(text: str) -> None:
    experiment = parse_experiment(text, "exp.yaml", ["network.depth=20", "network.width=100"])
    assert experiment.network == parse_experiment("network: {depth: 20, width: 100}", "exp.yaml").network


@pytest.mark.parametrize(
    ("overrides", "optimizer"),
    [
        (["optimizer=sgd", "optimizer=adam"], "adam"),
        (["optimizer.beta_1=0.5", "optimizer=adam"], "adam"),
        (["optimizer.kind=sgd", "optimizer=adam"], "adam"),
        (["optimizer=sgd", "optimizer.kind=adam"], {"kind": "adam"}),
        (["optimizer=adam", "optimizer.beta_1=0.5", "optimizer.beta_1=0.6"], {"kind": "adam", "beta_1": 0.6}),
    ],
)
def test_the_later_override_wins(overrides: list[str], optimizer: object) -> None:
    assert changed("{}", *overrides) == {"optimizer": optimizer}


@pytest.mark.parametrize(
    "path", ["hash #1.npz", "#1.npz", "[brackets].npz", "colon: x.npz", "*.npz", "- dash.npz", '~/it\'s "a".npz']
)
@pytest.mark.parametrize("key", ["dataset", "dataset.name"])
def test_a_path_of_images_is_taken_as_it_is(key: str, path: str) -> None:
    assert parse_experiment("{}", "exp.yaml", [f"{key}={path}"]).dataset.name == path


def test_so_is_that_of_a_folder_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my: images #2").mkdir()
    assert changed("{}", "dataset=my: images #2") == {"dataset": "my: images #2"}
    assert changed("{}", "dataset=my: images #3") == {"dataset": {"my": "images"}}


def test_quotes_and_mappings_of_images_are_yaml() -> None:
    assert changed("{}", "dataset='hash #1.npz'") == {"dataset": "hash #1.npz"}
    assert changed("{}", "dataset={name: a.npz, validation: 3}") == {"dataset": {"name": "a.npz", "validation": 3}}
    (problem,) = problems("{}", "dataset={name: a.npz")
    assert "expected ',' or '}'" in problem


def test_the_document_itself_is_not_changed() -> None:
    document = read_yaml("training: {epochs: 5}\nregularizer: [l2]", "exp.yaml")
    apply_overrides(document, ["training.epochs=6", "regularizer.0=l1"])
    assert document.value == {"training": {"epochs": 5}, "regularizer": ["l2"]}


@pytest.mark.parametrize(
    "text", ["foo", "optimizer.learning_rate=", "seed=  ", "seed=# 3", "=3", "a..b=1", ".=1", ".".join("a" * 21) + "=1"]
)
def test_row_51_not_an_override(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_experiment("{}", "exp.yaml", [text])
    assert caught.value.exit_code == 2
    assert str(caught.value) == f"override: got {text!r}; expected KEY=VALUE"


def test_a_default_that_an_override_brings_along_is_called_one() -> None:
    (problem,) = problems("{}", "optimizer.momentum=0")
    assert "optimizer.momentum=0 optimizer.nesterov: got the default" in problem


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learnin_rate=0.1", "; did you mean 'learning_rate'?"),
        ("optimiser.learning_rate=0.1", "; did you mean 'optimizer'?"),
        ("lr=0.1", "; did you mean 'optimizer.learning_rate'?"),
        ("dataset=mnits", "; did you mean 'mnist'?"),
        ("network.7=3", "got 7; expected an index of the list network, from 0 to 2"),
        ("network.hidden.first=3", "got 'first'; expected an index of the list network.hidden, from 0 to 2"),
        ("network=[1", "got invalid YAML: expected ',' or ']', but got the end of the document"),
        ("seed.value=3", "got {value: 3}; expected an integer"),
    ],
)
def test_row_51_unknown_path(override: str, message: str) -> None:
    (problem,) = problems("{}", override)
    assert problem.startswith(f"override {override}: ")
    assert message in problem


def test_row_52_wrong_type() -> None:
    assert problems("seed: 3", "training.epochs=many") == [
        "override training.epochs=many: got 'many' (a string); expected an integer greater than 0"
    ]


def test_problems_of_file_and_command_line_are_reported_together() -> None:
    found = problems("seed: -1\nseed: -2", "training.epochs=[1", "network.9=3", "regularizer={kind: dropout, rate: 2}")
    assert [problem.split(": got")[0] for problem in found] == [
        "override training.epochs=[1",
        "exp.yaml:2:1 seed",
        "override network.9=3",
        "override regularizer={kind: dropout, rate: 2} regularizer.rate",
        "exp.yaml:2:7 seed",
    ]


def test_a_value_left_of_the_file_is_blamed_on_the_file() -> None:
    (problem,) = problems("\noptimizer: adm", "optimizer.learning_rate=0.1")
    assert problem.startswith("exp.yaml:2:12 optimizer.kind: got 'adm'")


def test_a_section_that_an_override_replaced_is_blamed_on_the_override() -> None:
    override = "optimizer={kind: adam, beta_1: 3}"
    (problem,) = problems("optimizer: {kind: adam, beta_1: 0.5}", override)
    assert problem.startswith(f"override {override} optimizer.beta_1: got 3;")


def test_a_section_that_an_override_broke_is_blamed_on_the_override() -> None:
    (problem,) = problems("network: [300, 100]", "network.depth=20")
    assert problem.startswith("override network.depth=20 network.width: is missing")


def test_overrides_cannot_upset_a_terminal() -> None:
    (problem,) = problems("{}", f"training.epochs=\x1b[31m{'x' * 1000}")
    assert problem.isprintable()
    assert len(problem) < 300


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("optimizer",), "adam", {"kind": "adam"}),
        (("optimizer",), {"kind": "adam"}, {"kind": "adam"}),
        (("dataset",), "mnist", {"name": "mnist"}),
        (("regularizer",), "l2", ["l2"]),
        (("regularizer", 0), "l2", {"kind": "l2"}),
        (("seed",), 3, 3),
        (("unknown",), "x", "x"),
        (("dataset", "name"), "mnist", "mnist"),
    ],
)
def test_long_forms(path: KeyPath, value: object, expected: object) -> None:
    assert long_form(path, value) == expected

"""Every way to get an experiment file wrong ends in one error that says where, what, and what instead."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtrain.experiment.config.loading import MAXIMUM_PROBLEMS, dump_experiment, load_experiment, parse_experiment
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.optimizers import Adam
from dtrain.ground.errors import ConfigError, Problem
from tests.peak_memory import peak_memory


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(content: str | bytes) -> tuple[Problem, ...]:
    """Returns everything that is wrong with a file of this content, which is written to the current folder."""
    Path("exp.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as caught:
        load_experiment(Path("exp.yaml"))
    assert caught.value.exit_code == 3
    return caught.value.problems


def only(problems: tuple[Problem, ...]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def complaint(content: str | bytes) -> str:
    """Returns the only thing that is wrong with a file of this content, as the user reads it."""
    return str(only(refused(content)))


def test_an_experiment_is_what_its_file_says(folder: Path) -> None:
    (folder / "exp.yaml").write_text("optimizer: {kind: adam, learning_rate: 0.01}\nseed: 3\n")
    experiment = load_experiment(Path("exp.yaml"), ["seed=4"])
    assert experiment.optimizer == Adam(learning_rate=0.01)
    assert experiment.seed == 4


def test_no_file_is_the_default_experiment() -> None:
    assert load_experiment(None) == Experiment.model_validate({}) == parse_experiment("{}", "exp.yaml")
    with pytest.raises(ConfigError) as caught:
        load_experiment(None, ["dataset.train_limit=10"])
    assert only(caught.value.problems).where == "default experiment training.batch_size"


def test_row_01_missing_file(folder: Path) -> None:
    for name in ("quickstart.yaml", "selu.yml", "notes.txt"):
        (folder / name).touch()
    with pytest.raises(ConfigError) as caught:
        load_experiment(Path("quikstart.yaml"))
    problem = only(caught.value.problems)
    assert problem.where == "quikstart.yaml"
    assert problem.message.startswith(f"got {os.strerror(errno.ENOENT)} (errno {errno.ENOENT}); expected")
    assert problem.message.endswith("did you mean 'quickstart.yaml'?")
    assert problem.hint == "files nearby: quickstart.yaml, selu.yml"


def test_row_01_directory_lists_the_files_in_it(folder: Path) -> None:
    (folder / "configs").mkdir()
    (folder / "configs" / "a.yaml").touch()
    with pytest.raises(ConfigError, match=os.strerror(errno.EISDIR)) as caught:
        load_experiment(Path("configs"))
    assert only(caught.value.problems).hint == f"files nearby: {Path('configs/a.yaml')}"


def test_row_01_unreadable(folder: Path) -> None:
    Path("loop").symlink_to("loop")
    with pytest.raises(ConfigError, match=f"errno {errno.ELOOP}") as caught:
        load_experiment(Path("loop/exp.yaml"))
    assert only(caught.value.problems).hint == "no .yaml file is nearby"


@pytest.mark.parametrize(
    ("content", "received"),
    [("", "nothing"), ("# only a comment", "nothing"), ("null", "nothing"), ("- adam", "['adam']")],
)
def test_row_02_no_mapping(folder: Path, content: str, received: str) -> None:
    problem = only(refused(content))
    assert str(problem) == f"exp.yaml:1:1: got {received}; expected a mapping of keys to values"
    assert problem.hint.startswith("every key is optional; the smallest file is `seed: 42`")
    assert "`dtrain init`" in problem.hint


def test_row_03_syntax_error_has_a_caret(folder: Path) -> None:
    problem = only(refused("network: [300, 100\nseed: 3\n"))
    assert problem.where == "exp.yaml:2:5"
    assert problem.hint.splitlines()[1:] == ["    seed: 3", "        ^"]


def test_row_03_tab_indent(folder: Path) -> None:
    assert complaint("training:\n\tepochs: 3\n") == "exp.yaml:2:1: got a tab; expected spaces for indentation"


@pytest.mark.parametrize(
    ("content", "where", "received"),
    [
        (b"seed: 1\nname: caf\xe9\n", "exp.yaml:2:10", "byte 0xe9 at offset 17"),
        (b"seed: 1\x00\n", "exp.yaml:1:8", "the control character U+0000 at offset 7"),
        ("# é\nseed: \x1b[31m".encode(), "exp.yaml:2:7", "the control character U+001B at offset 11"),
        ("seed: 1".encode("utf-16"), "exp.yaml:1:1", "byte 0xff at offset 0"),
    ],
)
def test_row_04_not_text(folder: Path, content: bytes, where: str, received: str) -> None:
    assert complaint(content).startswith(f"{where}: got {received}; expected ")


def test_row_05_several_documents(folder: Path) -> None:
    expected = "exp.yaml:2:1: got a second document; expected one document per file"
    assert complaint("seed: 1\n---\nseed: 2\n") == expected


def test_row_06_duplicate_key(folder: Path) -> None:
    expected = "exp.yaml:4:3 training.epochs: got the key 'epochs' on lines 2 and 4; expected it once"
    assert complaint("training:\n  epochs: 3\n  batch_size: 8\n  epochs: 4\n") == expected


def test_row_07_unknown_key(folder: Path) -> None:
    found = complaint("training:\n  early_stopping:\n    patiense: 3\n")
    assert found.startswith("exp.yaml:3:5 training.early_stopping.patiense: ")
    assert found.endswith("did you mean 'patience'?")


def test_row_08_all_errors_at_once(folder: Path) -> None:
    problems = refused(
        "dataset: fashion_mnits\nactivation: relo\ntraining: {epochs: 0, save: [h6]}\n"
        "seed: -1\nseed: -2\nlearning_rate: 1\n"
    )
    places = (
        "1:10 dataset|2:13 activation|3:20 training.epochs|3:30 training.save.0|5:1 seed|5:7 seed|6:1 learning_rate"
    )
    assert sorted(problem.where for problem in problems) == [f"exp.yaml:{place}" for place in places.split("|")]


def test_row_08_a_flood_of_errors_is_cut(folder: Path) -> None:
    problems = refused("".join(f"key_{number}: 1\n" for number in range(1000)))
    assert len(problems) == MAXIMUM_PROBLEMS + 1
    assert "more problems" in problems[-1].message


def test_row_09_exponent_without_a_point() -> None:
    experiment = parse_experiment("optimizer: {kind: adam, learning_rate: 1e-3}", "exp.yaml")
    assert experiment.optimizer.learning_rate == 0.001


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("optimizer: {kind: adam, epsilon: '0.1'}", "got '0.1' (a string); expected a number greater than 0"),
        ("training: {epochs: 3.5}", "got 3.5; expected an integer greater than 0"),
        ("training: {epochs: true}", "got true (a boolean); expected an integer greater than 0"),
    ],
)
def test_row_10_strict_types(folder: Path, content: str, message: str) -> None:
    assert complaint(content).endswith(f": {message}")


@pytest.mark.parametrize(("value", "number"), [("0", "a"), ("-0.1", "a"), (".nan", "a finite"), (".inf", "a finite")])
def test_row_11_bounds(folder: Path, value: str, number: str) -> None:
    found = complaint(f"optimizer: {{kind: sgd, learning_rate: {value}}}")
    assert found == f"exp.yaml:1:39 optimizer.learning_rate: got {value}; expected {number} number greater than 0"


def test_row_12_no_is_a_word(folder: Path) -> None:
    assert complaint("activation: no").startswith("exp.yaml:1:13 activation: got 'no'; expected one of 'relu', ")


@pytest.mark.parametrize(
    ("size", "bound"), [("0", "greater than 0"), ("9001", "at most 9000,"), ("1000000000000", "at most 9000,")]
)
def test_row_13_batch_size(folder: Path, size: str, bound: str) -> None:
    found = complaint(f"dataset: mnist_sample\ntraining:\n  batch_size: {size}\n")
    assert found.startswith(f"exp.yaml:3:15 training.batch_size: got {size}; expected") and bound in found


def test_row_14_too_many_parameters(folder: Path) -> None:
    parameters = 785 * 20_000 + 20_001 * 20_000 + 20_001 * 10
    expected = f"exp.yaml:1:10 network: got about {parameters:,} parameters, {parameters * 16 / 1e9:.1f} GB"
    assert complaint("network: [20000, 20000]\n").startswith(expected)


def test_row_16_schedule_longer_than_the_training(folder: Path) -> None:
    found = complaint("schedule: {kind: piecewise, boundaries: [5, 15]}\ntraining: {epochs: 10}\n")
    assert found.startswith("exp.yaml:1:41 schedule.boundaries: got [5, 15] with training.epochs 10; expected ")


def test_row_16_boundaries_out_of_order(folder: Path) -> None:
    expected = "exp.yaml:3:15 schedule.boundaries: got [15, 5]; expected epochs in rising order"
    assert complaint("schedule:\n  kind: piecewise\n  boundaries: [15, 5]\n") == expected


def test_row_17_key_of_another_kind(folder: Path) -> None:
    found = complaint("optimizer: {kind: adam, momentum: 0.9}")
    assert found.startswith("exp.yaml:1:25 optimizer.momentum: got the unknown key 'momentum' for adam; expected one ")
    assert all(repr(name) in found for name in Adam.model_fields)
    assert found.endswith("; 'momentum' belongs to 'sgd', 'rmsprop', 'muon'")


def test_row_18_output_does_not_fit_the_classes(folder: Path) -> None:
    found = complaint("dataset: mnist\nnetwork: {hidden: [100], output: sigmoid}\n")
    assert found.startswith("exp.yaml:2:34 network.output: got 'sigmoid' with 10 classes; expected 'softmax' or 'auto'")


ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ALIAS_BOMB, "aliases are not supported"),
        ("network: &self [*self]", "aliases are not supported"),
        ("optimizer: {<<: {kind: adam}}", "merge keys are not supported"),
    ],
)
def test_row_20_aliases_and_merge_keys(folder: Path, content: str, message: str) -> None:
    assert message in complaint(content)


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        ("network: " + "[" * 3000 + "]" * 3000, "more than 20 levels"),
        ("seed: " + "9" * 5000, "5,000 digits; expected at most 20"),
        ("network: [" + "1, " * 10_000 + "]", "more than 10,000 values"),
    ],
)
def test_row_21_limits(folder: Path, content: str, limit: str) -> None:
    assert limit in complaint(content)


def test_row_21_large_file_is_refused_unread(folder: Path) -> None:
    size = 100 * 2**20
    with open("exp.yaml", "wb") as file:
        file.truncate(size)
    refused = pytest.raises(ConfigError, match=f"got at least {size:,} bytes; expected at most 262,144")
    with peak_memory() as peak:
        with refused:
            load_experiment(Path("exp.yaml"))
        assert peak() < size / 50


def test_row_22_tag_runs_nothing(folder: Path) -> None:
    found = complaint("dataset: !!python/object/apply:os.system ['touch canary']")
    assert found.startswith("exp.yaml:1:10: got '!!python/object/apply:os.system'; tag not allowed")
    assert not (folder / "canary").exists()


@pytest.mark.parametrize("name", ["./new", "../new", "new/images", "C:\\new", "new.npz", "~new", "images", "mnist"])
def test_data_set_may_be_a_path(folder: Path, name: str) -> None:
    (folder / "images").mkdir()
    assert parse_experiment(f"dataset: '{name}'", "exp.yaml").dataset.name == name


@pytest.mark.parametrize("name", ["mnits", "a\\0b"])
def test_data_set_that_is_neither_known_nor_a_path(name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected one of 'mnist', .*, or a path") as caught:
        parse_experiment(f'dataset: {{name: "{name}"}}', "exp.yaml")
    assert only(caught.value.problems).where == "exp.yaml:1:17 dataset.name"


@pytest.mark.parametrize(
    "text",
    [
        "activation: selu",
        "network: {filters: [8], kernel_size: 5}\ntraining: {early_stopping: null, save: [keras, h5]}",
        "network: {depth: 2, width: 100}\nregularizer: [{kind: dropout, rate: [0.1, 0.2, 0.3]}, max_norm]",
    ],
)
def test_dumped_experiment_reads_back_equal(text: str) -> None:
    experiment = parse_experiment(text, "exp.yaml")
    dumped = dump_experiment(experiment)
    assert parse_experiment(dumped, "dumped") == experiment
    keys = [line.split(":")[0] for line in dumped.splitlines() if line[0] not in " -#"]
    assert keys == list(Experiment.model_fields)


def test_dump_begins_with_the_kind_and_keeps_short_lists_on_a_line() -> None:
    dumped = dump_experiment(parse_experiment("network: [20, 10]\nregularizer: {kind: l2, factor: 0.5}", "exp.yaml"))
    assert "\nnetwork:\n  kind: dense\n  output: auto\n" in dumped
    assert "\n  hidden: [20, 10]\n" in dumped
    assert "\nregularizer:\n- kind: l2\n  factor: 0.5\n" in dumped


def test_config_errors_need_no_tensorflow() -> None:
    imported = "sorted({'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys())"
    program = f"import sys, dtrain.experiment.config.loading; print({imported})"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_row_08_contradictions_are_found_beside_wrong_fields() -> None:
    text = "dataset: mnist\nnetwork: {hidden: [5], output: sigmoid}\nregularizer: [l1, l2]\ntraining: {batch_size: 0}\n"
    with pytest.raises(ConfigError) as caught:
        parse_experiment(text, "exp.yaml")
    places = sorted(problem.where for problem in caught.value.problems)
    assert places == [
        "exp.yaml:2:32 network.output",
        "exp.yaml:3:19 regularizer.1",
        "exp.yaml:4:24 training.batch_size",
    ]


def test_what_depends_on_a_wrong_section_is_not_guessed() -> None:
    text = "schedule: {kind: piecewise, boundaries: [25], values: [0.1, 0.01]}\ntraining: {epochs: 0}\n"
    with pytest.raises(ConfigError) as caught:
        parse_experiment(text, "exp.yaml")
    assert [problem.where for problem in caught.value.problems] == ["exp.yaml:2:20 training.epochs"]

"""Python is as good as the command line: the same keywords, quick to import, quiet, and errors with a place."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import numpy as np
import pytest

import dtrain
from dtrain import api, workflows
from dtrain.experiment.transfer import Transfer
from dtrain.ground import errors
from dtrain.ground.result import Result
from dtrain.statistics.policy import Outcome
from dtrain.trials.request import RunOptions
from dtrain.workflows.show import SeedsReport
from tests.command_line import COMMANDS
from tests.pages import README, ROOT, blocks, section

PAGE = ROOT / "docs" / "python.md"
SMALLER = "training.epochs=5", 'training.epochs=2", "network=[16]", "training.engine=graph'
FUNCTIONS = {
    name.replace("_", "-"): function
    for name, function in inspect.getmembers(api, inspect.isfunction)
    if function.__module__.startswith(api.__name__) and not name.startswith("_") and name != "load"
}
ELU, SELU = dtrain.load(), dtrain.load(activation="selu")


def test_importing_it_imports_nothing_slow() -> None:
    slow = {"tensorflow", "keras", "rich", "typer", "numpy", "pydantic", "yaml", "matplotlib"}
    script = f"import sys, dtrain; dtrain.run; print(sorted({slow} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == b"[]\n"


def test_every_function_and_every_error_is_at_the_door() -> None:
    failures = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    assert [one for one in (*FUNCTIONS.values(), *failures) if one not in vars(dtrain).values()] == []


def test_the_readme_names_the_commands_that_are_no_functions() -> None:
    (named,) = re.findall(r"Every command but (.*?) is a function", README.read_text())
    assert set(re.findall(r"`(\w+)`", named)) == COMMANDS.keys() - FUNCTIONS.keys()


@pytest.mark.parametrize("command", FUNCTIONS)
def test_keywords_are_the_options_of_the_command_with_the_same_defaults(command: str) -> None:
    options = {str(one.name): one.default for one in COMMANDS[command].params}
    keywords = {name: one.default for name, one in inspect.signature(FUNCTIONS[command]).parameters.items()}
    shared = keywords.keys() - {"config", "overrides", "changes", "progress"}
    sections = Transfer.model_fields if command == "transfer" else ()
    assert shared == options.keys() - {"configuration", "as_json", "quiet", *sections}
    assert ("config" in keywords, "progress" in keywords) == ("configuration" in options, "quiet" in options)
    for name in shared:
        assert keywords[name] is inspect.Parameter.empty or str(keywords[name]) == str(options[name])


@pytest.mark.parametrize(
    "load",
    [
        lambda file: dtrain.load(file),
        lambda file: dtrain.load(str(file)),
        lambda file: dtrain.load("activation: selu"),
        lambda file: dtrain.load({"activation": "selu"}),
        lambda file: dtrain.load(dtrain.load(file)),
        lambda file: dtrain.load(None, ["activation=selu"]),
        lambda file: dtrain.load(overrides="activation=selu"),
        lambda file: dtrain.load(activation={"kind": "selu"}),
        lambda file: dtrain.load({"activation": "elu"}, ["activation=relu"], activation="selu"),
    ],
)
def test_every_way_to_say_the_same(load: Callable[[Path], Any], tmp_path: Path) -> None:
    file = tmp_path / "selu.yaml"
    file.write_text("activation: selu\n")
    assert load(file) == SELU != ELU


def test_values_of_numpy_and_paths_are_plain_enough(tmp_path: Path) -> None:
    np.savez(tmp_path / "x: #1.npz", x_train=[0])
    found = dtrain.load(network=np.array([8, 4]), dataset=tmp_path / "x: #1.npz", seed=np.int64(3))
    assert (found.network.hidden_layers, found.dataset.name, found.seed) == (2, str(tmp_path / "x: #1.npz"), 3)


@pytest.mark.parametrize(
    ("config", "changes", "where"),
    [
        (None, {"activation": "elo"}, "override activation=elo"),
        ({"training": {"epochs": 0}}, {}, 'override training={"epochs": 0} training.epochs'),
        ("seed: 1\nactivation: elo", {}, "text:2:13 activation"),
        ("nowhere.yaml", {}, "nowhere.yaml"),
    ],
)
def test_an_error_says_where(config: Any, changes: dict[str, Any], where: str) -> None:
    with pytest.raises(dtrain.ConfigError) as caught:
        dtrain.validate(config, **changes)
    assert caught.value.problems[0].where == where


def test_strictness_makes_an_error_of_advice() -> None:
    assert dtrain.validate(activation="sigmoid", initializer="zeros").advice
    with pytest.raises(dtrain.ConfigError):
        dtrain.validate(activation="sigmoid", initializer="zeros", strict=True)


def test_a_field_of_the_transfer_section_is_a_keyword(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtrain.workflows.transfer.transfer", lambda task, request, options, observer: (task, request))
    task, request = cast(Any, dtrain.transfer)("base.h5", reuse=1, hidden=(50,), seeds=2, training={"batch_size": 16})
    assert (task.transfer.reuse, task.transfer.hidden, task.training.batch_size) == (1, (50,), 16)
    assert (request.base, request.seeds) == (Path("base.h5"), 2)


def test_data_is_looked_for_where_the_command_line_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtrain.workflows.run.run", lambda experiment, options, observer: options)
    monkeypatch.setenv("DTRAIN_DATA_DIR", "/from/environment")
    assert cast(Any, dtrain.run("seed: 7")) == RunOptions(stem="text", data_dir=Path("/from/environment"))
    assert cast(Any, dtrain.run(seed=7, data_dir="/given")) == RunOptions(data_dir=Path("/given"))


def test_a_tilde_is_the_home_folder_wherever_a_path_comes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("dtrain.workflows.run.run", lambda experiment, options, observer: options)
    monkeypatch.setattr("dtrain.workflows.transfer.transfer", lambda task, request, *_: request)
    monkeypatch.setattr("dtrain.workflows.compare.compare", lambda *given: SimpleNamespace(warnings=(), given=given))
    monkeypatch.setattr("dtrain.workflows.lr_find.lr_find", lambda *_, write, verify: write)
    (tmp_path / "selu.yaml").write_text("activation: selu\n")
    assert dtrain.load("~/selu.yaml") == SELU
    runs, data = tmp_path / "runs", tmp_path / "data"
    assert cast(Any, dtrain.run(runs_dir="~/runs", data_dir="~/data")) == RunOptions(runs, data_dir=data)
    assert cast(Any, dtrain.transfer("~/a.h5")).base == tmp_path / "a.h5"
    assert cast(Any, dtrain.lr_find(write="~/new.yaml")) == tmp_path / "new.yaml"
    compared = cast(Any, dtrain.compare("a", "~/b", csv="~/a.csv", plot="~/a.png", runs_dir="~/runs")).given
    assert compared == (runs, ["a", str(tmp_path / "b")], tmp_path / "a.csv", tmp_path / "a.png", None)


class Listener(dtrain.RunObserver):
    """Keeps the numbers of the epochs; of warnings it takes care as any observer does."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_epoch(self, metrics: Any, seconds: float | None) -> None:
        self.epochs.append(metrics["epoch"])


def warned(experiment: Any, options: Any, observer: dtrain.RunObserver) -> None:
    observer.on_training(Path("runs/x-1"), 42, 1, 1)
    observer.on_warning("something odd")


def test_a_warning_is_one_of_python_and_points_at_the_line_that_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtrain.workflows.run.run", warned)
    for progress in (False, Listener()):
        with pytest.warns(dtrain.DtrainWarning, match="something odd") as caught:
            dtrain.run(progress=progress)
        assert caught[0].filename == __file__


def test_progress_shows_what_the_command_line_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dtrain.workflows.run.run", warned)
    dtrain.run(progress=True)
    assert capsys.readouterr().err.splitlines() == [
        "checking the experiment",
        "training runs/x-1, seed 42: up to 1 epochs, 1 steps",
        "warning: something odd",
    ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the names of the page stand for when all its lines were done, one after the other, in a folder."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "configs").symlink_to(ROOT / "configs")
    done: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", dtrain.DtrainWarning)
        patch.chdir(folder)
        patch.setattr(Result, "to_frame", Result.rows)
        for block in blocks(PAGE, "python"):
            exec(compile(block.replace(*SMALLER), PAGE.name, "exec"), done)
        yield done | {"caught": caught}


def test_the_page_trains_compares_and_predicts(page: dict[str, Any]) -> None:
    plain, dropout, report = page["plain"], page["dropout"], page["report"]
    assert [one.name for one in report.standings] in (["plain", "dropout"], ["dropout", "plain"])
    assert report.pairs[0].verdict in get_args(Outcome)
    assert len(page["curves"]) == sum(one.epochs for one in plain.runs)
    assert {one["seed"] for one in page["curves"]} == {42, 43}
    assert page["passes"].model == "dropout/seed-42" and page["passes"].samples == 100
    assert dropout.runs[0].folder == Path("runs/dropout/seed-42")
    assert {Path(one.filename).name for one in page["caught"]} <= {PAGE.name}


def test_what_came_out_is_found_again(page: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    plain = page["plain"]
    shown = dtrain.show(plain)
    assert isinstance(shown, SeedsReport) and shown.result and shown.result.runs == plain.runs
    assert shown.rows() == plain.rows("curves") == page["curves"]
    assert dtrain.evaluate(plain.runs[0]).overall == plain.runs[0].test
    assert capfd.readouterr() == ("", "")


def test_the_table_of_the_page_has_every_result_with_its_tables() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (`.*`) \|$", section(PAGE, "What comes out"), re.MULTILINE)
    returned = " ".join(function.__annotations__["return"] for function in FUNCTIONS.values())
    for module in pkgutil.iter_modules(workflows.__path__, "dtrain.workflows."):
        importlib.import_module(module.name)
    tables = {one.__name__: one.TABLES for one in Result.__subclasses__()}
    assert {name: tuple(re.findall(r"\w+", named)) for name, named in rows} == {
        name: tables[name] for name in re.findall(r"\w+", returned)
    }

"""The command line: one way to fail, one document with --json, quick answers without TensorFlow."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dtrain.workflows.run
from dtrain import __version__
from dtrain.cli import main
from dtrain.cli.arguments import split_configuration
from dtrain.ground.errors import DataError
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import RunResult, SeedsResult, SplitResult
from dtrain.statistics.intervals import Interval
from dtrain.trials.request import RunOptions

SMALL = ["dataset.train_limit=320", "network=[16]", "training.epochs=1", "training.engine=graph"]
DTRAIN = [sys.executable, "-m", "dtrain"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DTRAIN_DATA_DIR", raising=False)


def error_of(output: str) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(output)["error"]
    return error


def split() -> SplitResult:
    return SplitResult(0.5, 0.8, Interval(0.79, 0.81), 2000)


def result(folder: Path = Path("runs/x-1")) -> RunResult:
    return RunResult(folder, 42, 1, 1, 10, split(), split(), split(), {"train": 1.0}, "graph", stopped_early=False)


def test_bare_and_help_list_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    bare = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == bare
    assert all(command in bare for command in ("run", "validate", "show", "evaluate", "data"))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dtrain {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "config", "overrides"),
    [
        ([], None, []),
        (["a.yaml"], Path("a.yaml"), []),
        (["seed=3"], None, ["seed=3"]),
        (["a.yaml", "seed=3", "optimizer=adam"], Path("a.yaml"), ["seed=3", "optimizer=adam"]),
        (["rate=0.1.yaml", "seed=3"], Path("rate=0.1.yaml"), ["seed=3"]),
    ],
)
def test_what_is_the_file_and_what_the_overrides(
    arguments: list[str], config: Path | None, overrides: list[str]
) -> None:
    Path("rate=0.1.yaml").touch()
    assert split_configuration(arguments) == (config, overrides)


def test_row_59_a_whole_run_with_a_warning_prints_one_document(capfd: pytest.CaptureFixture[str]) -> None:
    Path("tiny.yaml").write_text("optimizer: adam\n")
    assert main(["run", "tiny.yaml", *SMALL, "--json"]) == 0
    out, err = capfd.readouterr()
    document = json.loads(out)
    assert document["folder"] == "runs/tiny-1"
    assert document["test"]["accuracy"] == RunFolder(Path("runs/tiny-1")).read_summary()["test"]["accuracy"]
    assert "warning: schedule one_cycle: adam has no momentum" in err
    assert main(["show", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["result"] == document
    assert main(["evaluate", "--json", "--quiet"]) == 0
    assert json.loads(capfd.readouterr().out)["overall"]["accuracy"] == document["test"]["accuracy"]


def test_seeds_of_which_some_diverged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    several = SeedsResult(Path("runs/x-1"), (result(),), 1, 0.8, None, 0.8, None)
    monkeypatch.setattr(dtrain.workflows.run, "run_seeds", lambda experiment, seeds, options, observer: several)
    assert main(["run", "--seeds", "2", "--json"]) == 10
    assert json.loads(capsys.readouterr().out)["diverged"] == 1
    monkeypatch.setattr(
        dtrain.workflows.run, "run_seeds", lambda experiment, seeds, options, observer: replace(several, diverged=0)
    )
    assert main(["run", "--seeds", "2"]) == 0
    assert "mean test accuracy 80.00% (1 seed)" in capsys.readouterr().out


def test_a_repeated_run_is_named_after_the_run_that_its_file_is_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL, "--quiet", "--name", "first"]) == 0
    assert main(["run", "runs/first/config.yaml", "--quiet"]) == 0
    assert Path("runs/first-1/metrics.jsonl").read_bytes() == Path("runs/first/metrics.jsonl").read_bytes()
    assert "run folder runs/first-1" in capsys.readouterr().out


@pytest.mark.faults
def test_a_closed_standard_error_does_no_harm() -> None:
    command = shlex.join([*DTRAIN, "run", *SMALL, "--name", "unheard"])
    subprocess.run(["sh", "-c", f"{command} 2>&-"], check=True, capture_output=True)
    assert RunFolder(Path("runs/unheard")).read_status()["state"] == "completed"


def test_row_50_a_wrong_command_is_one_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runn", "--json"]) == 2
    assert "run" in json.loads(capsys.readouterr().out)["error"]["problems"][0]["message"]


def test_options_reach_the_workflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    received = []

    def run(experiment: Any, options: RunOptions, observer: Any) -> RunResult:
        received.append((experiment.seed, options))
        return result()

    monkeypatch.setattr(dtrain.workflows.run, "run", run)
    monkeypatch.setenv("DTRAIN_DATA_DIR", "/from/environment")
    Path("elu.yaml").write_text("seed: 1\n")
    assert main(["run", "elu.yaml", "seed=2", "--runs-dir", "r", "--name", "n", "--device", "cpu", "-q"]) == 0
    assert main(["run", "--data-dir", "/given", "-q"]) == 0
    assert received == [
        (2, RunOptions(Path("r"), "n", "elu", "cpu", Path("/from/environment"))),
        (42, RunOptions(Path("runs"), None, "default", "auto", Path("/given"))),
    ]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "Did you mean 'run'?"),
        (["run", "--sedes", "3"], "--seeds"),
        (["run", "--seeds", "0"], "--seeds"),
        (["run", "--device", "tpu"], "expected auto, cpu"),
        (["evaluate", "--split", "train"], "test"),
        (["data", "fetch"], "NAME is missing; expected `dtrain data fetch NAME`"),
        (["data", "import"], "PATH is missing; expected `dtrain data import PATH`"),
        (["data", "status", "mnist"], "after status; expected nothing more"),
        (["data", "statsu"], "'action': 'statsu' is not one of 'status', 'fetch', 'import'; did you mean 'status'?"),
        (["show"], "make one: `dtrain run`"),
        (["--vresion"], "--version"),
    ],
)
def test_row_50_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "error: " in err and said in err and "Traceback" not in err
    assert main([*arguments, "--json"]) == 2
    assert said in json.dumps(error_of(capsys.readouterr().out))


@pytest.mark.parametrize("command", ["run", "validate"])
def test_row_08_every_config_error_at_once(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text("activation: elo\ntraining:\n  epochs: 0\n  batch: 3\n")
    assert main([command, "bad.yaml", "--json"]) == 3
    error = error_of(capsys.readouterr().out)
    assert (error["name"], error["exit_code"]) == ("config", 3)
    assert [one["where"] for one in error["problems"]] == [
        "bad.yaml:1:13 activation",
        "bad.yaml:3:11 training.epochs",
        "bad.yaml:4:3 training.batch",
    ]
    assert main([command, "bad.yaml"]) == 3
    assert capsys.readouterr().err.count("error: bad.yaml:") == 3
    assert os.listdir() == ["bad.yaml"]


def test_row_51_an_override_without_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "optimizer.learning_rate="]) == 2
    assert "optimizer.learning_rate=" in capsys.readouterr().err


def fails_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(experiment: Any, options: Any, observer: Any) -> None:
        observer.on_training(Path("runs/half-1"), 42, 20, 100)
        raise error

    monkeypatch.setattr(dtrain.workflows.run, "run", run)


def test_an_error_in_training_says_where_the_folder_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(DataError("got a", where="b", hint="do c"), monkeypatch)
    assert main(["run", "--quiet"]) == 4
    expected = "error: b: got a\nhint: do c\nwhat was measured until then is in runs/half-1\n"
    assert capsys.readouterr().err == expected


def test_a_bug_has_a_traceback_and_is_one_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(ZeroDivisionError("oops"), monkeypatch)
    assert main(["run", "--json"]) == 1
    out, err = capsys.readouterr()
    assert error_of(out)["problems"][0]["message"] == "ZeroDivisionError: oops"
    assert "Traceback" in err


def test_row_60_a_full_disk_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fails_with(OSError(28, "No space left on device", "runs/half-1/x"), monkeypatch)
    assert main(["run", "--quiet"]) == 7
    assert capsys.readouterr().err.startswith("error: runs/half-1/x: No space left on device\n")


@pytest.mark.parametrize(("name", "exit_code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_row_65_signals_unwind(
    name: str, exit_code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number, unwound = signal.Signals[name], []
    before = signal.getsignal(number)

    def run(experiment: Any, options: Any, observer: Any) -> None:
        observer.on_training(Path("runs/half-1"), 42, 20, 100)
        try:
            os.kill(os.getpid(), number)
        finally:
            unwound.append(signal.getsignal(number))

    monkeypatch.setattr(dtrain.workflows.run, "run", run)
    assert main(["run", "--quiet"]) == exit_code
    assert capsys.readouterr().err == "error: interrupted\nwhat was measured until then is in runs/half-1\n"
    assert unwound == [signal.SIG_DFL], "row 64: a second signal ends the process at once"
    assert signal.getsignal(number) == before


def test_a_signal_that_is_ignored_stays_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(experiment: Any, options: Any, observer: Any) -> RunResult:
        os.kill(os.getpid(), signal.SIGHUP)
        return result()

    monkeypatch.setattr(dtrain.workflows.run, "run", run)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["run", "--quiet"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_row_63_ctrl_c_in_the_middle_of_training() -> None:
    command = [*DTRAIN, "run", *SMALL, "training.epochs=100000", "training.early_stopping=null"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stdout is not None
        for line in process.stderr:
            if line.startswith("epoch 3/"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.stdout.read() == ""
    assert process.returncode == 130
    assert rest.endswith(
        "error: interrupted\nto go on from where it stopped: `dtrain resume runs/default-1`\n"
        "what was measured until then is in runs/default-1\n"
    )
    folder = RunFolder(Path("runs/default-1"))
    assert folder.read_status()["state"] == "interrupted"
    assert len(folder.read_metrics()) >= 3


@pytest.mark.parametrize("arguments", [["validate"], ["validate", "--json"], ["data"]])
def test_row_58_stdout_is_closed(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    finished = subprocess.run([*DTRAIN, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (finished.returncode, finished.stderr) == (1, "")


WITHOUT_TENSORFLOW = """
import sys
from dtrain.cli import main
codes = [main(arguments.split()) for arguments in sys.argv[1:]]
loaded = {"tensorflow", "keras", "matplotlib"} & set(sys.modules)
print(codes, sorted(loaded), file=sys.stderr)
"""


def test_quick_commands_and_config_errors_do_without_tensorflow() -> None:
    right = ["--help", "run --help", "validate", "techniques", "schema", "init"]
    commands = [*right, "run seed=x", "run nothing.yaml", "show", "data", "run --device x"]
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *commands], capture_output=True, text=True, check=True
    )
    assert finished.stderr.splitlines()[-1] == "[0, 0, 0, 0, 0, 0, 3, 3, 2, 0, 2] []"


def test_help_does_without_numpy_and_pydantic() -> None:
    script = WITHOUT_TENSORFLOW.replace('{"tensorflow",', '{"numpy", "pydantic",')
    finished = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True)
    assert finished.stderr.splitlines()[-1] == "[0] []"


def test_python_m_dtrain() -> None:
    finished = subprocess.run([*DTRAIN, "validate"], capture_output=True, text=True, check=True)
    assert re.match(r"# the default experiment is right", finished.stdout)

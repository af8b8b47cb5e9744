"""A run folder may come from a stranger: whatever is in it, commands answer in one line, soon, and without harm."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from dtrain.cli import main
from dtrain.engine.state import EpochMetrics, TrainingState
from dtrain.experiment.techniques.schedules import Plateau
from dtrain.ground.errors import DtrainError
from dtrain.runs.catalogue import find_run
from dtrain.runs.checkpoints import Checkpoint, Circumstances, load_latest, save
from dtrain.runs.folder import RunFolder, list_runs
from tests.limits import within_limits
from tests.studies.made_runs import measured, several, single

STATE = "a/checkpoints/000001/state.json"
FILES = (
    "a/status.json",
    "a/config.yaml",
    "a/summary.json",
    "a/metrics.jsonl",
    "a/timing.jsonl",
    "a/predictions.npz",
    STATE,
    "a/checkpoints/000001/arrays.npz",
    "c/status.json",
    "c/seed-42/status.json",
    "c/seed-42/summary.json",
)
ANSWERED = {0, 2, 8}
VALUES: tuple[Any, ...] = (
    *(None, True, "", "x", "\x1b[31m[red]", [], {}, [[]], {"a": 1}, "x" * 10_000, "2026-01-01", "0001-01-01T00:00:00Z"),
    *(0, -1, 1, 2**62, 2**70, 10**9, 0.5, -0.5, 1e308, -1e308, 1e-320),
)
COMMANDS = (
    *(["show", "a"], ["show", "--json", "a"], ["show"], ["show", "c"]),
    *(["compare", "a", "b", "c"], ["compare", "a", "b", "--plot", "plot.png"], ["evaluate", "a"]),
)
CASES = pytest.mark.parametrize("cases", [30, pytest.param(300, marks=pytest.mark.slow)])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs as dtrain writes them."""
    runs_dir = tmp_path_factory.mktemp("sound")
    folder = single(runs_dir, "a", 42, 0.8)
    folder.append_timing({"epoch": 1, "seconds": 0.5})
    single(runs_dir, "b", 42, 0.7, written={"activation": "selu"})
    several(runs_dir, "c", [0.8, 0.9])
    state = TrainingState(
        variables=[np.ones((3, 2), np.float32)],
        best_weights=[np.ones((3, 2), np.float32)],
        best=0.5,
        best_epoch=1,
        plateau=Plateau(),
        epochs=(EpochMetrics(**measured(1)),),
        steps={"loss": np.ones(10)},
    )
    circumstances = Circumstances(folder.read_config(), {"keras": "3"})
    save(folder.checkpoints_path, Checkpoint(state, ("kernel (3, 2) float32",), circumstances))
    return runs_dir


@pytest.fixture
def runs(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(sound, tmp_path / "runs"))


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yields where there is something in parsed JSON."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in entries:
        yield from places(one, (*path, key))


def changed(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def in_json(draw: st.DrawFn, content: bytes) -> bytes:
    """Puts a value of another kind in the place of one, in one line of JSON, or leaves a key out."""
    lines = content.splitlines(keepends=True) if content.count(b"\n{") else [content]
    number = draw(st.integers(0, len(lines) - 1))
    parsed = json.loads(lines[number])
    path = draw(st.sampled_from(list(places(parsed))))
    lines[number] = json.dumps(changed(parsed, path, draw(st.sampled_from(VALUES)))).encode() + b"\n"
    return b"".join(lines)


def in_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    start = draw(st.integers(0, max(len(content) - 1, 0)))
    end = draw(st.integers(start, min(start + 64, len(content))))
    return content[:start] + draw(st.binary(max_size=64)) + content[end:]


@st.composite
def damages(draw: st.DrawFn, sound: Path) -> tuple[str, bytes | str]:
    """Draws a file and what is in its place: bytes, or the word for what is no file."""
    file = draw(st.sampled_from(FILES))
    content = (sound / file).read_bytes()
    ways: list[Callable[[], bytes | str]] = [
        lambda: in_bytes(draw, content),
        lambda: content[: draw(st.integers(0, len(content)))],
        lambda: (sound / draw(st.sampled_from(FILES))).read_bytes(),
        lambda: draw(st.sampled_from(["pipe", "folder", "device", "nowhere", "missing"])),
    ]
    if ".json" in file:
        ways += [lambda: in_json(draw, content)] * 4
    return file, draw(st.sampled_from(ways))()


def damage(runs_dir: Path, file: str, content: bytes | str) -> None:
    path = runs_dir / file
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "pipe":
        os.mkfifo(path)
    elif content == "folder":
        path.mkdir()
    elif content in ("device", "nowhere"):
        path.symlink_to("/dev/zero" if content == "device" else runs_dir / "nowhere")
    if file == STATE and isinstance(content, bytes):
        manifest = path.with_name("manifest.json")
        said = json.loads(manifest.read_text()) | {"state.json": hashlib.sha256(content).hexdigest()}
        manifest.write_text(json.dumps(said))


def check_answers(runs_dir: Path, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with within_limits():
        code = main([*command, "--runs-dir", str(runs_dir)])
    said = capsys.readouterr().err
    # the made runs are of no data set, so that evaluate goes no further
    assert code in (ANSWERED | {4, 5} if command[0] == "evaluate" else ANSWERED), said
    assert "Traceback" not in said
    assert code == 0 or "--json" in command or sum(line.startswith("error: ") for line in said.splitlines()) == 1, said
    # what is changed may say another moment, or none
    assert {one.path.name for one in list_runs(runs_dir)} in ({"a", "b", "c"}, {"b", "c"}, {"a", "b"})
    with suppress(DtrainError):
        load_latest(find_run(runs_dir, "a").checkpoints_path)


@CASES
def test_whatever_is_in_a_file_the_answer_is_one_line(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cases: int
) -> None:
    monkeypatch.chdir(tmp_path)

    @settings(max_examples=cases, deadline=None)
    @given(damages(sound), st.sampled_from(COMMANDS))
    def answered(case: tuple[str, bytes | str], command: list[str]) -> None:
        note(f"{command} where {case[0]} holds {case[1]!r}")
        with tempfile.TemporaryDirectory(dir=tmp_path) as temporary:
            runs_dir = Path(shutil.copytree(sound, Path(temporary) / "runs"))
            damage(runs_dir, *case)
            check_answers(runs_dir, command, capsys)
            with suppress(OSError):
                os.unlink("plot.png")

    answered()


def test_more_epochs_than_planned_are_not_shown(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps(measured(epoch)) + "\n" for epoch in range(1, 20_001)]
    (runs / "a" / "metrics.jsonl").write_text("".join(lines))
    assert main(["show", "a", "--runs-dir", str(runs)]) == 8
    assert "metrics.jsonl: holds 20,000 epochs; expected at most 20" in capsys.readouterr().err


def test_a_pipe_in_one_folder_holds_up_no_other(runs: Path) -> None:
    damage(runs, "a/status.json", "pipe")
    assert [one.path.name for one in list_runs(runs)] == ["b", "c"]
    assert find_run(runs, None) == RunFolder(runs / "c")


def test_of_very_many_epochs_the_last_ones_are_shown(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps(measured(epoch)) + "\n" for epoch in range(1, 2_001)]
    (runs / "a" / "metrics.jsonl").write_text("".join(lines))
    config = runs / "a" / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 20", "epochs: 2000"))
    assert main(["show", "a", "--runs-dir", str(runs)]) == 0
    shown = capsys.readouterr().out
    assert "the last 1,000 epochs; all are in metrics.jsonl" in shown
    assert len(shown.splitlines()) < 1_100

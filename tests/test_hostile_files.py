"""Whatever stands in the files of a run, what is printed of it neither steers a terminal nor forges a line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dtrain.cli import main
from dtrain.data.images import ImageSet

pytestmark = pytest.mark.slow

HOSTILE = "x\x1b[31m\x9b2J\u202e[red]\r\x07\x7f\u2028\nerror: forged"
Capture = pytest.CaptureFixture[str]
Leaf = tuple[str | int, ...]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, image_set: ImageSet) -> Path:
    """A run folder on images whose classes have hostile names, and a second one beside it."""
    place = tmp_path_factory.mktemp("hostile")
    images = place / "images.npz"
    np.savez(
        images,
        x_train=image_set.train_images[:500],
        y_train=image_set.train_labels[:500],
        x_test=image_set.test_images[:500],
        y_test=image_set.test_labels[:500],
        class_names=np.array([f"{number}{HOSTILE}" for number in range(10)]),
    )
    small = [f"dataset.name={images}", "network=[4]", "training={epochs: 1, engine: graph, save: [keras, h5]}"]
    for name in ("one", "two"):
        assert main(["run", *small, "--name", name, "--runs-dir", str(place), "-q"]) == 0
    return place / "one"


@pytest.fixture
def copy(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run folder, to be changed."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        shutil.copytree(trained.parent / name, tmp_path / name)
    return tmp_path / "one"


def texts(value: Any, leaf: Leaf = ()) -> Iterator[Leaf]:
    """Yields where texts and numbers are."""
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(one, (*leaf, key))
    else:
        yield leaf


def planted(value: Any, leaf: Leaf) -> Any:
    """Returns the value with the hostile text at one place."""
    if not leaf:
        return HOSTILE
    changed = value.copy()
    changed[leaf[0]] = planted(value[leaf[0]], leaf[1:])
    return changed


def assert_harmless(capture: Capture, command: object) -> None:
    out, err = capture.readouterr()
    for text in (out, err):
        assert all(one.isprintable() for one in text.replace("\n", "")), (command, text)
        assert "\nerror: forged" not in text and "Traceback" not in text, (command, text)


FORMS: dict[str, tuple[Callable[[str], Any], Callable[[Any], str]]] = {
    "config.yaml": (yaml.safe_load, lambda value: yaml.safe_dump(value, allow_unicode=False)),
    "status.json": (json.loads, json.dumps),
    "summary.json": (json.loads, json.dumps),
    "metrics.jsonl": (json.loads, lambda value: json.dumps(value) + "\n"),
    "timing.jsonl": (json.loads, lambda value: json.dumps(value) + "\n"),
}


@pytest.mark.parametrize("file", FORMS)
def test_row_105_no_value_in_a_file_of_a_run_steers_the_terminal(file: str, copy: Path, capsys: Capture) -> None:
    read, write = FORMS[file]
    original = (copy / file).read_text()
    value = read(original)
    assert main(["show", str(copy)]) == 0
    capsys.readouterr()
    if file == "status.json":
        value |= {"state": "failed", "reason": "ran out of memory"}
    for leaf in texts(value):
        (copy / file).write_text(write(planted(value, leaf)))
        for command in (["show", str(copy)], ["compare", "one", "two", "--runs-dir", str(copy.parent)]):
            main(command)
            assert_harmless(capsys, (command, leaf))


def test_row_105_no_class_and_no_model_file_steers_the_terminal(copy: Path, capsys: Capture) -> None:
    base = copy / f"{HOSTILE}.h5".replace("/", "")
    shutil.copy(copy / "model.h5", base)
    task = ["dataset.train_limit=40", "network=[4]", "training={epochs: 1, engine: graph}"]
    for command, exit_code in (
        (["evaluate", str(copy)], 0),
        (["mc-predict", str(base), "--dataset", "fashion_mnist_sample", "--runs-dir", str(copy.parent)], 3),
        (["transfer", "--base", str(base), *task, "--seeds", "1", "--runs-dir", HOSTILE], 5),
        (["validate", f"dataset.name={json.dumps(f'./{HOSTILE}.npz')}"], 0),
    ):
        assert main(command) in (exit_code, 0, 2, 3, 4, 5)
        assert_harmless(capsys, command)

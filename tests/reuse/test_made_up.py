"""Model files that are changed at random: each gives a model or one line that says why not, in bounded time."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dtrain.ground.errors import ModelFileError
from dtrain.ground.printable import Lines
from tests.limits import within_limits
from tests.reuse.helpers import edit_archive, load_base, read_member, small_layers, write_keras_2
from tests.reuse.strangers import functional, nested

Path_ = tuple[str | int, ...]
WORDS = ["relu", "threshold", "celu", "x", "", "\x1b[31m", "conv/inner", "a" * 5000, "same", "channels_first", "Dense"]
NUMBERS = [0, -1, 1, 2, 3, 1.5, -0.0, 1e300, 2**31, 2**63, 10**30, 10**400]
ATOMS = st.one_of(st.sampled_from([*WORDS, *NUMBERS, None, True, False]), st.integers(-9, 99), st.floats(-9, 9))
VALUES = st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner))
KINDS = [
    "Dense",
    "Rescaling",
    "AveragePooling2D",
    "MaxPooling2D",
    "PReLU",
    "Softmax",
    "Reshape",
    "Add",
    "Normalization",
]
KINDS += ["Dropout", "Sequential", "Functional", "RandomFlip", "UpSampling2D", "Cropping2D", "GroupNormalization", "X"]
MOST_MEMORY = 2**19
"""KiB that the largest of these files may add."""


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place in a configuration that something else can be put."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in pairs:
        yield from places(one, (*path, key))


def holder(value: Any, path: Path_) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


@st.composite
def changed(draw: st.DrawFn, configuration: dict[str, Any]) -> dict[str, Any]:
    """A configuration in which a few values, classes or layers are others."""
    made = copy.deepcopy(configuration)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(made))))
        inside, key = holder(made, path), path[-1]
        kind = draw(st.sampled_from(["replace", "replace", "remove", "double", "add"]))
        if kind == "replace":
            inside[key] = draw(st.sampled_from(KINDS) if key == "class_name" else VALUES)
        elif kind == "remove":
            del inside[key]
        elif kind == "double" and isinstance(inside, list):
            inside.insert(int(key), copy.deepcopy(inside[int(key)]))
        elif isinstance(inside, dict):
            inside[draw(st.sampled_from(["axis", "strides", "scale", "activation", "units", "name"]))] = draw(VALUES)
    return made


def outcome(path: Path) -> str:
    """Loads a file: anything but a model or a refusal in one clean line is a failure."""
    with within_limits(MOST_MEMORY):
        try:
            load_base(path)
            return ""
        except ModelFileError as error:
            assert 0 < len(str(error)) < 4000
            for problem in error.problems:
                assert isinstance(problem.message, Lines) or "\n" not in str(problem)
                assert str(problem).replace("\n", "").isprintable()
                assert problem.hint.isprintable()
            return str(error)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("originals")
    for model in (functional, nested):
        model().save(folder / f"{model.__name__}.keras")
    found = {path.stem: path for path in folder.iterdir()}
    return found | {"keras_2": write_keras_2(folder / "keras_2.h5")}


def write_changed(data: st.DataObject, original: Path, folder: Path) -> Path:
    path = folder / original.name
    if original.suffix == ".h5":
        whole = {"layers": small_layers()}
        made = data.draw(changed(whole))
        return write_keras_2(path, made.get("layers"))
    path.write_bytes(original.read_bytes())
    made = data.draw(changed(json.loads(read_member(original, "config.json"))))
    edit_archive(path, config=json.dumps(made).encode())
    return path


def check_configuration(data: st.DataObject, originals: dict[str, Path], folder: Path) -> None:
    path = write_changed(data, originals[data.draw(st.sampled_from(sorted(originals)))], folder)
    note(outcome(path) or "a model")


def check_bytes(data: st.DataObject, originals: dict[str, Path], folder: Path) -> None:
    """Changes bytes of the file, or of what is packed in it."""
    original = originals[data.draw(st.sampled_from(sorted(originals)))]
    path, content = folder / original.name, original.read_bytes()
    member = data.draw(st.sampled_from(["config.json", "model.weights.h5", ""])) if original.suffix == ".keras" else ""
    content = read_member(original, member) if member else content
    damaged = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        damaged[place] = data.draw(st.integers(0, 255))
    path.write_bytes(original.read_bytes() if member else bytes(damaged))
    if member:
        edit_archive(path, **{"config" if member == "config.json" else "weights": bytes(damaged)})
    note(outcome(path) or "a model")


ANY_TIME = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(ANY_TIME, max_examples=20)
@given(data=st.data())
def test_a_configuration_that_is_changed(
    data: st.DataObject, originals: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_configuration(data, originals, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@settings(ANY_TIME, max_examples=300)
@given(data=st.data())
def test_many_configurations_that_are_changed(
    data: st.DataObject, originals: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_configuration(data, originals, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@settings(ANY_TIME, max_examples=100)
@given(data=st.data())
def test_bytes_that_are_changed(
    data: st.DataObject,
    originals: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    own_process: None,
) -> None:
    check_bytes(data, originals, tmp_path_factory.getbasetemp())


def test_a_bomb_in_an_archive_is_none(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", io.BytesIO(bytes(2**26)).getvalue())
        archive.writestr("model.weights.h5", b"")
    assert "config.json unpacks to more than" in outcome(path)

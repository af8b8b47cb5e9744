"""The saved model of each technique is read by a Keras that knows nothing of dtrain, and as a base."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from dtrain.engine.model import build_model, stock_model
from dtrain.experiment.config.catalogue import catalogue
from dtrain.experiment.config.loading import parse_experiment
from dtrain.experiment.config.schema import families
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError
from tests.reuse.helpers import load_base

IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
LAYERS = ("activation", "normalization", "regularizer")
"""Families whose kinds are layers, or parts of them; those of the others leave their names in a file at most."""
PLAIN_KERAS = """
import sys, pathlib
import keras, numpy as np
images = np.load("images.npy")
for path in sorted(pathlib.Path().glob("*.keras")):
    try:
        found = np.asarray(keras.models.load_model(path, compile=False)(images, training=False))
        np.testing.assert_allclose(found, np.load(f"{path.stem}.npy"), rtol=1e-4, atol=1e-5)
    except Exception as error:
        print(path.stem, type(error).__name__, str(error)[:200])
assert "dtrain" not in sys.modules
"""


def experiments(keys: Sequence[str]) -> Iterator[tuple[str, Experiment]]:
    """Each kind with its defaults, and activations with another number too."""
    for family in keys:
        for kind in catalogue(family).kinds:
            small = ["network=[4]"] if family != "network" else []
            small = [] if "network:" in kind.yaml else small
            yield f"{family}-{kind.kind}", parse_experiment(kind.yaml, kind.kind, small)
            for field in kind.fields if family == "activation" else ():
                moved = "true" if field.default == "false" else f"{float(field.default or 0) * 0.75 + 0.06:.3g}"
                whole = [f"activation={{kind: {kind.kind}, {field.name}: {moved}}}", *small]
                if field.default.isdecimal():
                    whole[0] = whole[0].replace(moved, str(int(field.default) + 1))
                try:
                    yield f"{family}-{kind.kind}-{field.name}", parse_experiment("", kind.kind, whole)
                except ConfigError:
                    continue


@pytest.mark.parametrize(
    "keys",
    [LAYERS, pytest.param(sorted(families().keys() - {*LAYERS}), marks=pytest.mark.slow)],
    ids=["layers", "rest"],
)
def test_every_technique_is_read_by_plain_keras_and_as_a_base(keys: Sequence[str], tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    wrong = []
    for name, experiment in experiments(keys):
        model = stock_model(build_model(experiment, IMAGES.shape[1:], 3, seed=1))
        expected = np.asarray(model(IMAGES, training=False))
        np.save(tmp_path / f"{name}.npy", expected)
        model.save(tmp_path / f"{name}.keras")
        try:
            found = np.asarray(load_base(tmp_path / f"{name}.keras").model(IMAGES, training=False))
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {str(error)[-300:]}")
    assert not wrong, "\n".join(wrong)
    assert len(list(tmp_path.glob("*.keras"))) > 20
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-P", "-W", "ignore", "-c", PLAIN_KERAS]
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert (told.returncode, told.stdout) == (0, ""), told.stdout + told.stderr[-2000:]

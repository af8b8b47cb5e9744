"""What the tests of model files share: the reader in this process, and a small archive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from dtrain.reuse import contents, hdf5_reader


@pytest.fixture(autouse=True)
def reader_in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process for each of these files would take as long as all the rest."""
    if "own_process" not in request.fixturenames:
        respond: Callable[..., bytes] = lambda content, layout, path, largest: hdf5_reader.respond(  # noqa: E731
            content, layout, largest
        )
        monkeypatch.setattr(contents, "_run_reader", respond)


@pytest.fixture
def own_process() -> None:
    """Marks the tests that start the reader as a process."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    layers = [keras.Input((4, 3)), keras.layers.Flatten(), *(keras.layers.Dense(5, name=name) for name in "ab")]
    keras.Sequential([*layers, keras.layers.Dense(3, "softmax", name="c")]).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"

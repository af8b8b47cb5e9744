"""Fixtures of the workflows' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from dtrain.trials.compiled import Compiled
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.trials.workshop import Workshop

COMPILED: dict[str, Compiled] = {}


@pytest.fixture
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets all workshops share what they compile, as the trials of one workshop do."""
    original = Workshop.__init__

    def sharing(workshop: Workshop, options: RunOptions, observer: RunObserver) -> None:
        original(workshop, options, observer)
        workshop._compiled = COMPILED

    monkeypatch.setattr(Workshop, "__init__", sharing)


@pytest.fixture
def drawn_pictures() -> None:
    """Marks the tests that look at pictures."""


@pytest.fixture(autouse=True)
def empty_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves pictures without drawing them, which takes longer than trainings that are so short."""
    if "drawn_pictures" not in request.fixturenames:
        monkeypatch.setattr(Figure, "savefig", lambda figure, path, **options: Path(path).touch())


@pytest.fixture
def broken_pictures(empty_pictures: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lets no picture be drawn, and returns what is to be said of it."""

    def fail(figure: Figure, path: Path, **options: object) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(Figure, "savefig", fail)
    return "a picture could not be drawn: RuntimeError: no fonts"

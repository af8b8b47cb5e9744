"""Progress: live on a terminal, a line an epoch elsewhere, nothing but warnings when quiet."""

from __future__ import annotations

import io
import os
import pty
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dtrain.display.progress import KEPT_EPOCHS, LiveProgress, PlainProgress, QuietProgress, progress

METRICS = {
    "loss": 0.5,
    "val_loss": 0.6,
    "accuracy": 0.8,
    "val_accuracy": 0.75,
    "learning_rate": 0.05,
    "momentum": 0.9,
    "gradient_norm": 1.5,
}


def train(observer: QuietProgress, seed: int = 42, epochs: int = 2, folder: str = "runs/a-1") -> None:
    observer.on_training(Path(folder), seed, epochs, 10 * epochs)
    for epoch in range(1, epochs + 1):
        observer.on_progress(10 * epoch, 10 * epochs)
        observer.on_epoch({"epoch": epoch} | METRICS, 1.25)


def screen(observer: LiveProgress) -> list[str]:
    with observer.console.capture() as capture:
        observer.console.print(observer)
    return capture.get().splitlines()


def live(width: int = 80, height: int = 24, seeds: int = 1) -> LiveProgress:
    return LiveProgress(Console(file=io.StringIO(), width=width, height=height), seeds)


def test_quiet_shows_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=True) as observer:
        observer.on_phase("starting TensorFlow")
        observer.on_download("images", 1, 1)
        observer.on_warning("no momentum to cycle")
        train(observer)
    assert capsys.readouterr().err == "warning: no momentum to cycle\n"


def test_what_holds_for_many_seeds_is_said_once_with_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=True, seeds=3) as observer:
        for number in range(3):
            observer.on_warning(f"accuracy {10 + number}.{number}% is no better than chance")
            observer.on_warning("model.h5 does not say how its images were scaled")
        observer.on_warning("seed 43 diverged")
        observer.on_warning("seed 44 diverged")
    assert capsys.readouterr().err.splitlines() == [
        "warning: accuracy 10.0% is no better than chance",
        "warning: model.h5 does not say how its images were scaled",
        "warning: seed 43 diverged",
        "warning: seed 44 diverged",
        "warning: 3 trainings: accuracy ... is no better than chance",
        "warning: 3 trainings: model.h5 does not say how its images were scaled",
    ]


def test_a_pipe_gets_one_plain_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False, seeds=3) as observer:
        assert isinstance(observer, PlainProgress)
        observer.on_phase("starting TensorFlow")
        train(observer)
        train(observer, seed=43)
    out, err = capsys.readouterr()
    assert out == "" and "\x1b" not in err
    assert err.splitlines()[:3] == [
        "starting TensorFlow",
        "training runs/a-1, seed 42 (1 of 3): up to 2 epochs, 20 steps",
        "epoch 1/2  loss 0.5000  val loss 0.6000  accuracy 80.00%  val accuracy 75.00%  learning rate 0.0500  1.2 s",
    ]
    assert "seed 43 (2 of 3)" in err


def test_an_epoch_whose_duration_nobody_knows_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as observer:
        observer.on_epoch({"epoch": 1} | METRICS, None)
    assert capsys.readouterr().err.endswith("learning rate 0.0500\n")


def test_a_download_in_a_pipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as observer:
        for done in range(0, 3001, 1000):
            observer.on_download("train-images", done, 3000)
    assert capsys.readouterr().err == "downloaded train-images, 3,000 bytes\n"


def test_what_ends_training_early_tells_where_the_folder_is() -> None:
    with pytest.raises(KeyboardInterrupt) as interrupt, progress(quiet=True) as observer:
        train(observer, folder="runs/half")
        raise KeyboardInterrupt
    assert interrupt.value.__notes__ == ["what was measured until then is in runs/half"]


def test_the_live_table_keeps_the_last_epochs() -> None:
    observer = live(height=40)
    observer.on_training(Path("runs/a-1"), 42, 40, 400)
    for epoch in range(1, 31):
        observer.on_progress(10 * epoch, 400)
        observer.on_epoch({"epoch": epoch} | METRICS, 0.1)
    shown = screen(observer)
    assert shown[0] == "runs/a-1, seed 42"
    assert [line.split()[0] for line in shown[3 : 3 + KEPT_EPOCHS]] == [str(epoch) for epoch in range(16, 31)]
    assert shown[-1].startswith("epoch 31 of 40") and "75% up to" in shown[-1]


@pytest.mark.parametrize(("width", "height"), [(60, 15), (80, 24), (120, 40)])
def test_the_live_table_fits_the_terminal(width: int, height: int) -> None:
    observer = live(width, height)
    train(observer, epochs=50, folder="runs/" + "a-long-name" * 7)
    shown = screen(observer)
    assert max(map(len, shown)) <= width
    assert len(shown) < height


def test_the_live_display_says_what_it_is_waiting_for() -> None:
    observer = live()
    observer.on_phase("starting TensorFlow")
    assert screen(observer)[0].endswith("starting TensorFlow")
    observer.on_download("train-images", 1_500_000, 3_000_000)
    assert screen(observer)[0].endswith("downloading train-images: 1.5 of 3.0 MB")


def test_each_seed_leaves_a_line_when_the_next_begins() -> None:
    observer = live(seeds=2)
    train(observer, seed=42)
    train(observer, seed=43)
    assert isinstance(observer.console.file, io.StringIO)
    assert observer.console.file.getvalue() == (
        "seed 42: 2 epochs, lowest val loss 0.6000 in epoch 1 with val accuracy 75.00%\n"
    )
    assert screen(observer)[0] == "runs/a-1, seed 43 (2 of 2)"


def test_row_105_a_folder_with_escapes_is_shown_as_it_is() -> None:
    observer = live()
    train(observer, folder="runs/[red]\x1b[31m")
    assert screen(observer)[0] == "runs/[red]\\x1b[31m, seed 42"


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[QuietProgress, str]:
    """Trains with stderr on a pseudo-terminal; returns the observer and all that was written there."""
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"} | environment).items():
        monkeypatch.setenv(name, value)
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with progress(quiet=False) as observer:
            train(observer)
        stream.flush()
        written = os.read(reader, 65536).decode()
    os.close(reader)
    return observer, written


def test_a_terminal_gets_the_live_table(monkeypatch: pytest.MonkeyPatch) -> None:
    observer, written = on_a_terminal(monkeypatch)
    assert isinstance(observer, LiveProgress)
    assert "\x1b[1;32m" in written


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    observer, written = on_a_terminal(monkeypatch, NO_COLOR="1")
    assert isinstance(observer, LiveProgress)
    assert not any(f"{code}m" in written for code in range(30, 38))


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}])
def test_a_terminal_that_cannot_redraw_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    observer, _ = on_a_terminal(monkeypatch, **environment)
    assert isinstance(observer, PlainProgress)

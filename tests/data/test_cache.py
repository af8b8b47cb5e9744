"""Files enter the Keras cache whole or not at all, and nowhere else."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from dtrain.data import cache
from dtrain.data.bounded import UnreadableError
from dtrain.data.cache import keras_cache, locked, make_writable, set_aside_unsound
from dtrain.ground.errors import DataError, EnvironmentProblem


def test_the_cache_is_where_keras_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert keras_cache() == tmp_path / ".keras" / "datasets"
    monkeypatch.setenv("KERAS_HOME", "~/elsewhere")
    assert keras_cache() == tmp_path / "elsewhere" / "datasets"


def test_a_home_that_nobody_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", "~no-such-user/keras")
    with pytest.raises(EnvironmentProblem, match="KERAS_HOME: no home folder"):
        keras_cache()


def test_row_37_missing_keras_home_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "missing"
    monkeypatch.setenv("KERAS_HOME", str(home))
    with pytest.raises(EnvironmentProblem, match=str(home)):
        make_writable(keras_cache())
    assert not home.exists()


def test_row_37_unwritable_keras_home_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "datasets").write_text("a file where the folder should be")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=f"{tmp_path / 'datasets'}: cannot be written: Not a directory"):
        make_writable(keras_cache())


def test_the_default_folder_is_made_on_first_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    make_writable(keras_cache())
    assert keras_cache().is_dir()


def test_a_lock_held_elsewhere_ends_in_a_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "LOCK_SECONDS", 0.01)
    with (
        locked(tmp_path / "file"),
        pytest.raises(DataError, match="another process"),
        locked(tmp_path / "file"),
    ):
        pass


def test_row_87_a_lock_that_cannot_be_had_names_the_file(tmp_path: Path) -> None:
    (tmp_path / ".file.lock").mkdir()
    with (
        pytest.raises(EnvironmentProblem, match=r"\.file\.lock: cannot be written: Is a directory"),
        locked(tmp_path / "file"),
    ):
        pass


def test_row_87_a_file_system_without_locks_is_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    with pytest.raises(EnvironmentProblem, match="No locks available") as caught, locked(tmp_path / "file"):
        pass
    hint = caught.value.problems[0].hint
    assert f"the file system at {tmp_path} has no locks" in hint
    assert hint.endswith("keep the data elsewhere and pass --data-dir")


def test_row_24_only_a_refused_file_is_set_aside(tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise DataError("damaged")

    def cannot_read(path: Path) -> None:
        raise UnreadableError("permission denied")

    path = tmp_path / "file"
    assert not set_aside_unsound(path, refuse)
    path.write_bytes(b"content")
    assert set_aside_unsound(path, lambda path: None)
    with pytest.raises(UnreadableError):
        set_aside_unsound(path, cannot_read)
    assert path.exists()
    assert not set_aside_unsound(path, refuse)
    assert [one.name for one in tmp_path.iterdir()] == ["file.corrupt"]

"""Where files cannot be written, that is told with a way out before any work is lost."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from dtrain.ground.errors import EnvironmentProblem
from dtrain.ground.files import check_writable, replace_file


def test_row_62_a_writable_folder_is_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path)
    assert os.listdir(tmp_path) == []


def test_row_62_a_quota_is_found_by_writing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(EnvironmentProblem, match=rf"{tmp_path}: cannot be written: File too large"):
            check_writable(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_row_62_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(EnvironmentProblem, match="cannot be written: Permission denied"):
        check_writable(tmp_path)


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replace_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]


def test_a_finished_write_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replace_file(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"new"]


def test_row_87_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    path = tmp_path / "runs" / "elu-1" / "model.h5"
    with pytest.raises(EnvironmentProblem, match="cannot be written: No locks available") as caught, replace_file(path):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    hint = caught.value.problems[0].hint
    assert f"the file system at {tmp_path} has no locks: set HDF5_USE_FILE_LOCKING=FALSE" in hint

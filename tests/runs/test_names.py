"""Names of runs are safe on every file system and terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.ground.errors import UsageError
from dtrain.runs.catalogue import create_run


@pytest.mark.parametrize(
    "stem, name",
    [("my ../größe", "my-..-gr-e-1"), ("con.x", "run-con.x-1"), ("", "run-1"), ("x" * 99, "x" * 60 + "-1")],
)
def test_automatic_names_are_made_of_safe_letters(tmp_path: Path, stem: str, name: str) -> None:
    assert create_run(tmp_path / "a" / "b", name=None, stem=stem).path == tmp_path / "a" / "b" / name


@pytest.mark.parametrize(
    "name", ["", "../x", "/etc/x", "a/b", ".", ".hidden", "CON", "nul.txt", "x" * 81, "x" * 300, "a\n", "\x1b[31m", "é"]
)
def test_row_103_unsafe_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        create_run(tmp_path / "runs", name=name, stem="x")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert not (tmp_path / "runs").exists()

"""A backend that matplotlib cannot have keeps no picture from being drawn, and stays as somebody else set it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRAWN = """
import os, sys
from pathlib import Path
from dtrain.plots.canvas import empty_figure, save
save(empty_figure(1, 1, "x"), Path(sys.argv[1]))
print(os.environ["MPLBACKEND"])
"""


@pytest.mark.parametrize("backend", ["nonsense", "module://not_installed.backend_inline"])
def test_a_broken_backend_does_not_matter(backend: str, tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    command = [sys.executable, "-c", DRAWN, str(picture)]
    done = subprocess.run(command, env=os.environ | {"MPLBACKEND": backend}, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, backend), done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")

"""How a command ends where nobody reads its result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtrain.runs.folder import RunFolder


@pytest.mark.faults
def test_row_58_a_run_is_whole_although_nobody_reads_its_result(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    small = ["dataset.train_limit=320", "network=[16]", "schedule=constant", "training={epochs: 2, engine: graph}"]
    command = [
        sys.executable,
        "-m",
        "dtrain",
        "run",
        *small,
        "--quiet",
        "--name",
        "unread",
        "--runs-dir",
        str(tmp_path),
    ]
    finished = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (finished.returncode, finished.stderr) == (1, "")
    folder = RunFolder(tmp_path / "unread")
    assert folder.read_status()["state"] == "completed"
    assert len(folder.read_metrics()) == folder.read_summary()["epochs"] == 2

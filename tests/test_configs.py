"""Every bundled experiment file is right and says how to run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dtrain.config import load_experiment

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


def test_there_are_configs() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_right_and_opens_with_its_command_and_its_measured_result(path: Path) -> None:
    load_experiment(path)
    command, result, *_ = path.read_text().splitlines()
    assert command == f"# dtrain run configs/{path.name}"
    assert re.fullmatch(r"# Test accuracy 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\): mean .* of 6 seeds from 42.*", result)

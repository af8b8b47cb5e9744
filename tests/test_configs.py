"""Every bundled experiment file is right and says how to run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtrain.config import load_experiment

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


def test_there_are_configs() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_right_and_opens_with_its_command(path: Path) -> None:
    load_experiment(path)
    assert path.read_text().splitlines()[0] == f"# dtrain run configs/{path.name}"

"""Every bundled experiment file is right and says how to run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dtrain.experiment.config.loading import load_experiment, parse_experiment
from dtrain.studies.transfer_source import TASK_B
from tests.benchmarks.stories import COMMAND

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


def test_there_are_configs() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_right_and_opens_with_its_command_and_its_measured_result(path: Path) -> None:
    load_experiment(path)
    command, result, *_ = path.read_text().splitlines()
    found = COMMAND.fullmatch(command)
    assert found and f" configs/{path.name}" in command
    assert not found["base"] or CONFIGS[0].with_name(f"{found['base']}.yaml") in CONFIGS
    assert re.fullmatch(r"# Test accuracy 0\.\d{3} \(0\.\d{3} to [01]\.\d{3}\): mean .* of 6 seeds from 42.*", result)


def test_the_file_of_task_b_is_what_the_bare_command_does() -> None:
    assert load_experiment(CONFIGS[0].with_name("transfer_task_b.yaml")) == parse_experiment(TASK_B, "task B")

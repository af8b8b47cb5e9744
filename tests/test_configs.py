"""Every bundled experiment file is right and says how to run it."""

from __future__ import annotations

import re
import shlex
from itertools import combinations
from pathlib import Path

import pytest

from dtrain.experiment.config.loading import load_experiment, parse_experiment
from dtrain.studies.transfer_source import TASK_B
from tests.benchmarks.stories import COMMAND, CONTROL, RESULT

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


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_controls_of_a_config_are_other_experiments_and_measured(path: Path) -> None:
    measured = RESULT.search(path.read_text())
    controls = re.findall(CONTROL, path.read_text())
    assert measured and re.findall(CONTROL, measured[0]) == controls
    experiments = [load_experiment(path, shlex.split(changes)) for changes in ("", *controls)]
    assert all(one != other for one, other in combinations(experiments, 2))


def test_the_file_of_task_b_is_what_the_bare_command_does() -> None:
    assert load_experiment(CONFIGS[0].with_name("transfer_task_b.yaml")) == parse_experiment(TASK_B, "task B")

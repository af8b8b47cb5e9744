"""Which runs are compared: completed ones, grouped where only the seed differs, on the same images."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtrain.errors import RunConflictError, UsageError
from dtrain.run_folder import RunFolder
from dtrain.runs import create_run
from dtrain.workflows.compared_runs import Group, check_same_images, read_groups
from tests.workflows.made_runs import fill, several, single

pytestmark = pytest.mark.usefixtures("hasty_disk")
SELU = {"activation": "selu"}


def groups_of(runs_dir: Path, *names: str) -> dict[str, tuple[int, ...]]:
    return {group.name: group.seeds for group in read_groups(runs_dir, names)[0]}


def left_out(runs_dir: Path, *names: str) -> list[str]:
    return [f"{one.run} {one.reason}" for one in read_groups(runs_dir, names)[1]]


def test_single_runs_that_differ_only_in_their_seed_are_one_group(tmp_path: Path) -> None:
    for seed in (3, 1, 2):
        single(tmp_path, f"elu-{seed}", seed, 0.8)
    single(tmp_path, "selu", 1, 0.8, written=SELU)
    named = ("elu-3", "selu", "elu-1", "elu-2")
    assert groups_of(tmp_path, *named) == {"elu-3 and 2 more": (1, 2, 3), "selu": (1,)}


def test_a_folder_of_seeds_is_a_group_which_a_single_run_joins(tmp_path: Path) -> None:
    several(tmp_path, "elu", [0.8, 0.81])
    single(tmp_path, "later", 50, 0.8)
    single(tmp_path, "again", 43, 0.8)
    assert groups_of(tmp_path, "elu", "later") == {"elu and 1 more": (42, 43, 50)}
    assert groups_of(tmp_path, "elu", "again") == {"elu": (42, 43), "again": (43,)}


def test_names_that_are_equal_become_paths(tmp_path: Path) -> None:
    for name in ("elu", "selu"):
        several(tmp_path, name, [0.8], written={"activation": name})
    found = groups_of(tmp_path, "elu/seed-42", "selu/seed-42")
    assert list(found) == [f"{tmp_path}/elu/seed-42", f"{tmp_path}/selu/seed-42"]


@pytest.mark.parametrize("again", ["elu", "./elu/", "elu/seed-43", "{runs_dir}/elu"])
def test_row_55_a_run_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    monkeypatch.chdir(tmp_path)
    several(tmp_path, "elu", [0.8, 0.81])
    with pytest.raises(UsageError, match="twice; expected each once"):
        read_groups(tmp_path, ["elu", again.format(runs_dir=tmp_path)])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"digest": "def456"}, "selu on images def456, 200 to validate and 200 to test"),
        ({"written": {"dataset": {"classes": [5, 6]}}}, "selu on images abc123, .* of classes \\[5, 6\\]"),
    ],
)
def test_row_55_different_images_are_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    single(tmp_path, "elu", 1, 0.8)
    single(tmp_path, "selu", 1, 0.8, **{"written": SELU, **changed})
    groups, _ = read_groups(tmp_path, ["elu", "selu"])
    with pytest.raises(UsageError, match=f"different images: elu on images abc123, 200 .*, {said}"):
        check_same_images(groups)


@pytest.mark.parametrize("dataset", [{"train_limit": 100}, {"scaling": "standardize"}, {"classes": None}])
def test_what_leaves_validation_and_test_alone_is_compared(tmp_path: Path, dataset: dict[str, Any]) -> None:
    single(tmp_path, "elu", 1, 0.8)
    single(tmp_path, "selu", 1, 0.8, written={**SELU, "dataset": dataset})
    check_same_images(read_groups(tmp_path, ["elu", "selu"])[0])


def test_row_83_what_is_not_completed_is_left_out_with_its_reason(tmp_path: Path) -> None:
    parent = several(tmp_path, "elu", [0.8, 0.81])
    parent.seed_folder(44).write_status("diverged", reason="step 3: loss nan")
    running = parent.seed_folder(45)
    running.write_status("running")
    with (running.path / "metrics.jsonl").open("w") as file:
        file.write('{"epoch": 1, "val_lo')
    parent.write_status("running", seeds=6)
    create_run(tmp_path, name="new", stem="")
    assert left_out(tmp_path, "elu", "new") == [
        "elu/seed-44 diverged: step 3: loss nan",
        "elu/seed-45 is still going on",
        "elu has begun 4 of 6 seeds and is still going on",
        "new has only just begun",
    ]
    (group,) = read_groups(tmp_path, ["elu"])[0]
    assert (group.seeds, group.diverged) == ((42, 43), 1)


def test_row_66_a_run_that_died_is_left_out(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = single(tmp_path, "elu", 1, 0.8)
    folder.write_status("running")
    path = folder.path / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": ended.pid}))
    assert left_out(tmp_path, "elu") == ["elu died"]


@pytest.mark.parametrize("moment", range(8))
def test_row_83_a_run_that_ends_while_one_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """It is either whole or left out, whenever its status is read for the last time before it ends."""
    folder = create_run(tmp_path, name="elu", stem="")
    folder.write_status("running")
    original, reads = RunFolder.read_status, 0

    def read_status(self: RunFolder) -> dict[str, Any]:
        nonlocal reads
        status = original(self)
        reads += 1
        if reads == moment + 1:
            fill(folder, 1, 0.8, 0.7)
        return status

    monkeypatch.setattr(RunFolder, "read_status", read_status)
    groups, others = read_groups(tmp_path, ["elu"])
    if others:
        assert [one.reason for one in others] == ["is still going on"] and not groups
    else:
        (run,) = groups[0].runs
        assert (run.result.test.accuracy, len(run.curve("val_loss")), run.right().mean()) == (0.7, 3, 0.7)


def test_seeds_of_different_experiments_in_one_folder(tmp_path: Path) -> None:
    parent = several(tmp_path, "elu", [0.8, 0.81])
    fill(parent.seed_folder(44), 44, 0.8, 0.8, SELU)
    with pytest.raises(RunConflictError, match="elu: got seeds of different experiments"):
        read_groups(tmp_path, ["elu"])


def test_a_seed_that_was_copied(tmp_path: Path) -> None:
    parent = several(tmp_path, "elu", [0.8])
    shutil.copytree(parent.path / "seed-42", parent.path / "seed-43")
    with pytest.raises(RunConflictError, match="or a seed twice"):
        read_groups(tmp_path, ["elu"])


def only(runs_dir: Path, name: str) -> Group:
    (group,) = read_groups(runs_dir, [name])[0]
    return group


def test_damaged_files_are_named(tmp_path: Path) -> None:
    folder = single(tmp_path, "elu", 1, 0.8)
    folder.write_predictions(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(RunConflictError, match=r"predictions\.npz: is damaged.*not those of the summary"):
        only(tmp_path, "elu").runs[0].right()
    (folder.path / "metrics.jsonl").write_text('{"epoch": 1}\n')
    with pytest.raises(RunConflictError, match=r"metrics\.jsonl: is damaged"):
        only(tmp_path, "elu").runs[0].curve("val_loss")
    (folder.path / "metrics.jsonl").write_text("")
    with pytest.raises(RunConflictError, match="no epoch"):
        only(tmp_path, "elu").runs[0].curve("val_loss")
    os.replace(folder.path / "config.yaml", folder.path / "other.yaml")
    with pytest.raises(RunConflictError, match=r"config\.yaml"):
        only(tmp_path, "elu")


def test_a_summary_without_the_digest_of_its_data(tmp_path: Path) -> None:
    folder = single(tmp_path, "elu", 1, 0.8)
    folder.write_summary({key: value for key, value in folder.read_summary().items() if key != "dataset_digest"})
    with pytest.raises(RunConflictError, match="summary is damaged at dataset_digest"):
        only(tmp_path, "elu")

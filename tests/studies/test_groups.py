"""Which runs are compared: completed ones, grouped where only the seed differs."""

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

from dtrain.ground.errors import RunConflictError, UsageError
from dtrain.runs.catalogue import create_run
from dtrain.runs.folder import RunFolder
from dtrain.studies.groups import Group, read_groups
from tests.studies.made_runs import fill, several, single

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


WITH_BASE = {"transfer": {"frozen_epochs": 1}}


def reuse(arm: str, base: str = "b" * 64) -> dict[str, Any]:
    return {"reuse": {"arm": arm, "base": base}}


def test_arms_and_bases_are_experiments_of_their_own(tmp_path: Path) -> None:
    """Their files are equal, so that only the record of arm and base keeps them apart."""
    several(tmp_path, "reused", [0.9, 0.91], first=1, written=WITH_BASE, more=reuse("transfer"))
    several(tmp_path, "scratch", [0.8, 0.81], first=3, written=WITH_BASE, more=reuse("scratch"))
    several(tmp_path, "other", [0.9, 0.91], first=5, written=WITH_BASE, more=reuse("transfer", "c" * 64))
    several(tmp_path, "again", [0.9, 0.91], first=7, written=WITH_BASE, more=reuse("transfer"))
    assert groups_of(tmp_path, "reused", "scratch", "other", "again") == {
        "reused and 1 more": (1, 2, 7, 8),
        "scratch": (3, 4),
        "other": (5, 6),
    }


def test_arms_without_a_record_are_compared_but_never_pooled(tmp_path: Path) -> None:
    several(tmp_path, "reused", [0.9, 0.91], first=1, written=WITH_BASE)
    several(tmp_path, "scratch", [0.8, 0.81], first=3, written=WITH_BASE)
    assert groups_of(tmp_path, "reused", "scratch") == {"reused": (1, 2), "scratch": (3, 4)}


def test_a_run_that_departs_from_its_experiment_stays_alone(tmp_path: Path) -> None:
    """As a resumed run does whose schedule was planned anew; its config.yaml is that of the others."""
    several(tmp_path, "elu", [0.8, 0.81])
    departed = {"departures": ["from step 14 on, keras is 3.1.0, was 3.0.0"]}
    for seed in (44, 45):
        single(tmp_path, f"moved-{seed}", seed, 0.8, more=departed)
    single(tmp_path, "plain", 46, 0.8)
    assert groups_of(tmp_path, "moved-44", "elu", "moved-45", "plain") == {
        "moved-44": (44,),
        "elu and 1 more": (42, 43, 46),
        "moved-45": (45,),
    }


def test_a_seed_of_a_folder_that_departs_stays_alone_too(tmp_path: Path) -> None:
    parent = several(tmp_path, "elu", [0.8, 0.81])
    longer = {"training": {"epochs": 50}}
    fill(parent.seed_folder(44), 44, 0.8, 0.8, longer, more={"departures": ["one_cycle is planned over 50 epochs"]})
    assert groups_of(tmp_path, "elu") == {"elu": (42, 43), "elu/seed-44": (44,)}


@pytest.mark.parametrize("damaged", [{"reuse": "transfer"}, {"reuse": {"base": "b"}}])
def test_a_damaged_record_of_the_arm_is_named(tmp_path: Path, damaged: dict[str, Any]) -> None:
    single(tmp_path, "reused", 1, 0.9, written=WITH_BASE, more=damaged)
    with pytest.raises(RunConflictError, match="summary is damaged at arm: got None; expected text"):
        read_groups(tmp_path, ["reused"])


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
    assert (group.seeds, group.diverged) == ((42, 43), (44,))


def test_of_a_whole_folder_what_is_no_run_is_left_out(tmp_path: Path) -> None:
    single(tmp_path, "elu", 1, 0.8)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elu")
    os.mkfifo(tmp_path / "pipe")
    groups, others = read_groups(tmp_path, ["empty", "elu", "link", "notes.txt", "pipe"])
    assert [group.name for group in groups] == ["elu"]
    assert [(one.run, one.state) for one in others] == [
        (name, "no run") for name in ("empty", "link", "notes.txt", "pipe")
    ]
    for names in (["elu", "emptie"], ["empty", "notes.txt"]):
        with pytest.raises(UsageError, match=f"got '{names[1]}'; expected the name or path of a run"):
            read_groups(tmp_path, names)


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
    folder.write_predictions(np.zeros((3, 2)), np.zeros(3, np.int64))
    with pytest.raises(RunConflictError, match=r"predictions\.npz: is damaged.*not those of the summary"):
        only(tmp_path, "elu").runs[0].right()
    (folder.path / "metrics.jsonl").write_text('{"epoch": 1}\n')
    with pytest.raises(RunConflictError, match=r"metrics\.jsonl: is damaged"):
        only(tmp_path, "elu")
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

"""The status of a folder: what it holds, when it was made, who owns it, and how that is going on."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from dtrain.ground.errors import RunConflictError
from dtrain.ground.files import to_json, write
from dtrain.ground.reading import read_json, reading
from dtrain.runs.contents import State, check_status

Kind = Literal["run", "seeds", "transfer", "lr-find", "mc-predict"]
"""What a folder holds: one training, one for each seed, those of a transfer experiment, or what else was found."""

STATUS, RATES, MC_PREDICT, TRANSFER = "status.json", "lr_find.json", "mc_predict.json", "transfer.json"
REPORTS: dict[str, str] = {"lr-find": RATES, "mc-predict": MC_PREDICT, "transfer": TRANSFER}
"""The report in a folder of each kind that has one."""
TRAINED: tuple[Kind, ...] = ("run", "seeds")
"""What there is a model in, or will be."""
LARGEST_STATUS = 2**20


@dataclass(frozen=True)
class Folder:
    """A folder with a status.

    Args:
        path: The folder; a symbolic link, which may lead anywhere, raises a RunConflictError.
    """

    path: Path

    def __post_init__(self) -> None:
        if self.path.is_symlink():
            hint = "give the path of the folder that it leads to"
            raise RunConflictError("got a symbolic link; expected a run folder", where=str(self.path), hint=hint)

    def write_status(self, state: State, **more: Any) -> None:
        """Writes how the run is doing and what else there is to say; its owner is this process, its heartbeat now.

        When it was made and of what kind it is stays as it was.
        """
        before: dict[str, Any] = {}
        with suppress(RunConflictError):
            before = self.read_status()
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        kept = {name: str(before[name]) for name in ("created", "kind") if before.get(name)}
        owner = {"pid": os.getpid(), "host": socket.gethostname()}
        said = more | kept | owner | {"state": state, "heartbeat": now}
        if "created" not in said:
            said["created"] = _next_moment(self.path.parent, now)
        write(self.path / STATUS, to_json(said, indent=2), modified=_nanoseconds(max(said["created"], now)) or None)

    def read_status(self) -> dict[str, Any]:
        """Returns state, pid, host, created and heartbeat (ISO 8601 in UTC), and what else was written."""
        with reading(self.path / STATUS):
            status = read_json(self.path / STATUS, LARGEST_STATUS)
            check_status(status)
            return status

    def created(self) -> str:
        """Returns when the run was made, ISO 8601 in UTC; empty where its status does not say."""
        with suppress(RunConflictError):
            return str(self.read_status().get("created", ""))
        return ""

    def kind(self) -> str:
        """Returns what the folder holds; of folders that do not say it, from before they did, their files tell."""
        status: dict[str, Any] = {}
        with suppress(RunConflictError):
            status = self.read_status()
        if "kind" in status:
            return str(status["kind"])
        found = next((kind for kind, report in REPORTS.items() if (self.path / report).exists()), None)
        return found or ("seeds" if status.get("seeds") or any(self.path.glob("seed-*")) else "run")


def _next_moment(runs_dir: Path, now: str) -> str:
    """When a new run is made: after all others, also where the clock was set back.

    No status is modified before its run was made, so that only those modified after now can say a later moment.
    """
    moment = now
    for path in runs_dir.glob(f"*/{STATUS}"):
        with suppress(OSError, ValueError, OverflowError):
            if path.stat().st_mtime_ns >= _nanoseconds(now):
                later = datetime.fromisoformat(Folder(path.parent).created()) + timedelta(microseconds=1)
                moment = max(moment, later.astimezone(UTC).isoformat(timespec="microseconds"))
    return moment


def _nanoseconds(moment: str) -> int:
    """Returns a moment in ISO 8601 as file systems say it; 0 for what is none."""
    with suppress(TypeError, ValueError, OverflowError):
        return (datetime.fromisoformat(moment) - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1) * 1000
    return 0

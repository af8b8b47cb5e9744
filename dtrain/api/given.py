"""What every function of the Python API takes, and the way from there to what a workflow takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dtrain.ground.result import Result
from dtrain.trials.observer import RunObserver

if TYPE_CHECKING:
    from dtrain.experiment.config.loading import Source
    from dtrain.trials.request import RunOptions

    Where = os.PathLike[str] | str
    Config = Source | Mapping[str, object] | os.PathLike[str]
    Run = Result | Where
    Progress = RunObserver | bool | Literal["warnings"]
    Split = Literal["test", "validation"]

DATA_DIR = "DTRAIN_DATA_DIR"


@contextmanager
def watched(progress: Progress, phase: str, seeds: int = 1) -> Iterator[RunObserver]:
    """Yields whom to tell how it goes on; the first phase is told before anything slow is imported."""
    if isinstance(progress, RunObserver) or not progress:
        observer = progress or RunObserver()
        observer.on_phase(phase)
        yield observer
        return
    from dtrain.display.progress import progress as shown

    with shown(quiet=progress == "warnings", seeds=seeds) as told, watched(told, phase) as observer:
        yield observer


def written(config: Config, overrides: Sequence[str], changes: Mapping[str, object]) -> tuple[Source, list[str]]:
    """Returns what to start from, and every change to it as the command line has it."""
    from dtrain.experiment.config.overrides import as_overrides

    given = [*([overrides] if isinstance(overrides, str) else overrides), *as_overrides(changes)]
    if isinstance(config, Mapping):
        return None, [*as_overrides(config), *given]
    if isinstance(config, os.PathLike) or (isinstance(config, str) and "\n" not in config and ": " not in config):
        return expanded(config), given
    return config, given


def named(run: Any) -> Any:
    """Returns the name or path of a run, whether that is what was given or it was returned by a function."""
    return run and os.path.expanduser(getattr(run, "folder", run))


def expanded(where: Where) -> Path:
    """Returns the path of a file or folder, which a shell would have expanded: ``~`` is the home folder."""
    return Path(os.path.expanduser(where))


def path_of(where: Where | None) -> Path | None:
    """Returns the path of a file or folder, where one was given."""
    return expanded(where) if where else None


def options_of(
    runs_dir: Where, device: str, data_dir: Where | None, name: str | None = None, stem: str = "", advice: Any = ()
) -> RunOptions:
    """Returns where a run goes and what it trains on."""
    from dtrain.trials.request import RunOptions

    where, images = expanded(runs_dir), path_of(data_dir or os.environ.get(DATA_DIR) or None)
    return RunOptions(where, name, stem, device, images, advice)


def _described(result: Result, form: Literal["text", "html"]) -> str:
    from dtrain.display.description import described

    return described(result, form)


Result.described = _described

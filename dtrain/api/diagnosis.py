"""The functions that say why: probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dtrain.api.given import options_of, path_of, watched, written

if TYPE_CHECKING:
    from dtrain.api.given import Config, Progress, Where
    from dtrain.workflows.probe import ProbeReport


def probe(
    config: Config = None,
    overrides: Sequence[str] = (),
    *,
    initializers: Sequence[str] | str | None = None,
    plot: Where | None = None,
    device: str = "auto",
    data_dir: Where | None = None,
    progress: Progress = False,
    **changes: object,
) -> ProbeReport:
    """Looks at an experiment's network before its first step, as `dtrain probe` does: its options are the keywords."""
    with watched(progress, "checking the experiment") as observer:
        from dtrain.workflows.probe import probe as work
        from dtrain.workflows.probe import side_by_side

        experiments = side_by_side(*written(config, overrides, changes), initializers)
        return work(experiments, options_of(".", device, data_dir), observer, path_of(plot))

"""The functions about experiments: load and validate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dtrain.api.given import written

if TYPE_CHECKING:
    from dtrain.api.given import Config
    from dtrain.experiment.spec import Experiment
    from dtrain.workflows.validate import ValidationReport


def load(config: Config = None, overrides: Sequence[str] = (), **changes: object) -> Experiment:
    """Returns an experiment, checked and with every default filled in.

    Args:
        config: The path of a file; YAML text, which has a line break or a colon and a space in it; a mapping; an
            experiment; or None for the default experiment.
        overrides: ``key.path=value`` as on the command line, put in the place of what it says.
        changes: The same as keywords with plain values, such as ``activation="selu"`` or ``training={"epochs": 5}``.

    Raises:
        ConfigError: Everything that is wrong with it, each with its place.
    """
    from dtrain.experiment.config.loading import load_experiment

    return load_experiment(*written(config, overrides, changes))


def validate(
    config: Config = None, overrides: Sequence[str] = (), *, strict: bool = False, **changes: object
) -> ValidationReport:
    """Checks an experiment as `load` does, and says what the lesson advises against in it; if strict, by an error."""
    from dtrain.workflows.validate import validate as work

    return work(*written(config, overrides, changes), strict=strict)

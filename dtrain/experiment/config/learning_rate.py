"""Put a learning rate into an experiment, and say it as the line of an experiment file."""

from __future__ import annotations

import json
from typing import Any

from dtrain.experiment.spec import Experiment


def with_rate(experiment: Experiment, rate: float) -> Experiment:
    """Returns the experiment with `rate` as the highest of its training.

    Args:
        experiment: Any experiment.
        rate: For 1cycle it becomes the maximum, for a staircase the highest step, else the optimizer's own rate.
    """
    schedule = experiment.schedule.with_highest_rate(rate)
    if schedule is not None:
        return experiment.model_copy(update={"schedule": schedule})
    optimizer = experiment.optimizer.model_copy(update={"learning_rate": rate})
    return experiment.model_copy(update={"optimizer": optimizer})


def rate_line(experiment: Experiment) -> str:
    """Returns the line of an experiment file that says the highest rate, without what is as the defaults have it."""
    key = "optimizer" if experiment.schedule.with_highest_rate(1.0) is None else "schedule"
    section = experiment.optimizer if key == "optimizer" else experiment.schedule
    fields = {"kind": section.kind} | section.model_dump(mode="json", exclude_defaults=True)
    if key == "optimizer":
        fields["learning_rate"] = experiment.optimizer.learning_rate
    return f"{key}: {{{', '.join(f'{name}: {_plain(value)}' for name, value in fields.items())}}}"


def _plain(value: Any) -> str:
    """Kinds and forms are single words; everything else is written alike in JSON and YAML."""
    return value if isinstance(value, str) else json.dumps(value)

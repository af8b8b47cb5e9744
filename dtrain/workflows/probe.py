"""`dtrain probe`: what goes through a network before its first step, with one initializer or several side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dtrain.experiment.config.loading import Source, load_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError
from dtrain.ground.files import check_new
from dtrain.ground.result import Result
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.trials.trial import prepare_trial
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.diagnosis.at_rest import ByHeart, Probed

SIDE_BY_SIDE = ("glorot_uniform", "he_normal", "lecun_normal")
"""What an initializer is compared with unless somebody says otherwise: one for each kind of activation."""
COMMA = re.compile(r",(?![^{]*})")
"""Between two initializers; those of a mapping are within."""


@dataclass(frozen=True, repr=False)
class ProbeReport(Result, brief="fate chance_loss", tables="initializers"):
    """A network before its first step.

    Args:
        initializers: With the first weights of each initializer, the experiment's own first.
        chance_loss: The loss of guessing, the logarithm of the number of classes.
        by_heart: Whether the experiment's network learns a few images by heart.
        plot: The picture, if it was asked for.
    """

    initializers: tuple[Probed, ...]
    chance_loss: float
    by_heart: ByHeart
    plot: Path | None

    @property
    def fate(self) -> str:
        """What becomes of signals with the experiment's own initializer."""
        return self.initializers[0].verdict.fate


def side_by_side(
    source: Source, overrides: Sequence[str], initializers: str | Sequence[str] | None
) -> list[Experiment]:
    """Returns an experiment, and the same with other initializers than its own.

    Args:
        source: What to start from, as for `load_experiment`.
        overrides: Changes of it.
        initializers: Their names, or mappings in YAML; in one text they stand between commas.

    Raises:
        ConfigError: What is wrong with the experiment, or with one of them.
    """
    texts = COMMA.split(initializers) if isinstance(initializers, str) else initializers
    others = (f"initializer={one.strip()}" for one in (SIDE_BY_SIDE if texts is None else texts))
    found = [load_experiment(source, [*overrides, *change]) for change in ([], *([one] for one in others))]
    return list({name_of(one): one for one in found}.values())


def name_of(experiment: Experiment) -> str:
    """Returns the kind of an experiment's initializer, with the settings that are not its defaults."""
    fields = experiment.initializer.model_dump(exclude_defaults=True)
    settings = [f"{name}={value}" for name, value in fields.items() if name != "kind"]
    return " ".join([experiment.initializer.kind, *settings])


def probe(
    experiments: Sequence[Experiment], options: RunOptions, observer: RunObserver, plot: Path | None = None
) -> ProbeReport:
    """Looks at a network before its first step; nothing is written but the picture.

    Args:
        experiments: The experiment, then the same with other initializers.
        options: On what.
        observer: Told what takes a while, and what to know of the experiment.
        plot: New PNG file for a picture.

    Raises:
        DtrainError: The network has no hidden layer, the file exists, or data or environment do not allow it.
    """
    own = experiments[0]
    if not own.network.hidden_layers:
        raise ConfigError("got no hidden layer; expected one at least, for signals to go through", where="network")
    if plot is not None:
        check_new(plot, f"--plot {plot}")
    trial = prepare_trial(own, Workshop(options, observer))
    from dtrain.diagnosis.at_rest import NetworkAtRest

    network = NetworkAtRest(trial.experiment, trial.data)
    report = ProbeReport(
        initializers=tuple(network.probe(one, name_of(one)) for one in experiments),
        chance_loss=math.log(len(trial.data.class_names)),
        by_heart=network.learn_by_heart(),
        plot=plot,
    )
    if plot is not None:
        _draw(report, plot)
    return report


def _draw(report: ProbeReport, path: Path) -> None:
    from dtrain.plots.canvas import save
    from dtrain.plots.propagation import propagation_figure

    save(propagation_figure(report.initializers, "before the first step"), path)

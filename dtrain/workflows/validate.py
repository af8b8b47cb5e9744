"""`dtrain validate`: check an experiment file and say what it stands for, without training or TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dtrain.experiment.config.loading import Source, dump_experiment, load_advised, source_name
from dtrain.experiment.config.placing import Advice
from dtrain.experiment.fit.data import known_facts
from dtrain.experiment.spec import Experiment
from dtrain.ground.printable import Lines
from dtrain.ground.result import Result


@dataclass(frozen=True, repr=False)
class ValidationReport(Result, brief="source parameters steps_per_epoch", tables="advice"):
    """An experiment that is right.

    Args:
        source: The file, or ``the default experiment``.
        experiment: With every default filled in.
        resolved: The same as the text of a file.
        parameters: About how many weights and biases; None where only the images can tell.
        steps_per_epoch: Batches in an epoch; an upper bound where `dataset.classes` keeps only some images, None where
            only the images can tell.
        notices: What to know about the combination of techniques.
        advice: What the lesson advises against in it.
    """

    source: str
    experiment: Experiment
    resolved: str
    parameters: int | None
    steps_per_epoch: int | None
    notices: tuple[str, ...]
    advice: tuple[Advice, ...]


def validate(config: Source, overrides: Sequence[str] = (), *, strict: bool = False) -> ValidationReport:
    """Checks an experiment as `dtrain run` does before it starts.

    Args:
        config: The experiment file, or what stands for one; None for the default experiment.
        overrides: ``key.path=value``, put in the place of what it says.
        strict: Whether advice that is not followed is an error.

    Raises:
        ConfigError: Everything that is wrong with the file or the overrides.
        UsageError: An override is not of the form ``key.path=value``.
    """
    experiment, advice = load_advised(config, overrides, strict=strict)
    parameters, steps = _sizes(experiment)
    source = str(config) if isinstance(config, Path) else f"the {source_name(config)}"
    resolved, notices = Lines(*dump_experiment(experiment).split("\n")), experiment.notices()
    return ValidationReport(source, experiment, resolved, parameters, steps, notices, advice)


def _sizes(experiment: Experiment) -> tuple[int | None, int | None]:
    """Parameters and steps an epoch, where the data set is known by name; one's own images are not read."""
    if (facts := known_facts(experiment.dataset)) is None:
        return None, None
    steps = -(-facts.images // experiment.training.batch_size)
    return experiment.network.parameters(facts.image_shape, facts.classes), steps

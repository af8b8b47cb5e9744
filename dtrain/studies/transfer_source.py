"""What `dtrain transfer` works on: a base, the labelled images of another task, and the scaling that the base knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from dtrain.data.prepare import Data
from dtrain.data.sources import locate
from dtrain.experiment.config.loading import Source as Written
from dtrain.experiment.config.loading import load_experiment, parse_experiment
from dtrain.experiment.config.yaml_reader import read_yaml
from dtrain.experiment.config.yaml_writer import write_yaml
from dtrain.experiment.spec import Experiment
from dtrain.experiment.transfer import Transfer
from dtrain.ground.errors import ResumeError
from dtrain.ground.reading import reading
from dtrain.reuse.base import build_base, read_outline
from dtrain.reuse.cutting import check_inputs, check_reuse
from dtrain.reuse.files import read_model_file
from dtrain.runs.folder import STUDY, RunFolder
from dtrain.runs.results import SHOWN_DIGITS
from dtrain.studies.transfer_scaling import check_scaling, scaling_for
from dtrain.trials.request import check_seeds
from dtrain.trials.trial import check_fit
from dtrain.trials.workshop import Workshop

if TYPE_CHECKING:
    from dtrain.reuse.base import Base

TASK_B = """\
dataset: {name: fashion_mnist, classes: [5, 6], train_limit: 200}
optimizer: {kind: sgd, learning_rate: 0.03}
schedule: constant
regularizer: []
training: {batch_size: 32, early_stopping: null}
transfer: {reuse: all, frozen_epochs: 4, unfrozen_epochs: 16}
"""
"""The lesson's task B, sandal against shirt with 200 labels, which stands where no experiment is given."""
FULL, SAMPLE = "fashion_mnist", "fashion_mnist_sample"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Args:
        base: The model file or run folder to reuse layers of.
        seeds: How many seeds, from the experiment's own upwards.
        controls: Whether to train the controls too.
        warnings: What the user should know of the task, once it is known that the base can be reused for it.
        digest: SHA-256 that the bytes of the base must have; empty where any will do.
    """

    base: Path
    seeds: int = 6
    controls: bool = True
    warnings: tuple[str, ...] = ()
    digest: str = ""

    def text(self, digest: str) -> str:
        """Returns the request as YAML text, for whoever goes on with the experiment.

        Args:
            digest: SHA-256 of the bytes of the base.
        """
        # a name within the folder of runs is as good from everywhere
        base = self.base.absolute() if self.base.exists() else self.base
        asked = {"base": str(base), "digest": digest, "seeds": self.seeds, "controls": self.controls}
        return "# What `dtrain transfer` was asked beside config.yaml.\n" + write_yaml(asked)


_REQUEST = TypeAdapter(Request)


def read_request(folder: RunFolder) -> Request:
    """Returns what an experiment was asked.

    Raises:
        RunConflictError: The file that says it is missing or damaged.
    """
    path = folder.path / STUDY
    with reading(path):
        return _REQUEST.validate_python(read_yaml(folder.read_study(), str(path)).value)


@dataclass(frozen=True, eq=False)
class Source:
    """A base and a task.

    Args:
        base: The base.
        experiment: The task, with nothing left to choose but the compiler.
        data: Its data; the training part holds all images that a seed may choose its labelled ones from.
        scaling_origin: Where the scaling of the data is from, in words.
        warnings: What the user should know, once it is known that the layers can be reused.
    """

    base: Base
    experiment: Experiment
    data: Data
    scaling_origin: str
    warnings: tuple[str, ...]


def load_task(config: Written, overrides: Sequence[str], data_dir: Path | None) -> tuple[Experiment, tuple[str, ...]]:
    """Returns the experiment of a file, or task B where none is given, and what the user should know of it.

    Args:
        config: The file, or what stands for one; None for task B, on the bundled sample where the full data is nowhere.
        overrides: ``key.path=value``.
        data_dir: Folder to look for full data sets in first.

    Raises:
        ConfigError: Everything that is wrong with it.
    """
    if config is not None:
        return load_experiment(config, overrides), ()
    experiment = parse_experiment(TASK_B, "task B", overrides)
    chosen = any(one.startswith(("dataset=", "dataset.name=")) for one in overrides)
    if chosen or not all(place.missing for place in locate(FULL, data_dir)):
        return experiment, ()
    warning = (
        f"{FULL} is not on this machine; the bundled {SAMPLE} is used: fewer test images, wider intervals; "
        f"to get it: `dtrain data fetch {FULL}`"
    )
    return parse_experiment(TASK_B, "task B", [*overrides, f"dataset.name={SAMPLE}"]), (warning,)


def find_source(experiment: Experiment, request: Request, workshop: Workshop) -> Source:
    """Returns base and task, checked against each other.

    Args:
        experiment: The task.
        request: Which base, and how many seeds.
        workshop: Reads the images and starts TensorFlow.

    Raises:
        UsageError: There are not so many seeds.
        ResumeError: The base is another than it was.
        ConfigError: The task does not fit its data, or asks for another scaling than the base's.
        ModelFileError: The base is missing, unsafe, damaged or takes other images.
        DtrainError: Data or environment do not allow it.
    """
    check_seeds(experiment.seed, request.seeds)
    named = workshop.options.runs_dir / request.base
    outline = read_outline(read_model_file(named if named.is_dir() and not request.base.exists() else request.base))
    if request.digest not in ("", outline.digest):
        got, expected = outline.digest[:SHOWN_DIGITS], request.digest[:SHOWN_DIGITS]
        message = f"was changed since the experiment began: got digest {got}; expected {expected}"
        hint = "put that file back, or begin again: `dtrain transfer`"
        raise ResumeError(message, where=str(outline.path), hint=hint)
    check_scaling(experiment, outline)
    section = (experiment.transfer or Transfer()).with_rates(experiment.optimizer.learning_rate)
    check_reuse(outline, section)
    experiment = experiment.model_copy(update={"transfer": section})
    check_fit(experiment, workshop.data(experiment.dataset))
    data = workshop.data(experiment.dataset.model_copy(update={"train_limit": None}))
    workshop.start()
    base = build_base(outline)
    check_inputs(base, data.image_shape)
    found = scaling_for(base, experiment, data, workshop)
    warnings = (*request.warnings, *found.warnings, *experiment.notices(), *data.warnings)
    dataset = experiment.dataset.model_copy(update={"scaling": found.kind})
    experiment, data = experiment.model_copy(update={"dataset": dataset}), replace(data, scaling=found.scaling)
    return Source(base, experiment, data, found.origin, warnings)

"""Turn an experiment file, or what stands for one, and overrides into an Experiment, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from dtrain.experiment.config.files import BEGINNING, check_meant, read_file
from dtrain.experiment.config.mistakes import mistyped_line
from dtrain.experiment.config.overrides import apply_overrides
from dtrain.experiment.config.placing import Advice, advised, as_written
from dtrain.experiment.config.problems import experiment_problems, remaining_errors
from dtrain.experiment.config.suggestions import guess
from dtrain.experiment.config.yaml_reader import Document, Place, decode_yaml, read_yaml
from dtrain.experiment.config.yaml_writer import write_yaml
from dtrain.experiment.dataset import NAMED_DATASETS, is_path
from dtrain.experiment.fit.findings import findings
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError, Problem
from dtrain.ground.printable import printable, shown

MAXIMUM_PROBLEMS = 50
Source = Path | str | Experiment | None
"""A file, the text of one, an experiment, or nothing, which is the default experiment."""
FOREIGN = {
    "a Jupyter notebook": {"cells", "nbformat"},
    "the configuration of a Keras model": {"class_name", "config"},
    "the summary of a run": {"best_epoch", "seconds"},
}
"""What else is a mapping, and keys by which it is known."""
SMALLEST_FILE = "every key is optional; the smallest file is `seed: 42`, and `dtrain init` writes a whole one"


def load_experiment(source: Source, overrides: Sequence[str] = ()) -> Experiment:
    """Returns the experiment that a file, or what stands for one, describes.

    Args:
        source: The file, its text, an experiment, or None for the default one.
        overrides: ``key.path=value``, put in the place of what the file says.

    Raises:
        ConfigError: The file cannot be read, or everything that is wrong with it and the overrides.
        UsageError: An override is not of the form ``KEY=VALUE``.
    """
    return _experiment(_document(source, overrides))


def load_advised(
    source: Source, overrides: Sequence[str] = (), *, strict: bool = False
) -> tuple[Experiment, tuple[Advice, ...]]:
    """Returns what `load_experiment` returns, and what the lesson advises against in it.

    Args:
        source: The file, its text, an experiment, or None for the default one.
        overrides: ``key.path=value``, put in the place of what the file says.
        strict: Whether advice that is not followed is an error.

    Raises:
        ConfigError: As `load_experiment` does; if `strict`, also all the advice.
        UsageError: An override is not of the form ``KEY=VALUE``.
    """
    document = _document(source, overrides)
    experiment = _experiment(document)
    advice = tuple(advised(finding, document) for finding in findings("advice", experiment))
    if strict and advice:
        raise ConfigError(advice)
    return experiment, advice


def parse_experiment(text: str, source: str, overrides: Sequence[str] = ()) -> Experiment:
    """Returns the experiment that the text of a file describes.

    Args:
        text: YAML.
        source: What to call the text in messages, such as the file's path.
        overrides: ``key.path=value``, put in the place of what the text says.

    Raises:
        ConfigError: Everything that is wrong with the text and the overrides.
        UsageError: An override is not of the form ``KEY=VALUE``.
    """
    return _experiment(apply_overrides(_mapping(read_yaml(text, source)), overrides))


def dump_experiment(experiment: Experiment) -> str:
    """Returns an experiment as the text of a file, every default filled in; reading it gives an equal experiment."""
    fields = {name: _kind_first(value) for name, value in experiment.model_dump(mode="json").items()}
    return "# A whole dtrain experiment, every default filled in.\n" + write_yaml(fields)


def source_name(source: Source) -> str:
    """Returns what an experiment is called that was made of this."""
    if isinstance(source, Path):
        return printable(str(source))
    return {type(None): "default experiment", str: "text"}.get(type(source), "experiment")


def stem_of(source: Source, default: str = "default") -> str:
    """Returns what a run is named after: a repeated run after the run that its file is from."""
    if isinstance(source, Path):
        return source.resolve().parent.name if source.name == "config.yaml" else source.stem
    return default if source is None else source_name(source)


def _document(source: Source, overrides: Sequence[str]) -> Document:
    """Returns what the user wrote, in the file and in the overrides."""
    name = source_name(source)
    if source is None:
        document = Document({}, {(): Place(name, name)})
    elif isinstance(source, Path):
        document = _read(source, name)
    else:
        text = dump_experiment(source) if isinstance(source, Experiment) else source
        document = _mapping(read_yaml(text, name))
    return apply_overrides(document, overrides)


def _read(path: Path, name: str) -> Document:
    content = read_file(path, name)
    try:
        document = _mapping(read_yaml(decode_yaml(content, name), name))
    except ConfigError:
        check_meant(path, content, name)
        raise
    _check_foreign(document)
    return document


def _mapping(document: Document) -> Document:
    if not isinstance(document.value, dict):
        received = "nothing" if document.value is None else shown(document.value)
        message = f"got {received}; expected a mapping of keys to values"
        fix = mistyped_line(document.value) if isinstance(document.value, str) else ""
        raise ConfigError(message, where=document.places[()].value, hint=fix or SMALLEST_FILE)
    return document


def _check_foreign(document: Document) -> None:
    for what, keys in FOREIGN.items():
        if keys <= cast(dict[str, object], document.value).keys():
            message = f"got {what}; expected an experiment, a mapping of keys such as network and optimizer"
            raise ConfigError(message, where=document.places[()].value, hint=BEGINNING)


def _experiment(document: Document) -> Experiment:
    found: Iterator[Problem] = iter(())
    try:
        experiment = Experiment.model_validate(document.value)
    except ValidationError as error:
        found = chain(experiment_problems(error, document), remaining_errors(error, document))
    problems = list(islice(chain(document.problems, _dataset_problems(document), found), MAXIMUM_PROBLEMS + 1))
    if len(problems) > MAXIMUM_PROBLEMS:
        problems[-1] = Problem("and more problems; put these right first")
    if problems:
        raise ConfigError(problems)
    return experiment


def _dataset_problems(document: Document) -> list[Problem]:
    """Finds a data set that is neither known by name nor a path: pydantic takes any name for a path."""
    written = as_written(("dataset", "name"), document)
    name = written.value
    if not isinstance(name, str) or name in ("", *NAMED_DATASETS) or is_path(name):
        return []
    names = ", ".join(map(repr, NAMED_DATASETS))
    message = f"got {shown(name)}; expected one of {names}, or a path{guess(name, NAMED_DATASETS, 'dataset=')}"
    hint = "a folder of four IDX files or a .npz file is given by its path, in quotes where it holds a # or a colon"
    return [Problem(message, written.where, hint)]


def _kind_first(value: object) -> object:
    if isinstance(value, list):
        return [_kind_first(one) for one in value]
    if isinstance(value, dict) and "kind" in value:
        return {"kind": value["kind"], **value}
    return value

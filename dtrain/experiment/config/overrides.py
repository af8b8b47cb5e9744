"""Apply ``key.path=value``, as the command line has it, to what an experiment file says, before it is checked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BeforeValidator

from dtrain.experiment.config.yaml_reader import MAXIMUM_LEVELS, Document, Place, read_yaml
from dtrain.experiment.draft import default_table
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.technique import BARE_NAME
from dtrain.ground.errors import ConfigError, Problem, UsageError
from dtrain.ground.printable import KeyPath, clipped, dotted, printable, undotted

# Two ways to say one thing: giving one of them takes the other back.
_REPLACED = {"depth": ("hidden",), "width": ("hidden",), "hidden": ("depth", "width")}
_DATASET = (("dataset",), ("dataset", "name"))


@dataclass(frozen=True)
class Override:
    """One value that is put in the place of the file's.

    Args:
        label: What to call it in messages.
        path: The keys and list indices that lead to the value.
        document: The value, and where its own parts are.
    """

    label: str
    path: KeyPath
    document: Document


def parse_override(text: str) -> Override:
    """Returns the override that `text` spells.

    Raises:
        UsageError: It is not of the form ``KEY=VALUE``.
        ConfigError: The value is not valid YAML.
    """
    key, equals, value = text.partition("=")
    path = undotted(key.strip())
    label = f"override {printable(clipped(text))}"
    if path in _DATASET and _names_images(value.strip()):
        return Override(label, path, Document(value.strip(), {(): Place(label, label)}))
    empty = not value.strip() or value.lstrip().startswith("#")
    if not equals or empty or "" in path or len(path) > MAXIMUM_LEVELS:
        message = f"got {clipped(text)!r}; expected KEY=VALUE"
        raise UsageError(message, where="override", hint="such as optimizer.learning_rate=0.1")
    try:
        return Override(label, path, read_yaml(value, label))
    except ConfigError as error:
        problems = [Problem(one.message, label, one.hint) for one in error.problems]
        raise ConfigError(problems) from None


def _names_images(value: str) -> bool:
    """Whether a value is the path of images as it stands, be there in it what means something else in YAML."""
    if not value.isprintable() or value.startswith(("'", '"')):
        return False
    return os.path.exists(os.path.expanduser(value)) or (value.endswith(".npz") and not value.startswith("{"))


def as_overrides(values: Mapping[str, object]) -> list[str]:
    """Returns the overrides that spell these values: text as it is, anything else as JSON, which is YAML too."""

    def plain(value: Any) -> object:
        return value.tolist() if hasattr(value, "tolist") else str(value)

    texts = {key: one if isinstance(one, str) else json.dumps(one, default=plain) for key, one in values.items()}
    return [f"{key}={text}" for key, text in texts.items()]


def apply_overrides(document: Document, texts: Sequence[str]) -> Document:
    """Returns the document with the overrides applied; of two that contradict each other the later wins.

    An override of one field of a section that the file leaves out changes that field of the section's default.

    Args:
        document: What the file says; its value is a mapping.
        texts: ``key.path=value``.

    Returns:
        The changed document. Values that are not valid YAML and indices that no list has are among its problems.

    Raises:
        UsageError: An override is not of the form ``KEY=VALUE``.
    """
    overrides: list[Override] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            overrides.append(parse_override(text))
        except ConfigError as error:
            problems += error.problems
    overrides = _in_order(overrides)
    # The defaults depend on other keys, such as the activation, that may be overridden themselves.
    foreseen = _Changes(document, default_table(_mapping(document))).made(overrides)
    changed = _Changes(document, default_table(_mapping(foreseen))).made(overrides)
    return Document(changed.value, changed.places, (*problems, *changed.problems))


def _mapping(document: Document) -> dict[str, object]:
    return cast(dict[str, object], document.value)


def _in_order(overrides: Sequence[Override]) -> list[Override]:
    """Leaves out what a later override replaces; sections come before their fields, and kinds before other fields."""
    last = [
        one
        for index, one in enumerate(overrides)
        if not any(later.path == one.path[: len(later.path)] for later in overrides[index + 1 :])
    ]
    return sorted(last, key=lambda one: (len(one.path), one.path[-1] != "kind"))


def long_form(path: KeyPath, value: object) -> object:
    """Returns the mapping or the list that a short form stands for, such as ``{kind: adam}`` for ``adam``.

    Args:
        path: Where the value stands in the experiment.
        value: The value; returned as it is where it is no short form.
    """
    field = Experiment.model_fields.get(str(path[0]))
    validators = field.metadata if field and len(path) == 1 else [BARE_NAME] if isinstance(path[-1], int) else []
    for validator in validators:
        if isinstance(validator, BeforeValidator):
            value = cast(Callable[[object], object], validator.func)(value)
    return list(value) if isinstance(value, tuple) else value


class _Changes:
    """A copy of a document that overrides are made to."""

    def __init__(self, document: Document, defaults: Mapping[str, object]) -> None:
        self.document, self.defaults = document, defaults
        self.places = dict(document.places)

    def made(self, overrides: Sequence[Override]) -> Document:
        """Returns the document with every override made."""
        value, problems = self.document.value, list(self.document.problems)
        for override in overrides:
            try:
                value = self._changed(value, override, ())
            except ConfigError as error:
                problems += error.problems
        return Document(value, self.places, tuple(problems))

    def _changed(self, current: object, override: Override, path: KeyPath) -> object:
        """Returns `current`, the value at `path`, with the override made to it or to what it contains."""
        if len(path) == len(override.path):
            for inner in override.document.places:
                self.places[path + inner] = Place(override.label, override.label, path)
            return override.document.value
        part = override.path[len(path)]
        container = self._container(current, override, path)
        if isinstance(container, list):
            index = _index(part, container, override.label, path)
            entry = container[index] if index < len(container) else None
            container[index : index + 1] = [self._changed(entry, override, (*path, index))]
        else:
            key = str(part)
            container[key] = self._changed(container.get(key), override, (*path, key))
        return container

    def _container(self, current: object, override: Override, path: KeyPath) -> dict[str, object] | list[object]:
        """Returns a copy of `current`, in its long form, for the next part of the override's path to be set in."""
        part = override.path[len(path)]
        section = self._section(current, part, path)
        if isinstance(section, list):
            return section
        kept = dict(section) if isinstance(section, dict) else {}
        kind = override.document.value
        if part == "kind" and (current is None or kept.get("kind", kind) != kind):
            kept = {}
        for other in _REPLACED.get(str(part), ()) if path == ("network",) else ():
            kept.pop(other, None)
        if current is None or not isinstance(section, dict) or len(kept) < len(section):
            self.places[path] = Place(override.label, override.label, override.path)
        return kept

    def _section(self, current: object, part: str | int, path: KeyPath) -> object:
        if not path:
            return current
        if current is None and len(path) == 1:
            current = self.defaults.get(str(path[0]))
        if isinstance(current, list | tuple) and isinstance(part, int):
            return list(current)
        section = long_form(path, current)
        if isinstance(section, list) and isinstance(current, str | dict) and isinstance(part, str):
            # A list of one may be written without its brackets, and then needs no index.
            return long_form((*path, 0), current)
        return section


def _index(part: str | int, entries: Sequence[object], label: str, path: KeyPath) -> int:
    if isinstance(part, int) and part <= len(entries):
        return part
    message = f"got {part!r}; expected an index of the list {dotted(path)}, from 0 to {len(entries)}"
    raise ConfigError(message, where=label)

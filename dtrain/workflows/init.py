"""`dtrain init` and `dtrain schema`: a file to start from, and what editors check it against."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from dtrain.experiment.config.editor_schema import editor_schema
from dtrain.experiment.config.files import SUFFIXES
from dtrain.experiment.config.stories import story
from dtrain.experiment.config.template import MODELINE, template
from dtrain.ground.errors import UsageError
from dtrain.ground.files import check_new

SCHEMA = "experiment.schema.json"


@dataclass(frozen=True)
class Beginning:
    """The files to start from.

    Args:
        experiment: The experiment file.
        schema: The schema for editors, beside it.
        command: What trains it.
        outdated: Whether a schema of another version of dtrain was there, and was left alone.
    """

    experiment: Path
    schema: Path
    command: str
    outdated: bool


def init(path: Path | None = None, name: str | None = None) -> Beginning:
    """Writes the default experiment or a story, and the schema for editors beside it; overwrites nothing.

    Args:
        path: The experiment file to make; None for one of the story's name, or ``experiment.yaml``.
        name: The story; None for the default experiment, with a comment at each key.

    Raises:
        UsageError: There is no such story; the file exists, its folder does not, or its name is not one of YAML.
    """
    path = path or Path(f"{name or 'experiment'}{SUFFIXES[0]}")
    text = f"{MODELINE}{SCHEMA}\n{story(name, path.name)}" if name else template(path.name, SCHEMA)
    if path.suffix not in SUFFIXES:
        message = f"expected a name that ends in {' or '.join(SUFFIXES)}"
        raise UsageError(message, where=str(path), hint=f"such as {path.name}{SUFFIXES[0]}")
    check_new(path, str(path))
    schema = path.with_name(SCHEMA)
    if not schema.exists():
        _write_new(schema, schema_text())
    _write_new(path, text)
    outdated = schema.read_text(encoding="utf-8", errors="replace") != schema_text()
    command = text.split("\n")[1].removeprefix("# ").replace(path.name, shlex.quote(str(path)), 1)
    return Beginning(path, schema, command, outdated)


def schema_text() -> str:
    """Returns the JSON schema of an experiment file, for editors."""
    return json.dumps(editor_schema(), indent=2) + "\n"


def _write_new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise

"""Write the default experiment as a file to start from: every key with its default and what else it may be."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from dtrain.experiment.config.problems import explanation
from dtrain.experiment.config.schema import Schema, experiment_schema, families, family_text, kinds_of, resolved
from dtrain.experiment.config.yaml_writer import write_line
from dtrain.experiment.spec import Experiment

MODELINE = "# yaml-language-server: $schema="
"""Tells editors of the schema of a file whose first line it is."""
WIDTH = 118
COLUMN = 34
"""Where comments begin behind short lines."""


def template(name: str, schema_name: str) -> str:
    """Returns the text of a commented experiment file; it stands for the default experiment.

    Args:
        name: What the file will be called.
        schema_name: The file with the schema for editors, relative to it.
    """
    blocks = [
        [
            MODELINE + schema_name,
            f"# dtrain run {name}",
            "# The default experiment. Every key is optional. `dtrain techniques` explains the kinds and their fields,",
            f"# `dtrain validate {name}` checks the file.",
        ]
    ]
    experiment = Experiment.model_validate({}).model_dump(mode="json")
    for key, schema in experiment_schema()["properties"].items():
        blocks.append([*_heading(key, schema), *_value(key, experiment[key], schema)])
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def _heading(key: str, schema: Schema) -> Iterator[str]:
    if key in families():
        names = ", ".join(kinds_of(families()[key]))
        yield from _comment(f"{family_text(key)[0]} Kinds: {names}.", "")
    elif "properties" in resolved(schema):
        yield from _comment(resolved(schema)["description"], "")


def _value(key: str, value: Any, schema: Schema) -> Iterator[str]:
    if isinstance(value, list):
        yield f"{key}:"
        for entry in value:
            dash = "  - "
            for line in _fields(entry, kinds_of(families()[key])[entry["kind"]], " " * len(dash)):
                yield dash + line.removeprefix(" " * len(dash))
                dash = " " * len(dash)
    elif isinstance(value, dict):
        section = kinds_of(families()[key])[value["kind"]] if key in families() else resolved(schema)
        yield f"{key}:"
        yield from _fields(value, section, "  ", follows="kind" not in value)
    else:
        yield from _line(key, value, schema, "")


def _fields(values: Mapping[str, Any], section: Schema, indent: str, *, follows: bool = False) -> Iterator[str]:
    """Yields a line for each field.

    Args:
        values: The fields.
        section: The schema of their section.
        indent: What each line begins with.
        follows: Whether a value other than the section's own default follows from other keys; such a line is a comment,
            so that it goes on to follow.
    """
    if "kind" in values:
        yield f"{indent}{write_line('kind', values['kind'])}"
    for name, schema in section["properties"].items():
        value = values[name]
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _fields(value, resolved(schema), indent + "  ", follows=follows)
        elif name != "kind":
            inferred = follows and value != schema.get("default")
            yield from _line(name, value, schema, f"{indent}# " if inferred else indent)


def _line(name: str, value: object, schema: Schema, indent: str) -> Iterator[str]:
    line = f"{indent}{write_line(name, value)}"
    comment = explanation(schema)
    if indent.endswith("# "):
        comment = f"if left out, as the other keys ask for; {comment}"
    whole = f"{line:<{COLUMN}}  # {comment}"
    if len(whole) <= WIDTH:
        yield whole
    else:
        yield from _comment(comment, indent.removesuffix("# "))
        yield line


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )

"""Write plain values as YAML that people like to read and that the reader reads back as equal values."""

from __future__ import annotations

import math
from collections.abc import Mapping

import yaml

from dtrain.experiment.config.yaml_schema import CORE_SCHEMA


def write_yaml(values: Mapping[str, object]) -> str:
    """Returns a mapping as YAML: keys in their order, lists of plain values on one line.

    Args:
        values: Strings, numbers, booleans and None, in dicts and lists.
    """
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def write_line(key: str, value: object) -> str:
    """Returns a key and its value as one line of YAML, without its end.

    Args:
        key: The key.
        value: Strings, numbers, booleans and None, in dicts and lists.
    """
    text = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=True, width=math.inf
    )
    return f"{key}: {text.rstrip().removesuffix('...').rstrip()}"


class _Dumper(yaml.SafeDumper):
    """Quotes what the core schema would take for another type; PyYAML's own dumper thinks of YAML 1.1."""


def _list_node(dumper: _Dumper, values: list[object]) -> yaml.Node:
    """A list of plain values is easier to read on one line."""
    plain = not any(isinstance(one, dict | list) for one in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=plain)


def _text_node(dumper: _Dumper, text: str) -> yaml.Node:
    """Only double quotes have escapes for what the reader refuses."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.yaml_implicit_resolvers = {None: [(rule.tag, rule.pattern) for rule in CORE_SCHEMA]}
_Dumper.add_representer(list, _list_node)
_Dumper.add_representer(str, _text_node)

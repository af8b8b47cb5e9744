"""Parses command lines as `dtrain` does, and checks the experiments in them, without doing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from dtrain.cli import app
from dtrain.cli.arguments import split_configuration
from dtrain.experiment.config.loading import load_experiment

_DTRAIN = typer.main.get_command(app)
assert isinstance(_DTRAIN, TyperGroup)
COMMANDS = dict(_DTRAIN.commands)
OPTIONS = {option for one in _DTRAIN.params for option in one.opts}
"""What `dtrain` takes in front of a command."""


def options_of(name: str) -> set[str]:
    """Returns the options of a command, as they are typed."""
    return {option for one in COMMANDS[name].params for option in (*one.opts, *one.secondary_opts)}


def check(words: Sequence[str]) -> Mapping[str, Any]:
    """Parses a command line and, where there is an experiment in it, checks that.

    Args:
        words: What follows ``dtrain``.

    Returns:
        What the command would be called with.

    Raises:
        Exception: What the command would be refused for.
    """
    name, *arguments = words
    context = COMMANDS[name].make_context(name, list(arguments))
    if "configuration" in context.params:
        load_experiment(*split_configuration(context.params["configuration"] or []))
    parameters: Mapping[str, Any] = context.params
    return parameters

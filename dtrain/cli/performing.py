"""A command that takes a while: its Python function is called with what was typed, and what it finds is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dtrain.cli.arguments import split_configuration


def perform(function: Callable[..., Any], typed: Mapping[str, Any]) -> Any:
    """Performs a command and returns what it finds.

    Args:
        function: Its function, whose keywords are the command's parameters.
        typed: The parameters.
    """
    given = {name: value for name, value in typed.items() if value is not None}
    as_json, quiet = given.pop("as_json"), given.pop("quiet")
    if "configuration" in typed:
        given["config"], given["overrides"] = split_configuration(given.pop("configuration", ()))
    result = function(**given, progress="warnings" if quiet else True)
    from dtrain.display.description import publish

    publish(result, as_json=as_json)
    return result

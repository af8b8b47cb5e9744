"""What the shell offers when Tab is pressed: runs, experiment files, families and the keys and values of overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol


class Invocation(Protocol):
    """What is typed already."""

    params: Mapping[str, Any]


def complete_run(ctx: Invocation, incomplete: str) -> list[str]:
    """Returns the names of runs, the latest last, but for those that the command has already."""
    from dtrain.runs.folder import list_runs

    names = [one.path.name for one in list_runs(Path(ctx.params["runs_dir"] or "runs"))]
    given = ctx.params.get("runs") or ()
    return _beginning(incomplete, (name for name in names if name not in given))


def complete_family(incomplete: str) -> list[str]:
    """Returns the keys of families of techniques."""
    from dtrain.experiment.config.schema import families

    return _beginning(incomplete, families())


def complete_story(incomplete: str) -> list[str]:
    """Returns the names of the stories that come with dtrain."""
    from dtrain.experiment.config.stories import stories

    return _beginning(incomplete, stories())


def complete_configuration(ctx: Invocation, incomplete: str) -> list[str]:
    """Returns experiment files, keys and values for the next argument of a command that takes CONFIG and KEY=VALUE.

    Some shells split an argument at its equals sign: then it begins in the arguments before.
    """
    from dtrain.experiment.config.files import files_beginning
    from dtrain.experiment.config.schema import every_key
    from dtrain.ground.printable import dotted

    words = list(ctx.params["configuration"] or ())
    keys = [f"{dotted(one)}=" for one in every_key()]
    before = "".join(words[-2:]) if words[-1:] == ["="] else f"{words[-1]}=" if words else ""
    if before in keys:
        return _beginning(incomplete, _values(before.removesuffix("=")))
    key, equals, _ = incomplete.partition("=")
    if equals:
        return _beginning(incomplete, (f"{key}={value}" for value in _values(key)))
    found = _beginning(incomplete, keys if words else [*files_beginning(incomplete), *keys])
    if len(found) == 1 and found[0] in keys:
        # a lone key would be closed with a space; with values beside it, the shell stops behind the equals sign
        found += [found[0] + value for value in _values(found[0].removesuffix("="))]
    return found


def _values(key: str) -> list[str]:
    """Returns the words that a key takes; where it takes others, its default."""
    from dtrain.experiment.config.schema import kinds_of, schemas_at

    found: list[str] = []
    for schema in schemas_at(tuple(key.split("."))):
        if "discriminator" in schema:
            found += kinds_of(schema)
        elif "enum" in schema:
            found += schema["enum"]
        elif schema.get("type") == "boolean":
            found += ["true", "false"]
        elif isinstance(schema.get("default"), int | float):
            found.append(str(schema["default"]))
    return list(dict.fromkeys(found))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    # the shell would obey what is not printable
    return [one for one in names if one.startswith(incomplete) and one.isprintable()]

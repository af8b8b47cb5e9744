"""What several experiments do not have in common, key by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dtrain.experiment.spec import Experiment
from dtrain.ground.printable import KeyPath, dotted

Settings = dict[str, object]
"""Values by dotted key."""


def differing_settings(experiments: Sequence[Experiment]) -> list[Settings]:
    """Returns of each experiment the settings in which not all are equal, but for the seed.

    A key that only some have, because they are of another kind, is left out where it has its default there: the kind
    says it already.

    Args:
        experiments: With every default filled in.

    Returns:
        For each experiment its values by dotted key, such as ``optimizer.kind``, in the order of the file. A key that
        an experiment does not have is missing.
    """
    whole = [_settings(one.model_dump(mode="json", exclude={"seed"})) for one in experiments]
    chosen = [_settings(one.model_dump(mode="json", exclude={"seed"}, exclude_defaults=True)) for one in experiments]
    keys = dict.fromkeys(key for settings in whole for key in settings)
    differing = [key for key in keys if _differs(key, whole) and _is_told(key, whole, chosen)]
    return [{key: settings[key] for key in differing if key in settings} for settings in whole]


def _settings(fields: Mapping[str, object]) -> Settings:
    return {dotted(path): value for path, value in _leaves((), fields)}


def _leaves(path: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    """A list of plain values is one value; a list of techniques has one for each of their fields, the kind first."""
    if isinstance(value, Mapping) and value:
        for key, one in sorted(value.items(), key=lambda item: item[0] != "kind"):
            yield from _leaves((*path, key), one)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for number, one in enumerate(value):
            yield from _leaves((*path, number), one)
    else:
        yield path, value


def _differs(key: str, whole: Sequence[Settings]) -> bool:
    having = [settings[key] for settings in whole if key in settings]
    return len(having) < len(whole) or any(value != having[0] for value in having)


def _is_told(key: str, whole: Sequence[Settings], chosen: Sequence[Settings]) -> bool:
    everywhere = all(key in settings for settings in whole)
    return everywhere or key.endswith("kind") or any(key in settings for settings in chosen)

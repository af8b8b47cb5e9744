"""`dtrain techniques`: what an experiment file may name, with fields, defaults and the lesson's advice."""

from __future__ import annotations

from dataclasses import dataclass

from dtrain.experiment.config.catalogue import Family, catalogue
from dtrain.experiment.config.schema import every_kind, families
from dtrain.ground.errors import UsageError, did_you_mean
from dtrain.ground.printable import clipped


@dataclass(frozen=True)
class Techniques:
    """Families of techniques.

    Args:
        families: One that was asked for, or all.
        whole: Whether they are all.
    """

    families: tuple[Family, ...]
    whole: bool


def techniques(family: str | None = None) -> Techniques:
    """Returns one family of techniques, or all of them.

    Args:
        family: The key of the family; None for all.

    Raises:
        UsageError: There is no such family.
    """
    if family is not None and family not in families():
        raise _unknown(family)
    return Techniques(tuple(map(catalogue, [family] if family else families())), whole=family is None)


def _unknown(family: str) -> UsageError:
    owners = [key for kind, key in every_kind() if kind == family]
    hint = f"{clipped(family)!r} is a kind of {owners[0]!r}: `dtrain techniques {owners[0]}`" if owners else ""
    names = ", ".join(map(repr, families()))
    near = "" if owners else did_you_mean(clipped(family), families())
    return UsageError(f"got {clipped(family)!r}; expected one of {names}{near}", where="FAMILY", hint=hint)

"""What a scalar without quotes means: the core schema of YAML 1.2, for reading and for writing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

MAXIMUM_DIGITS = 20


@dataclass(frozen=True)
class ScalarRule:
    """What a plain scalar of a certain form means in the core schema of YAML 1.2.

    Args:
        tag: The type, as YAML names it.
        pattern: The form; it matches the whole scalar.
        convert: From the scalar's text to its value.
    """

    tag: str
    pattern: re.Pattern[str]
    convert: Callable[[str], object]


def _to_float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


CORE_SCHEMA = (
    ScalarRule("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), lambda _: None),
    ScalarRule(
        "tag:yaml.org,2002:bool",
        re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
        lambda text: text.lower() == "true",
    ),
    ScalarRule("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+\Z"), int),
    ScalarRule("tag:yaml.org,2002:int", re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z"), lambda text: int(text, base=0)),
    ScalarRule(
        "tag:yaml.org,2002:float",
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        _to_float,
    ),
)


def plain_value(text: str) -> object:
    """Returns what a scalar without quotes means: null, true, false, a number, or else the text itself.

    Raises:
        ValueError: An integer has more than `MAXIMUM_DIGITS` digits.
    """
    for rule in CORE_SCHEMA:
        if rule.pattern.match(text):
            digits = len(text.lstrip("-+"))
            if rule.tag.endswith(":int") and digits > MAXIMUM_DIGITS:
                raise ValueError(f"got an integer of {digits:,} digits; expected at most {MAXIMUM_DIGITS}")
            return rule.convert(text)
    return text

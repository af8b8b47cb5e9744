"""Plain scalars mean what the core schema of YAML 1.2 says (https://yaml.org/spec/1.2.2/#103-core-schema)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtrain.experiment.config.yaml_schema import plain_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("NULL", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.25e+2", -25.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
    ],
)
def test_meaning(text: str, value: object) -> None:
    assert (plain_value(text), type(plain_value(text))) == (value, type(value))


def test_not_a_number() -> None:
    number = plain_value(".NaN")
    assert isinstance(number, float) and math.isnan(number)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "on",
        "Yes",
        "y",
        "tRUE",
        "nULL",
        "12:30:45",
        "2024-01-01",
        "1_000",
        "0b1",
        "1e",
        ".",
        "inf",
        "nan",
        "٣",
        "1\n",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert plain_value(text) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_as_python_writes_them_are_exact(number: float) -> None:
    assert plain_value(repr(number)) == number


@pytest.mark.parametrize("text", ["9" * 21, "-" + "9" * 21, "0x" + "f" * 5000])
def test_integers_are_bounded(text: str) -> None:
    with pytest.raises(ValueError, match=r"digits; expected at most 20"):
        plain_value(text)


def test_longest_integer() -> None:
    assert plain_value("-" + "9" * 20) == 1 - 10**20

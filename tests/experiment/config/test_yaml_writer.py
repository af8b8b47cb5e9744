"""What is written is read back as equal values, and reads well."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtrain.experiment.config.yaml_reader import read_yaml
from dtrain.experiment.config.yaml_writer import write_yaml

SCALARS = st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.floats(allow_nan=False) | st.text(max_size=20)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text("abcdef", min_size=1), SCALARS | st.lists(SCALARS, max_size=4), max_size=5))
def test_values_survive_writing_and_reading(values: dict[str, object]) -> None:
    assert read_yaml(write_yaml(values), "written").value == values


@pytest.mark.parametrize("text", ["1e3", "0o17", "no", "null", "", "true", "010", "12:30:45", "0x1F", ".5", "<<", "&a"])
def test_text_that_looks_like_another_type_stays_text(text: str) -> None:
    assert read_yaml(write_yaml({"name": text}), "written").value == {"name": text}


@pytest.mark.parametrize(
    "text", ["a\0b", "\x1b[31m", "line\u2028line", "a\nb\n", "  indented", "é", "\U0001f600", "\ufeff"]
)
def test_text_with_special_characters_is_written_so_that_it_can_be_read(text: str) -> None:
    assert read_yaml(write_yaml({"name": text}), "written").value == {"name": text}


def test_lists_of_plain_values_take_one_line() -> None:
    values = {"network": {"hidden": [300, 100]}, "regularizer": [{"kind": "l2", "factor": 1e-5}], "save": []}
    assert write_yaml(values) == (
        "network:\n  hidden: [300, 100]\nregularizer:\n- kind: l2\n  factor: 1.0e-05\nsave: []\n"
    )

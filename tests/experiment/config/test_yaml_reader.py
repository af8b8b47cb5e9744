"""Plain values come out of a document, with their places; whatever YAML has beyond that is refused."""

from __future__ import annotations

import pytest

from dtrain.experiment.config.yaml_reader import MAXIMUM_BYTES, MAXIMUM_LEVELS, Place, decode_yaml, read_yaml
from dtrain.ground.errors import ConfigError
from dtrain.ground.printable import KeyPath

TEXT = """\
optimizer:
  kind: adam
network: [300, 100]
regularizer:
- l2
- {kind: dropout}
"""


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "a.yaml")
    return str(caught.value)


def test_values_are_plain() -> None:
    assert read_yaml(TEXT, "a.yaml").value == {
        "optimizer": {"kind": "adam"},
        "network": [300, 100],
        "regularizer": ["l2", {"kind": "dropout"}],
    }


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), "1:1", "1:1"),
        (("optimizer",), "2:3", "1:1"),
        (("optimizer", "kind"), "2:9", "2:3"),
        (("network", 1), "3:16", "3:16"),
        (("regularizer", 1, "kind"), "6:10", "6:4"),
    ],
)
def test_places_of_values_and_keys(path: KeyPath, value: str, key: str) -> None:
    assert read_yaml(TEXT, "a.yaml").places[path] == Place(f"a.yaml:{value}", f"a.yaml:{key}")


def test_nearest_place_of_what_is_not_written() -> None:
    document = read_yaml(TEXT, "a.yaml")
    assert document.nearest(("optimizer", "learning_rate")) == document.places[("optimizer",)]
    assert document.nearest(("training", "epochs")) == document.places[()]


@pytest.mark.parametrize("text", ["\ufeffseed: 1\n", "seed: 1\r\n", "---\nseed: 1\n...\n", "%YAML 1.2\n---\nseed: 1"])
def test_harmless_forms_of_a_file_are_accepted(text: str) -> None:
    assert read_yaml(text, "a.yaml").value == {"seed": 1}


def test_windows_line_ends_count_once() -> None:
    assert read_yaml("a: 1\r\nb: 2\r\n", "a.yaml").places[("b",)].value == "a.yaml:2:4"


def test_quoted_scalars_are_text() -> None:
    assert read_yaml("['1', \"true\", '', \"\\u00e9\"]", "a.yaml").value == ["1", "true", "", "é"]


def test_levels_are_bounded_whatever_they_are_made_of() -> None:
    assert read_yaml("[" * MAXIMUM_LEVELS + "]" * MAXIMUM_LEVELS, "a.yaml").value
    for text in ("[" * 21, "{a: " * 21, "- " * 21 + "x", "".join(" " * level + "a:\n" for level in range(22))):
        assert "nested more than 20 levels" in refusal(text)
    assert "nested more than 20 levels" in refusal("a:\n - " + "[" * 20)


def test_size_is_bounded() -> None:
    assert read_yaml("#" * MAXIMUM_BYTES, "a.yaml").value is None
    assert refusal("é" * (MAXIMUM_BYTES // 2) + "x") == "a.yaml: got at least 262,145 bytes; expected at most 262,144"


OUT_OF_RANGE = "got an escape or a directive with a number out of range; expected valid YAML"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: {b: &x 1}", "a.yaml:1:8: got '&x'; anchors and aliases are not supported"),
        ("a: *x", "a.yaml:1:4: got '*x'; anchors and aliases are not supported"),
        ("&x a: 1", "a.yaml:1:1: got '&x'; anchors and aliases are not supported"),
        ("a: !!str 1", "a.yaml:1:4: got '!!str'; tag not allowed, expected a plain value"),
        ("a: ! 1", "a.yaml:1:4: got '!'; tag not allowed, expected a plain value"),
        ("!x {a: 1}", "a.yaml:1:1: got '!x'; tag not allowed, expected a plain value"),
        ("<<: {a: 1}", "a.yaml:1:1: got '<<'; merge keys are not supported"),
        ("1: x", "a.yaml:1:1: got 1 as a key; expected a name"),
        ("~: x", "a.yaml:1:1: got ~ as a key; expected a name"),
        ("? [a]\n: x", "a.yaml:1:3: got a list or a mapping as a key; expected a name"),
        ('a: "\\UFFFFFFFF"', f"a.yaml:1:7: {OUT_OF_RANGE}"),
        ("a: b: c", "a.yaml:1:5: got invalid YAML: mapping values are not allowed here"),
        ("a: 1\u2028b: 2", "a.yaml:1:5: got the control character U+2028 at offset 4; expected printable text"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    assert refusal(text) == expected


def test_quoted_merge_key_is_only_a_name() -> None:
    assert read_yaml("'<<': 1", "a.yaml").value == {"<<": 1}


def test_unclosed_bracket_is_reported_where_it_opens() -> None:
    assert refusal("a: 1\nb: [2\n").startswith("a.yaml:2:4: got invalid YAML: expected ',' or ']'")


@pytest.mark.parametrize("text", ["a: b : c", f"a: {'x' * 500} : y", "\ufeffa: b : c"])
def test_caret_points_at_the_place_and_stays_in_sight(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "a.yaml")
    _, excerpt, caret = caught.value.problems[0].hint.splitlines()
    assert excerpt[caret.index("^") :].startswith(": ")
    assert excerpt[caret.index("^") - 1] == " "
    assert len(excerpt) < 80


def test_duplicate_keys_do_not_hide_other_problems() -> None:
    problems = read_yaml("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n", "a.yaml").problems
    assert [str(problem) for problem in problems] == [
        "a.yaml:2:11 b.c: got the key 'c' on lines 2 and 2; expected it once",
        "a.yaml:3:1 a: got the key 'a' on lines 1 and 3; expected it once",
        "a.yaml:4:1 a: got the key 'a' on lines 1 and 4; expected it once",
    ]


def test_offset_counts_the_bytes_of_the_file() -> None:
    with pytest.raises(ConfigError) as caught:
        decode_yaml("\ufeffé: 1\nx".encode() + b"\xff", "a.yaml")
    assert str(caught.value) == "a.yaml:2:2: got byte 0xff at offset 10; expected UTF-8 text"

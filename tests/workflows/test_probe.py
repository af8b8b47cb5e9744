"""`dtrain probe`: side by side, in words, as JSON and as a picture, and what it refuses."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

import dtrain
from dtrain.cli import main
from dtrain.ground.errors import ConfigError, UsageError
from dtrain.workflows.probe import name_of, side_by_side

SMALL: dict[str, Any] = {"dataset.train_limit": 200, "network": [20, 20, 20], "activation": "relu"}


def words(**changes: Any) -> list[str]:
    return [f"{key}={value}" for key, value in (SMALL | changes).items()]


def test_the_experiments_own_initializer_stands_first_and_none_stands_twice() -> None:
    found = side_by_side(None, ["activation=relu"], None)
    assert [*map(name_of, found)] == ["he_normal", "glorot_uniform", "lecun_normal"]
    listed = side_by_side(None, [], "orthogonal, {kind: random_normal, stddev: 1.0, mean: 0.5},he_normal")
    assert [*map(name_of, listed)] == ["he_normal", "orthogonal", "random_normal mean=0.5 stddev=1.0"]
    assert [*map(name_of, side_by_side(None, [], ["zeros"]))] == ["he_normal", "zeros"]


def test_a_word_that_is_no_initializer_is_refused_where_it_stands() -> None:
    with pytest.raises(ConfigError, match=r"initializer.*did you mean 'he_normal'"):
        side_by_side(None, [], "he_norml")


def test_a_probe_is_told_in_words_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "probe.png"
    report = dtrain.probe(None, words(), initializers=["zeros"], plot=picture)
    text = str(report)
    assert picture.exists() and str(picture) in text
    for line in (
        "he_normal keeps: gradients go x",
        "first loss",
        "16 images are learnt by heart",
    ):
        assert line in text, text
    assert re.search(r"zeros +vanishes +100%", text)
    assert report.fate == "keeps" and report.chance_loss == pytest.approx(math.log(10))
    assert report.rows()[0]["initializer"] == "he_normal"
    assert main(["probe", *words(activation="tanh"), "--initializers", "constant", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["verdict"]["fate"] for one in found["initializers"]] == ["keeps", "symmetric"]
    assert found["initializers"][0]["layers"][2]["name"] == "dense_3" and found["by_heart"]["images"] == 16


def test_what_cannot_be_probed_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="network: got no hidden layer"):
        dtrain.probe(None, network=[])
    with pytest.raises(UsageError, match="a file that exists"):
        dtrain.probe(None, plot=Path(__file__))

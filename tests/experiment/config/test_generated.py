"""Whatever a file or the command line says, the answer is an experiment or a complaint with a place, and soon."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtrain.experiment.config.loading import dump_experiment, load_experiment, parse_experiment
from dtrain.ground.errors import ConfigError, UsageError
from tests.experiment.config.generators import contents, overrides, plausible_texts

FILE = Path("exp.yaml")
PLACE = re.compile(r"exp\.yaml:\d+:\d+( .+)?|override(:| .+)?|default experiment( .+)?")
CONTENTS = {
    "of any kind": contents(),
    "plausible": plausible_texts().map(str.encode),
}
CASES = pytest.mark.parametrize("cases", [70, pytest.param(500, marks=pytest.mark.slow)])


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def is_answered(content: bytes | None, changes: list[str]) -> None:
    if content is not None:
        FILE.write_bytes(content)
    began = time.process_time()
    try:
        experiment = load_experiment(None if content is None else FILE, changes)
    except (ConfigError, UsageError) as error:
        # behind the last of very many problems stands only that there are more
        for problem in error.problems[:50]:
            assert PLACE.fullmatch(problem.where), problem
            assert str(problem).isprintable()
    else:
        assert parse_experiment(dump_experiment(experiment), "dumped") == experiment
    assert time.process_time() - began < 1


def check(cases: int, content: st.SearchStrategy[bytes | None], changes: st.SearchStrategy[list[str]]) -> None:
    settings(deadline=None, max_examples=cases, database=None)(given(content, changes)(is_answered))()


@CASES
@pytest.mark.parametrize("kind", CONTENTS)
def test_every_file_is_accepted_or_refused_with_a_place(kind: str, cases: int) -> None:
    check(cases, CONTENTS[kind], st.just([]))


@CASES
def test_every_override_is_accepted_or_refused_with_a_place(cases: int) -> None:
    check(cases, st.none() | CONTENTS["plausible"], st.lists(overrides(), min_size=1, max_size=3))


@pytest.mark.parametrize("key", ["activation", "initializer", "network", "normalization", "optimizer", "schedule"])
@pytest.mark.parametrize("kind", ["[]", "{}", "{a: 1}", "null", "1"])
def test_a_kind_that_is_no_word_is_refused(key: str, kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}"):
        load_experiment(None, [f"{key}.kind={kind}"])

"""The words that other libraries and people have for what an experiment file says, and for what it cannot say."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, cast

from dtrain.experiment.config.yaml_reader import read_yaml

TABLE = Path(__file__).with_suffix(".yaml")


def squashed(word: str) -> str:
    """Returns a word as it is compared: without capitals and what stands between its parts."""
    return re.sub("[^a-z0-9]", "", word.lower())


def meanings(word: str) -> list[str]:
    """Returns what an override would spell for a squashed word of others; nothing where it is none."""
    return _by_word("meant").get(word, [])


def reasons(word: str) -> list[str]:
    """Returns why there is nothing to write for a squashed word of others; nothing where there may be something."""
    return _by_word("lacking").get(word, [])


@cache
def _by_word(part: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for meaning, words in cast(Any, read_yaml(TABLE.read_text("utf-8"), TABLE.name).value)[part].items():
        for word in words.split():
            found.setdefault(squashed(word), []).append(meaning)
    return found

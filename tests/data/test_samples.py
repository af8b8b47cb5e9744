"""The bundled samples are what their script makes from the official sets."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dtrain.data.official import OFFICIAL, SAMPLE_HASHES, SAMPLES_FOLDER
from dtrain.data.samples.make_samples import choose, make_samples


def test_the_first_of_each_class_are_chosen_in_order() -> None:
    labels = np.array([1, 1, 0, 1, 0, 2, 0, 2, 2], np.int32)
    assert choose(labels, 2).tolist() == [0, 1, 2, 4, 5, 7]


def test_licences_lie_beside_the_images() -> None:
    licences = (SAMPLES_FOLDER / "LICENSES.md").read_text(encoding="utf-8")
    assert all(f"## {known.folder}/" in licences for known in OFFICIAL.values())
    words = (
        "ShareAlike 3.0",
        "Yann LeCun, Corinna Cortes",
        "Copyright (c) 2017 Zalando SE",
        "THE SOFTWARE IS",
    )
    assert all(word in licences for word in words)


@pytest.mark.slow
@pytest.mark.skipif("DTRAIN_DATA_DIR" not in os.environ, reason="DTRAIN_DATA_DIR is not set")
def test_the_script_makes_the_same_content_again(tmp_path: Path) -> None:
    make_samples(Path(os.environ["DTRAIN_DATA_DIR"]), tmp_path)
    assert (tmp_path / SAMPLE_HASHES).read_text() == (SAMPLES_FOLDER / SAMPLE_HASHES).read_text()

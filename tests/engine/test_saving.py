"""A saved model is the same archive at every time."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from dtrain.engine.saving import save_model


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_model_is_read_back_and_its_archive_holds_no_time(suffix: str, tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    path = tmp_path / f"model.{suffix}"
    save_model(model, path)
    images = np.ones((1, 2), np.float32)
    assert np.array_equal(keras.models.load_model(path, compile=False)(images), model(images))
    assert list(tmp_path.iterdir()) == [path]
    if suffix == "keras":
        with zipfile.ZipFile(path) as archive:
            assert {one.date_time[0] for one in archive.infolist()} == {1980}

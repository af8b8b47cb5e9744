"""A model as a file, whatever the clock says."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import keras


def save_model(model: keras.Model, path: Path) -> None:
    """Writes a model into a file, of the kind that its suffix names.

    Keras would write the time into a .keras, and fail where the clock says a year that archives do not know.

    Args:
        model: The model.
        path: The file to make.
    """
    if path.suffix != ".keras":
        model.save(path)
        return
    parts = path.with_suffix(".parts")
    try:
        keras.saving.save_model(model, parts, zipped=False)
        with zipfile.ZipFile(path, "w") as archive:
            # the folder for assets stays empty: the layers of a network of ours have none
            for part in sorted(one for one in parts.iterdir() if one.is_file()):
                archive.writestr(zipfile.ZipInfo(part.name), part.read_bytes())
    finally:
        shutil.rmtree(parts, ignore_errors=True)

"""Whether a model file in a run folder holds the weights that the run ended with."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dtrain.ground.errors import ModelFileError, RunConflictError
from dtrain.ground.reading import read_json
from dtrain.runs.folder import RunFolder
from dtrain.runs.status import STATUS, TRANSFER

if TYPE_CHECKING:
    import keras

WEIGHTS = "weights_digest"
"""Under which key a summary has the digest."""


def weights_digest(model: keras.Model) -> str:
    """Returns the SHA-256 of shapes, types and values of a model's weights, in their order."""
    hasher = hashlib.sha256()
    for array in model.get_weights():
        hasher.update(f"{array.dtype.newbyteorder('<').str} {array.shape}\n".encode())
        hasher.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return hasher.hexdigest()


def check_recorded(model: keras.Model, path: Path) -> None:
    """Refuses the model of a run whose weights are not those of its summary; older summaries do not say.

    Args:
        model: What was read from a file.
        path: The file, in a run folder or elsewhere.

    Raises:
        ModelFileError: The weights are others.
    """
    if not (path.parent / STATUS).is_file():
        return
    with suppress(RunConflictError):
        recorded = _trained_in(RunFolder(path.parent)).read_summary().get(WEIGHTS)
        found = weights_digest(model)
        if recorded not in (None, found):
            message = f"got weights with digest {found[:12]}; expected {str(recorded)[:12]}, those of the run's end"
            hint = "it is the model of another run: copy the right one back, or train again"
            raise ModelFileError(message, where=str(path), hint=hint)


def _trained_in(folder: RunFolder) -> RunFolder:
    """Returns where the model in a folder was trained: that of a transfer experiment is of one of its seeds."""
    if folder.kind() != "transfer":
        return folder
    seed = read_json(folder.path / TRANSFER).get("saved_seed")
    return RunFolder(folder.path / "transfer" / f"seed-{seed}")

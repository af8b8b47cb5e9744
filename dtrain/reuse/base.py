"""Model files that somebody else made, loaded without running anything that is in them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtrain.reuse.architecture import Architecture, read_architecture
from dtrain.reuse.contents import Contents, read_contents
from dtrain.reuse.files import ModelFile, run_behind
from dtrain.reuse.normalizing import with_rescaling
from dtrain.reuse.plans import LayerPlan
from dtrain.reuse.recorded import check_recorded

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Outline:
    """What a model file says of itself, read without TensorFlow.

    Args:
        architecture: Its layers as plans, whose names of initializers and penalties are still to be checked.
        contents: Its configuration and arrays.
        path: The file.
        digest: SHA-256 of the bytes that were read.
        scaling: As in `Base`.
    """

    architecture: Architecture
    contents: Contents
    path: Path
    digest: str
    scaling: dict[str, Any] | None

    def taking(self, image_shape: tuple[int, ...]) -> Outline:
        """Returns an outline that takes images of a shape where this one wants their values in a row."""
        whole = self.architecture
        if whole.input_shape != (math.prod(image_shape),) or whole.input_shape == image_shape:
            return self
        row = LayerPlan(whole.input_name, "Reshape", {"target_shape": list(whole.input_shape)}, ("images_to_reshape",))
        whole = Architecture("images_to_reshape", image_shape, (row, *whole.layers), whole.output_name)
        return replace(self, architecture=whole)


@dataclass(frozen=True, eq=False)
class Base:
    """A trained model to build on.

    Args:
        architecture: Its layers as plans, to build others like them.
        model: From scaled images to the model's outputs; of stock Keras layers, uncompiled, without penalties.
        path: The file.
        digest: SHA-256 of the bytes that were checked and loaded.
        input_shape: Of one image.
        classes: How many the output tells apart.
        scaling: ``kind`` and ``dataset`` of the dtrain run that made the file, and the ``digest`` of that data set
            where only its images tell offset and factor; None where no run says how the images were scaled.
    """

    architecture: Architecture
    model: keras.Model
    path: Path
    digest: str
    input_shape: tuple[int, ...]
    classes: int
    scaling: dict[str, Any] | None


def read_outline(file: ModelFile) -> Outline:
    """Takes a model file to pieces, so that most of what is wrong with it is known before TensorFlow starts.

    Args:
        file: Its bytes.

    Raises:
        ModelFileError: It is damaged, no model or unsafe.
    """
    contents = read_contents(file)
    architecture = read_architecture(contents.configuration, file.path)
    architecture, contents = with_rescaling(architecture, contents, file.path)
    return Outline(
        architecture=architecture,
        contents=contents,
        path=file.path,
        digest=hashlib.sha256(file.content).hexdigest(),
        scaling=run_behind(file.path),
    )


def build_base(outline: Outline) -> Base:
    """Builds the model that a file holds.

    Args:
        outline: The file, taken to pieces.

    Raises:
        ModelFileError: It is unsafe or too large, or its arrays are not those of its layers, or of its run.
    """
    from dtrain.reuse.building import build

    model = build(outline.architecture, outline.contents, outline.path)
    check_recorded(model, outline.path)
    outputs = model.output_shape[-1]
    return Base(
        architecture=outline.architecture,
        model=model,
        path=outline.path,
        digest=outline.digest,
        input_shape=tuple(model.input_shape[1:]),
        classes=2 if outputs == 1 else outputs,
        scaling=outline.scaling,
    )

"""What a model file may name: an allow list of classes, and nothing else passes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any

from dtrain.ground.errors import ModelFileError, Problem
from dtrain.ground.printable import clipped

Plain = dict[str, Any]

MODELS = frozenset({"Sequential", "Functional", "Model"})
LAYERS = frozenset(
    {
        "InputLayer",
        "Dense",
        "Conv2D",
        "DepthwiseConv2D",
        "SeparableConv2D",
        "Flatten",
        "Reshape",
        "ZeroPadding2D",
        "Cropping2D",
        "UpSampling2D",
        "MaxPooling2D",
        "AveragePooling2D",
        "GlobalMaxPooling2D",
        "GlobalAveragePooling2D",
        "BatchNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "UnitNormalization",
        "RMSNormalization",
        "Normalization",
        "Activation",
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "Softmax",
        "Dropout",
        "SpatialDropout2D",
        "AlphaDropout",
        "GaussianDropout",
        "GaussianNoise",
        "Add",
        "Subtract",
        "Multiply",
        "Average",
        "Maximum",
        "Minimum",
        "Concatenate",
        "Rescaling",
    }
)
"""Layers that compute with numbers and their own weights, and take no function, file or address as an argument."""
IDLE = frozenset(
    {
        "ActivityRegularization",
        "Identity",
        "RandomBrightness",
        "RandomContrast",
        "RandomFlip",
        "RandomRotation",
        "RandomShear",
        "RandomTranslation",
        "RandomZoom",
    }
)
"""Layers that do nothing in use, and are left out: a base is augmented no more."""
OPERATIONS = frozenset({"Celu", "Elu", "Gelu", "HardShrink", "LeakyRelu", "SoftShrink", "Squareplus", "Threshold"})
"""Activations with numbers of their own."""
MARKS = frozenset({"__keras_tensor__", "__tuple__", "DTypePolicy"})
NEVER_BUILT = frozenset({"compile_config", "build_config"})
"""What training needed: optimizer, loss and metrics; shapes follow from the layers."""
LEFT_OUT = re.compile(r"_(initializer|regularizer|constraint)(\.|$)")
"""Places of what is dropped, whose names only Keras knows."""
DEEPEST = 40
MOST_REPORTED = 5
LONGEST_PLACE = 120


def check_layers(configuration: Plain, path: Path) -> None:
    """Refuses what is built and not on the list, without Keras, which takes seconds to import.

    Args:
        configuration: The parsed JSON.
        path: The file, for messages.

    Raises:
        ModelFileError: Something in it is not on the list.
    """
    objects = (one for one in _objects(configuration, "config", "") if not LEFT_OUT.search(one[0]))
    _refuse_foreign(objects, LAYERS | MODELS | IDLE | OPERATIONS | MARKS, path)


def check_names(configuration: Plain, path: Path) -> None:
    """Refuses everything in an architecture that names a class and is not on the list, wherever it is.

    To be called before anything is built: `check_layers` leaves out what only Keras knows.

    Args:
        configuration: The parsed JSON.
        path: The file, for messages.

    Raises:
        ModelFileError: Something in it is neither on the list nor an initializer, regularizer or constraint of Keras.
    """
    import keras

    harmless = {
        name
        for family in (keras.initializers, keras.regularizers, keras.constraints)
        for name, member in vars(family).items()
        if isinstance(member, type)
    }
    names = LAYERS | MODELS | IDLE | OPERATIONS | MARKS | harmless
    _refuse_foreign(_objects(configuration, "config", ""), names, path)


def _refuse_foreign(objects: Iterable[tuple[str, str, Plain]], names: Set[str], path: Path) -> None:
    problems = []
    for place, owner, one in objects:
        kind, module, registered = one.get("class_name"), one.get("module"), one.get("registered_name")
        known = isinstance(kind, str) and kind in names
        own = module is None or (isinstance(module, str) and re.fullmatch(r"keras(\.[a-z_.]+)?", module))
        if not known or not own or not (registered is None or registered == kind):
            shown = clipped(f"{registered} ({kind})" if known else str(kind))
            place = place if len(place) <= LONGEST_PLACE else f"...{place[-LONGEST_PLACE:]}"
            message = f"layer {clipped(owner)!r} needs {shown!r}, which is not on the list of safe layers ({place})"
            hint = "nothing of it was loaded; docs/transfer.md lists them under Layers of a base"
            problems.append(Problem(message, str(path), hint))
        if len(problems) == MOST_REPORTED:
            break
    if problems:
        raise ModelFileError(problems)


def _objects(value: object, place: str, owner: str, depth: int = 0) -> Iterator[tuple[str, str, Plain]]:
    """Yields every mapping with a class name: its place, the nearest name above it, and itself."""
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        inner = value.get("config")
        named = inner.get("name") if isinstance(inner, dict) else None
        owner = str(named or value.get("name") or owner)
        if "class_name" in value:
            yield place, owner, value
        for key, one in value.items():
            if key not in NEVER_BUILT:
                yield from _objects(one, f"{place}.{key}", owner, depth + 1)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _objects(one, f"{place}[{number}]", owner, depth + 1)

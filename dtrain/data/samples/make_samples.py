"""Make the bundled samples: the first 1,000 training and 200 test images of each class, in official order.

Run ``python -m dtrain.data.samples.make_samples SOURCE``, where SOURCE holds ``mnist/`` and
``fashion-mnist/`` with the four official IDX files each. The result depends on their verified content alone:
another run writes the same content and, with the same zlib, the same bytes. The hashes go beside the files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from dtrain.data.idx import IDX_NAMES, idx_sha256, write_idx
from dtrain.data.images import Array, ImageSet, Labels
from dtrain.data.official import OFFICIAL, SAMPLE_HASHES, SAMPLES_FOLDER
from dtrain.data.places import DATA_FOLDER, folder_place, read_place
from dtrain.ground.errors import DataError

TRAIN_IMAGES_A_CLASS = 1_000
TEST_IMAGES_A_CLASS = 200


def choose(labels: Labels, images_a_class: int) -> Array:
    """Returns the indices, ascending, of the first `images_a_class` images of each class.

    Args:
        labels: int32, [n].
        images_a_class: How many of each.
    """
    by_class = [np.flatnonzero(labels == label)[:images_a_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(by_class))


def subset(images: ImageSet) -> dict[str, Array]:
    """Returns part (`train_images`, ...) to the sample's uint8 array, from a whole official set."""
    train = choose(images.train_labels, TRAIN_IMAGES_A_CLASS)
    test = choose(images.test_labels, TEST_IMAGES_A_CLASS)
    return {
        "train_images": images.train_images[train],
        "train_labels": images.train_labels[train].astype(np.uint8),
        "test_images": images.test_images[test],
        "test_labels": images.test_labels[test].astype(np.uint8),
    }


def make_samples(source: Path, target: Path = SAMPLES_FOLDER) -> None:
    """Writes the samples and their hashes.

    Args:
        source: The folder that holds the official sets.
        target: Where the samples go.

    Raises:
        DataError: A set is missing or is not the official one.
    """
    hashes = {}
    for known in OFFICIAL.values():
        place = folder_place(source / known.folder, DATA_FOLDER)
        if place.missing:
            raise DataError(place.status, where=str(place.path))
        arrays = subset(read_place(known, place))
        (target / known.folder).mkdir(parents=True, exist_ok=True)
        for part, name in IDX_NAMES.items():
            with (target / known.folder / f"{name}.gz").open("wb") as stream:
                write_idx(stream, arrays[part], level=9)
        hashes[known.folder] = {part: idx_sha256(array) for part, array in arrays.items()}
    (target / SAMPLE_HASHES).write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make_samples(Path(sys.argv[1]))

"""The data sets known by name: their hashes, class names, addresses and the folders they can lie in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dtrain.data.images import PARTS
from dtrain.ground.errors import DataError

ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
SAMPLES_FOLDER = Path(__file__).parent / "samples"
SAMPLE_HASHES = "sha256.json"


@dataclass(frozen=True)
class KnownSet:
    """A data set that is known by name, so that its content can be verified.

    Args:
        name: As an experiment file says it.
        folder: The folder that holds its four IDX files, inside a data folder or the Keras cache.
        class_names: In the order of the labels.
        sha256: Part (`train_images`, ...) to the hash of the decompressed IDX file.
        archive: The one .npz that Keras keeps it in; empty where Keras keeps the IDX files themselves.
        address: Where it is downloaded from; empty for bundled samples.
        system_folder: Where a Debian package installs it; empty where there is no package.
        package: That package.
    """

    name: str
    folder: str
    class_names: tuple[str, ...]
    sha256: Mapping[str, str]
    archive: str = ""
    address: str = ""
    system_folder: str = ""
    package: str = ""


OFFICIAL: dict[str, KnownSet] = {
    "mnist": KnownSet(
        name="mnist",
        folder="mnist",
        class_names=tuple("0123456789"),
        sha256={
            "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        archive="mnist.npz",
        address=ADDRESS,
    ),
    "fashion_mnist": KnownSet(
        name="fashion_mnist",
        folder="fashion-mnist",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        sha256={
            "train_images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train_labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "test_images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "test_labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        address=ADDRESS,
        system_folder="/usr/share/datasets/fashion-mnist",
        package="dataset-fashion-mnist",
    ),
}


def samples() -> dict[str, KnownSet]:
    """The bundled subsets, by name; their hashes lie beside them, written by the script that made them."""
    hashes = json.loads((SAMPLES_FOLDER / SAMPLE_HASHES).read_text(encoding="utf-8"))
    return {
        name: KnownSet(name, whole.folder, whole.class_names, hashes[whole.folder])
        for name, whole in ((f"{whole.name}_sample", whole) for whole in OFFICIAL.values())
    }


def known_sets() -> dict[str, KnownSet]:
    """Every data set known by name: the official sets and the bundled samples."""
    return OFFICIAL | samples()


def identify(sha256: str) -> tuple[KnownSet, str] | None:
    """Returns the data set and the part whose IDX file has this hash when decompressed, if any is known."""
    for known in known_sets().values():
        for part in PARTS:
            if known.sha256[part] == sha256:
                return known, part
    return None


def verify(known: KnownSet, part: str, sha256: str, where: str) -> None:
    """Refuses content that is not the official one.

    Args:
        known: The data set it should belong to.
        part: Which of the four arrays it should be.
        sha256: The hash of its decompressed IDX form.
        where: The file, for the message.

    Raises:
        DataError: The hash differs; the message shows both, and says what the content is when that is known.
    """
    expected = known.sha256[part]
    if sha256 == expected:
        return
    other = identify(sha256)
    raise DataError(
        f"content has SHA-256 {sha256}; expected {expected} ({part} of {known.name})",
        where=where,
        hint=(
            f"this is {other[1]} of {other[0].name}: the files are mixed up"
            if other
            else "the file is damaged or altered: get it again"
        ),
    )

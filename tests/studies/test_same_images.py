"""Only runs that were validated and tested on the same images are compared; what leaves these alone does not matter."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtrain.data.images import ImageSet
from dtrain.data.prepare import prepare
from dtrain.experiment.dataset import Dataset
from dtrain.ground.errors import UsageError
from dtrain.studies.groups import Group, read_groups
from dtrain.studies.same_images import check_same_images
from tests.studies.made_runs import IMAGES, single

pytestmark = pytest.mark.usefixtures("hasty_disk")
KNOWN, COPY = {"name": "fashion_mnist_sample"}, {"name": "/data/copy"}
ALL = list(range(10))


def check(runs_dir: Path, first: dict[str, Any], second: dict[str, Any], **more: Any) -> None:
    single(runs_dir, "elu", 1, 0.8, written={"dataset": first})
    single(runs_dir, "selu", 1, 0.8, written={"dataset": second, "activation": "selu"}, **more)
    check_same_images(read_groups(runs_dir, ["elu", "selu"])[0])


def test_row_55_another_data_set_is_refused(tmp_path: Path) -> None:
    said = "different images: elu on images abc123, 200 to validate and 200 .*, selu on images def456, 200 to validate"
    with pytest.raises(UsageError, match=said):
        check(tmp_path, KNOWN, KNOWN, digest="def456")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (KNOWN, {**KNOWN, "classes": [5, 6]}, "to test of classes \\[5, 6\\], 1,000 held out by position"),
        ({**KNOWN, "classes": [5, 7]}, {**KNOWN, "classes": [5, 6]}, "of classes \\[5, 7\\]"),
        ({**KNOWN, "classes": [1, 2]}, {**KNOWN, "classes": [0, 1]}, "of classes \\[1, 2\\]"),
        (KNOWN, {**KNOWN, "validation": 500}, "1,000 held out by position, selu .* 500 held out by position"),
        (KNOWN, {**COPY, "validation": 1000}, "1,000 held out by position, selu .* 1,000 held out class by class"),
        ({**COPY, "classes": [5, 6]}, {**COPY, "validation": 7, "classes": [5, 6]}, "a tenth held out class by class"),
    ],
)
def test_row_55_other_validation_or_test_images_are_refused(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], said: str
) -> None:
    """Though there are as many of them."""
    with pytest.raises(UsageError, match=said):
        check(tmp_path, first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (KNOWN, {**KNOWN, "train_limit": 100}),
        (KNOWN, {**KNOWN, "scaling": "standardize"}),
        (KNOWN, {**KNOWN, "validation": 1000}),
        (KNOWN, {**KNOWN, "classes": ALL}),
        ({**KNOWN, "classes": [6, 5]}, {**KNOWN, "classes": [5, 6]}),
        (COPY, {"name": "/data/again", "classes": ALL}),
        (COPY, {**COPY, "validation": IMAGES}),
        (COPY, {**COPY, "validation": IMAGES, "classes": ALL}),
    ],
)
def test_what_leaves_validation_and_test_alone_is_compared(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any]
) -> None:
    check(tmp_path, first, second)


def test_what_is_compared_has_the_same_images(tmp_path: Path) -> None:
    """Every two of many splits of 1,200 images, each told by its only pixel; three classes are in the test part.

    Of those that are split alike, all that have the same are compared.
    """
    labels = np.random.default_rng(0).integers(0, 4, 1400).astype(np.int32)
    labels[1200:] %= 3
    pixels = np.arange(1400, dtype=np.float32).reshape(-1, 1, 1)
    images = ImageSet("own", pixels[:1200], labels[:1200], pixels[1200:], labels[1200:], ("",) * 4)
    classes = (None, [0, 1], [1, 0, 2], [0, 1, 2, 3], [3, 2, 1, 0], [0, 2], [1, 2])
    splits = [
        Dataset.model_validate({**name, "validation": validation, "classes": chosen})
        for name in (KNOWN, COPY)
        for validation in (None, 119, 120, 121, 1000)
        for chosen in classes
    ]
    single(tmp_path, "elu", 1, 0.8)
    (group,) = read_groups(tmp_path, ["elu"])[0]
    for (first, held_out), (second, others) in combinations([_as_split(group, split, images) for split in splits], 2):
        datasets = [one.runs[0].experiment.dataset for one in (first, second)]
        try:
            check_same_images([first, second])
        except UsageError:
            alike = len({(one.name, one.validation) for one in datasets}) == 1
            assert not alike or held_out != others, datasets
        else:
            assert held_out == others, datasets


def _as_split(group: Group, split: Dataset, images: ImageSet) -> tuple[Group, list[set[float]]]:
    """The group as if it had trained on these images, and what it would have been validated and tested on."""
    data, run = prepare(split, images), group.runs[0]
    parts = [replace(run.result.test, images=len(part.labels)) for part in (data.validation, data.test)]
    run = replace(
        run,
        experiment=run.experiment.model_copy(update={"dataset": split}),
        result=replace(run.result, validation=parts[0], test=parts[1]),
    )
    return replace(group, runs=(run,)), [set(part.images.ravel().tolist()) for part in (data.validation, data.test)]

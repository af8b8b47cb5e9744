"""Model files as people make them: compiled and trained, of every style of Keras; a script writes them anywhere.

`python -m tests.reuse.strangers FOLDER` leaves all of them in a folder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tests.reuse.helpers import Layer, arrays_of, dense, write_keras_2

layers = keras.layers


def sequential() -> keras.Model:
    return keras.Sequential(
        [keras.Input((4, 4)), layers.Flatten(), layers.Dense(6, "relu"), layers.Dense(3, "softmax")]
    )


def functional() -> keras.Model:
    images = keras.Input((4, 4, 1))
    signal = layers.BatchNormalization()(layers.Conv2D(2, 3, kernel_regularizer="l2")(images))
    signal = layers.Dropout(0.2)(layers.Flatten()(layers.ReLU()(signal)))
    return keras.Model(images, layers.Dense(3, "softmax")(layers.Dense(5)(signal)))


def flat() -> keras.Model:
    return keras.Sequential([keras.Input((16,)), layers.Dense(6, "relu"), layers.Dense(3, "softmax")])


def unbuilt() -> keras.Model:
    """Without an input layer: its first batch tells the shape."""
    return keras.Sequential([layers.Flatten(), layers.Dense(6, "relu"), layers.Dense(3, "softmax")])


def nested() -> keras.Model:
    """Blocks in blocks, with two layers of one name in different ones."""
    images = keras.Input((4, 4, 1))

    def block(number: int) -> keras.Model:
        parts = [layers.Conv2D(2, 3, padding="same", name="conv"), layers.BatchNormalization(name="norm")]
        return keras.Sequential(parts, name=f"block_{number}")

    inside = keras.Input((4, 4, 2))
    second = keras.Model(inside, layers.Add()([inside, layers.ReLU()(block(2)(inside))]), name="residual")
    signal = layers.Flatten()(second(block(1)(images)))
    return keras.Model(images, layers.Dense(3, "softmax")(layers.Dense(5, "relu")(signal)))


def adapted() -> keras.Model:
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(3).normal(5, 3, (50, 4, 4, 2)).astype(np.float32))
    return keras.Sequential(
        [keras.Input((4, 4, 2)), normalization, layers.Flatten(), layers.Dense(5, "relu"), layers.Dense(3, "softmax")]
    )


def augmented() -> keras.Model:
    augmentation = [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomZoom(0.1)]
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.Sequential([*augmentation, layers.RandomTranslation(0.1, 0.1)], name="augmentation"),
            layers.RandomContrast(0.2),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(5, layers.LeakyReLU(0.1)),
            layers.Dense(3, "softmax"),
        ]
    )


STYLES: dict[str, Callable[[], keras.Model]] = {
    one.__name__: one for one in (sequential, functional, flat, unbuilt, nested, adapted, augmented)
}


def trained(style: str) -> keras.Model:
    """Returns a model that was compiled and took one step, so that its file holds an optimizer with slots."""
    keras.utils.set_random_seed(0)
    model = STYLES[style]()
    shape = (4, 4) if style == "unbuilt" else model.input_shape[1:]
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    images = np.random.default_rng(0).random((4, *shape), np.float32)
    model.train_on_batch(images, np.array([0, 1, 2, 0], np.float32))
    return model


def write_keras_2_nested(path: Path) -> Path:
    """An .h5 of Keras 2 with an inner model, whose weights have names without the model's."""
    inner: Layer = {
        "class_name": "Sequential",
        "config": {"name": "inner", "layers": [dense("dense_0", 5), dense("dense_1", 4, "linear")]},
    }
    leaky = {"class_name": "LeakyReLU", "config": {"name": "leaky", "alpha": 0.25}}
    batch = [None, 12]
    first = {"class_name": "InputLayer", "config": {"name": "first", "batch_input_shape": batch, "dtype": "float32"}}
    arrays = arrays_of([12, 5, 4, 3])
    write_keras_2(path, [first, inner, leaky, dense("dense_2", 3, "softmax")], arrays, inner={"inner": 2})
    return path


def main() -> None:
    """Writes every style in both formats."""
    folder = Path(sys.argv[1])
    for style in STYLES:
        model = trained(style)
        for suffix in ("keras", "h5"):
            model.save(folder / f"{style}.{suffix}")
    write_keras_2(folder / "keras_2.h5")
    write_keras_2_nested(folder / "keras_2_nested.h5")


if __name__ == "__main__":
    main()

"""What an epoch learns from: inputs and targets made of images and labels, and losses of the model's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.engine.measures import ExampleMeasure
from dtrain.engine.model import Output
from dtrain.statistics.balance import balanced_weights


class Objective(Protocol):
    """What an epoch learns from; it is compiled into the epoch, so that it does not change."""

    @property
    def measures(self) -> Mapping[str, ExampleMeasure]:
        """What is measured of each example beside its loss, by name; in validation too."""

    def batch(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what goes into the model, and targets, both [batch, ...].

        Args:
            images: Scaled images [batch, ...]; in training, noise may be drawn for them.
            labels: int32 [batch].
        """

    def losses(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example [batch], without penalties."""

    def weights(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64] | None:
        """Returns how much the loss of each example counts in training [examples]; None where all count alike.

        Args:
            labels: Of all examples that are trained on.
        """


@dataclass(frozen=True)
class Classification:
    """Telling the classes of images apart, by cross-entropy.

    Args:
        output: What the probabilities come from: [batch, classes], or [batch, 1] with sigmoid.
        class_weight: Whether all classes weigh alike, however many images each has.
    """

    output: Output
    class_weight: Literal["balanced"] | None = None

    @property
    def measures(self) -> Mapping[str, ExampleMeasure]:
        """Accuracy."""
        return {"accuracy": self.correct}

    def batch(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns both as they are."""
        return images, labels

    def losses(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the cross-entropy of each example, computed by Keras from the logits behind the probabilities."""
        if self.output == "sigmoid":
            return keras.losses.binary_crossentropy(tf.cast(targets, tf.float32)[:, None], outputs)
        return keras.losses.sparse_categorical_crossentropy(targets, outputs)

    def weights(self, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64] | None:
        """Returns the weights that Keras gives to the examples by ``class_weight``, in training alone."""
        return balanced_weights(labels) if self.class_weight else None

    def correct(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns for each example 1 where the likeliest class is the label's, else 0."""
        if self.output == "sigmoid":
            likeliest = tf.cast(outputs[:, 0] > 0.5, tf.int32)
        else:
            likeliest = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        return tf.cast(tf.equal(likeliest, targets), tf.float32)

    def probabilities(self, outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Returns a probability for each class [examples, classes], also where the model gives only the second's."""
        return np.concatenate([1 - outputs, outputs], axis=1) if self.output == "sigmoid" else outputs

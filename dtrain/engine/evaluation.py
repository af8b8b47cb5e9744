"""The compiled forward pass: probabilities and losses of a trained model, and final statistics for batch norm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from dtrain.data.prepare import Scaling, Split
from dtrain.engine.depth import any_depth
from dtrain.engine.epoch import Scaler
from dtrain.engine.objectives import Classification, Objective
from dtrain.ground.randomness import Stream, generator
from dtrain.layers.noise import noise

BATCH = 1000
"""Images in one forward pass: large enough to be fast, small enough for convolutions to fit in memory."""


@dataclass(frozen=True)
class Evaluation:
    """What a model says of a labelled set of images.

    Args:
        probabilities: float32 [images, classes].
        labels: int32 [images].
        loss: Mean cross-entropy, without penalties.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    loss: float

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """The likeliest class of each image."""
        predictions: npt.NDArray[np.int64] = np.argmax(self.probabilities, axis=1)
        return predictions

    @property
    def correct(self) -> int:
        """How many images are predicted right."""
        return int((self.predictions == self.labels).sum())

    @property
    def accuracy(self) -> float:
        """Share of the images predicted right."""
        return self.correct / len(self.labels)


class Validator:
    """Measures one model in inference mode, whatever its objective.

    Args:
        model: From the objective's inputs to its outputs.
        objective: What it learns from.
        scaling: How the images are scaled.
    """

    def __init__(self, model: keras.Model, objective: Objective, scaling: Scaling) -> None:
        self._model, self._objective, self._scaler = model, objective, Scaler(scaling)
        self._forward = tf.function(self._predict, reduce_retracing=True)

    def measure(self, split: Split) -> dict[str, float]:
        """Returns the means over all images of the loss and of what else the objective measures of an example."""
        return _means(part for _, part in self._run(split))

    def _run(self, split: Split) -> Iterator[tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.float32]]]]:
        """Yields of each batch the model's outputs and the measures of each image."""
        for start in range(0, len(split.labels), BATCH):
            images, labels = split.images[start : start + BATCH], split.labels[start : start + BATCH]
            outputs, measured = self._forward(tf.constant(images), tf.constant(labels, tf.int32))
            yield outputs.numpy(), {name: values.numpy() for name, values in measured.items()}

    def _predict(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        inputs, targets = self._objective.batch(self._scaler(images), labels)
        outputs = self._model(inputs, training=False)
        others = {name: measure(targets, outputs) for name, measure in self._objective.measures.items()}
        return outputs, {"loss": self._objective.losses(targets, outputs)} | others


class Evaluator(Validator):
    """Runs one model that tells classes apart in inference mode.

    Args:
        model: From scaled images to probabilities.
        objective: What the probabilities come from.
        scaling: How the images are scaled.
    """

    def __init__(self, model: keras.Model, objective: Classification, scaling: Scaling) -> None:
        super().__init__(model, objective, scaling)
        self._probabilities = objective.probabilities

    def evaluate(self, split: Split) -> Evaluation:
        """Returns the model's predictions for `split` and their loss, summed in double precision."""
        outputs, measured = zip(*self._run(split), strict=True)
        return Evaluation(self._probabilities(np.concatenate(outputs)), split.labels, _means(measured)["loss"])


def _means(parts: Iterable[Mapping[str, npt.NDArray[np.float32]]]) -> dict[str, float]:
    """Returns the mean of each measure over the images of all parts, summed in double precision."""
    every = list(parts)
    return {name: float(np.concatenate([one[name] for one in every]).mean(dtype=np.float64)) for name in every[0]}


def set_final_statistics(model: keras.Model, train: Split, scaling: Scaling, batch_size: int) -> None:
    """Replaces the moving statistics of batch normalization by those of one pass over the training set.

    Each layer gets the mean of the batches' means, and as variance the mean of the batches' variances plus the variance
    of their means, weighted by the batches' sizes, so that it is the variance over all images (Ioffe & Szegedy 2015,
    algorithm 2, lines 10 to 11). Noise layers are off. The batches are drawn in a fixed order that has nothing to do
    with the order of the file, which may be sorted by class. Frozen layers keep theirs, as they do in training.

    Args:
        model: A trained model.
        train: The training images as stored.
        scaling: How the images are scaled.
        batch_size: Images in a batch, as in training.
    """
    normalizing = (layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    layers = [layer for layer in normalizing if layer.trainable]
    if not layers:
        return
    batch_moments = tf.function(_moments_of(model, layers, Scaler(scaling)), reduce_retracing=True)
    order = generator(0, Stream.FINAL_STATISTICS).permutation(len(train.labels))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    moments = [batch_moments(tf.constant(train.images[batch])) for batch in batches]
    sizes = [len(batch) for batch in batches]
    for number, layer in enumerate(layers):
        means = np.stack([batch[number][0].numpy() for batch in moments]).astype(np.float64)
        variances = np.stack([batch[number][1].numpy() for batch in moments]).astype(np.float64)
        mean = np.average(means, axis=0, weights=sizes)
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(np.average(variances + (means - mean) ** 2, axis=0, weights=sizes))


@any_depth()
def _moments_of(
    model: keras.Model, layers: list[keras.layers.Layer], scaler: Scaler
) -> Callable[[tf.Tensor], list[tuple[tf.Tensor, tf.Tensor]]]:
    """Returns a function from images to mean and variance of what goes into each of `layers`, in training mode."""
    inner = keras.Model(model.inputs, [layer.input for layer in layers])

    def moments(images: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        with noise(None):
            signals = inner(scaler(images), training=True)
        signals = signals if isinstance(signals, list) else [signals]
        pairs = [
            (signal, np.arange(len(signal.shape)), layer.axis) for layer, signal in zip(layers, signals, strict=True)
        ]
        return [tf.nn.moments(signal, np.delete(axes, own).tolist()) for signal, axes, own in pairs]

    return moments

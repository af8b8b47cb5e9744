"""What is wrong with a training that has ended, by its data, its predictions and its steps, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from dtrain.data.prepare import Data
from dtrain.data.values import ill_labels, ill_values
from dtrain.experiment.draft import DEEP
from dtrain.experiment.fit.rule import is_plain_and_deep
from dtrain.experiment.spec import Experiment
from dtrain.experiment.techniques.normalizations import NormalizationTechnique
from dtrain.ground.errors import DivergedError
from dtrain.ground.reading import Array
from dtrain.statistics.balance import are_imbalanced, kappa_interval, majority_share
from dtrain.statistics.significance import deviations_apart

if TYPE_CHECKING:
    from dtrain.engine.evaluation import Evaluation

FAR_APART = 0.03
"""Accuracies of a fair split may differ by less for other reasons: which epoch was kept, who wrote the digits."""
MOST_DEVIATIONS = 5.0
"""By which chance moves two accuracies apart; 2.9 was the most in about 3,000 trainings on fair splits."""
EXPLODED = 10.0
"""A loss so many times that of guessing is no overfitting any more."""
RISEN = 2.0
"""So many times the loss at first, and that of guessing, a training reaches whose steps were too large."""
EXAMPLES_OF_A_LOSS = 300
"""Over so many the loss of batches is a mean that chance hardly moves."""
FEW_STEPS = 100


def diagnosis(experiment: Experiment, data: Data, losses: Array, found: Mapping[str, Evaluation]) -> str:
    """Returns what a finite training came to nothing by, and the fix; empty where it did not.

    Nothing is blamed without evidence: first the values are looked at, then labels, predictions and steps.

    Args:
        experiment: What was trained.
        data: On what.
        losses: Of each step [steps].
        found: What the final model says of ``train``, ``validation`` and ``test``.
    """
    if failure := _failure(found["validation"], data.class_names):
        reasons = _reasons(experiment, data, losses, found["train"], found["validation"])
        return f"{failure}; {next(text for text in reasons if text)}"
    return ""


def parts_apart(validation: Evaluation, test: Evaluation) -> str:
    """Returns what may be wrong with the split where chance does not explain how far two accuracies are apart.

    Of a model that knows nothing they only say how frequent the classes are.

    Args:
        validation: What the final model says of the validation images.
        test: What it says of the test images.
    """
    if _is_chance(validation) and _is_chance(test):
        return ""
    successes, sizes = (validation.correct, test.correct), (len(validation.labels), len(test.labels))
    difference = test.accuracy - validation.accuracy
    if abs(difference) < FAR_APART or deviations_apart(successes, sizes) < MOST_DEVIATIONS:
        return ""
    worse, better = ("validation", "test") if difference > 0 else ("test", "validation")
    return (
        f"validation accuracy {validation.accuracy:.2%} and test accuracy {test.accuracy:.2%} are farther apart than "
        f"chance explains: the {worse} images may be scaled, labelled or chosen otherwise than the training images, or "
        f"the {better} images be copies of these"
    )


@contextmanager
def divergence_explained(experiment: Experiment, data: Data) -> Iterator[None]:
    """Blames the values of the images for a divergence inside, where these are to blame.

    Raises:
        DivergedError: With another hint then.
    """
    try:
        yield
    except DivergedError as error:
        if cause := _ill_values(experiment, data):
            raise DivergedError(error.problems[0].message, hint=cause) from error
        raise


def _failure(validation: Evaluation, names: tuple[str, ...]) -> str:
    if validation.loss > EXPLODED * np.log(len(names)):
        return f"validation loss {validation.loss:.3g} has exploded"
    if not _is_chance(validation):
        return ""
    named = np.unique(validation.predictions)
    alike = f": all are taken for {names[named[0]]}" if len(named) == 1 else ""
    share = f"{validation.accuracy:.2%} of {len(validation.labels):,} images"
    return f"validation accuracy {share} is no better than chance{alike}"


def _is_chance(found: Evaluation) -> bool:
    """Whether predictions that know nothing of the images could be as good."""
    return kappa_interval(found.labels, found.predictions).low <= 0


def _reasons(
    experiment: Experiment, data: Data, losses: Array, train: Evaluation, validation: Evaluation
) -> Iterator[str]:
    yield _ill_values(experiment, data)
    yield ill_labels((data.train.images, data.train.labels), (data.validation.images, data.validation.labels))
    if not _is_chance(train) and _is_chance(validation):
        learnt = f"training accuracy is {train.accuracy:.2%}, so what was learnt holds for these images alone"
        yield f"{learnt}: use more images, or a smaller network with dropout"
    yield _too_large_steps(experiment, losses, len(data.class_names))
    yield _imbalance(experiment, data, validation)
    if len(losses) < FEW_STEPS:
        yield f"there were only {len(losses)} steps: set training.epochs higher, or training.batch_size lower"
    if is_plain_and_deep(experiment, DEEP):
        yield "no gradient may reach the lower layers: set normalization=batch_norm and initializer=he_normal"
    yield "nothing shows whether its steps are too large or too small: ask `dtrain lr-find` for a learning rate"


def _ill_values(experiment: Experiment, data: Data) -> str:
    normalization = experiment.normalization
    # batch norm of the inputs makes them what they should be
    if isinstance(normalization, NormalizationTechnique) and normalization.inputs:
        return ""
    return ill_values(data.train.images, data.scaling)


def _too_large_steps(experiment: Experiment, losses: Array, classes: int) -> str:
    size = -(-EXAMPLES_OF_A_LOSS // experiment.training.batch_size)
    means = [float(losses[start : start + size].mean()) for start in range(0, len(losses), size)]
    highest = max(means)
    if highest < RISEN * max(float(losses[0]), np.log(classes)):
        return ""
    risen = f"the training loss rose from {losses[0]:.3g} to {highest:.3g}"
    return f"{risen}: lower optimizer.learning_rate tenfold, or clip with optimizer.global_clipnorm=1.0"


def _imbalance(experiment: Experiment, data: Data, validation: Evaluation) -> str:
    labels = data.train.labels
    largest = int(np.bincount(labels).argmax())
    rare = are_imbalanced(labels, len(data.class_names)) and bool((validation.predictions == largest).all())
    if not rare or experiment.training.class_weight:
        return ""
    share = f"{majority_share(labels):.2%} of the training images are {data.class_names[largest]}"
    return f"{share}: let all classes weigh alike by training.class_weight=balanced, and look at balanced accuracy"

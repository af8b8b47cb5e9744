"""What is wrong with a training that has ended, by what the model says of each part of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dtrain.statistics.significance import deviations_apart

if TYPE_CHECKING:
    from dtrain.engine.evaluation import Evaluation

FAR_APART = 0.03
"""Accuracies of a fair split may differ by less for other reasons: which epoch was kept, who wrote the digits."""
MOST_DEVIATIONS = 5.0
"""By which chance moves two accuracies apart; 2.9 was the most in about 3,000 trainings on fair splits."""


def parts_apart(validation: Evaluation, test: Evaluation) -> str:
    """Returns what may be wrong with the split where chance does not explain how far two accuracies are apart.

    Args:
        validation: What the final model says of the validation images.
        test: What it says of the test images.
    """
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

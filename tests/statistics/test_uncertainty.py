"""Sums over passes against the plain formulas over all passes at once, and numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from dtrain.ground.errors import ConfigError
from dtrain.statistics.uncertainty import (
    PassSums,
    Settling,
    SettlingSums,
    check_rates,
    enough_passes,
    entropy,
    log_losses,
    passes_to_look_at,
)

PASSES = np.random.default_rng(0).dirichlet(np.ones(4), size=(30, 7))
PLAIN = np.random.default_rng(1).dirichlet(np.ones(4), size=7)


def summed() -> PassSums:
    sums = PassSums(PLAIN, (10, 30))
    for start, stop in ((0, 4), (4, 10), (10, 30)):
        sums.add(PASSES[start:stop])
    return sums


def test_entropy_is_that_of_scipy_and_zero_for_certainty() -> None:
    np.testing.assert_allclose(entropy(PLAIN), stats.entropy(PLAIN, axis=-1))
    np.testing.assert_array_equal(entropy(np.array([[1.0, 0.0, 0.0]])), [0.0])


def test_sums_say_what_all_passes_at_once_say() -> None:
    result = summed().result()
    np.testing.assert_allclose(result.mean, PASSES.mean(axis=0))
    np.testing.assert_allclose(result.deviation, PASSES.std(axis=0, ddof=1))
    np.testing.assert_allclose(result.predictive_entropy, stats.entropy(PASSES.mean(axis=0), axis=-1))
    np.testing.assert_allclose(result.expected_entropy, stats.entropy(PASSES, axis=-1).mean(axis=0))
    agreeing = (PASSES.argmax(axis=-1) == PASSES.mean(axis=0).argmax(axis=-1)).mean(axis=0)
    np.testing.assert_allclose(result.disagreement, 1 - agreeing)


def test_two_certain_passes_that_contradict_each_other() -> None:
    sums = PassSums(np.array([[0.6, 0.4]]), (2,))
    sums.add(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    one = sums.result().of(0)
    assert one["mean"] == [0.5, 0.5]
    assert one["deviation"] == pytest.approx([math.sqrt(0.5)] * 2)
    assert one["predictive_entropy"] == pytest.approx(math.log(2))
    assert (one["expected_entropy"], one["mutual_information"]) == (0.0, pytest.approx(math.log(2)))
    assert one["disagreement"] == 0.5


def test_passes_that_are_the_plain_prediction_have_no_deviation_at_all() -> None:
    sums = PassSums(PLAIN, (3,))
    sums.add(np.stack([PLAIN] * 3))
    assert sums.result().deviation.max() == 0
    assert sums.result().mutual_information.max() < 1e-12


def test_settling_is_the_distance_from_the_last_mean_over_batches() -> None:
    labels = np.array([0, 1, 2, 3, 0, 1, 2])
    sums = SettlingSums((10, 30))
    means = summed().means
    for some in (slice(0, 3), slice(3, 7)):
        sums.add({number: mean[some] for number, mean in means.items()}, labels[some])
    first, last = sums.result(labelled=True)
    final = PASSES.mean(axis=0)
    assert first.distance == pytest.approx(np.abs(PASSES[:10].mean(axis=0) - final).sum(axis=1).mean() / 2)
    assert (first.passes, last.passes, last.distance) == (10, 30, 0)
    assert last.accuracy == (final.argmax(axis=1) == labels).mean()
    assert last.log_loss == pytest.approx(-np.log(final[np.arange(7), labels]).mean())


def test_how_many_passes_would_have_been_enough() -> None:
    def after(passes: int, distance: float, accuracy: float = 0.9) -> Settling:
        return Settling(passes, distance, accuracy, 0.5)

    settled = [after(1, 0.1), after(5, 0.005, 0.8), after(10, 0.009), after(20, 0.005), after(50, 0.0)]
    assert enough_passes(settled) == 10
    assert enough_passes([after(1, 0.1), after(5, 0.0)]) is None
    assert enough_passes([Settling(1, 0.001, None, None), Settling(9, 0.0, None, None)]) == 1


def test_the_numbers_of_passes_end_at_all_of_them() -> None:
    assert passes_to_look_at(2) == (1, 2)
    numbers = passes_to_look_at(1000)
    assert (numbers[0], numbers[-1]) == (1, 1000)
    assert len(numbers) < 25


def test_row_53_rates_that_give_no_variance() -> None:
    check_rates([0.0, 0.1], "model")
    with pytest.raises(ConfigError, match=r"no dropout layer.*zero variance"):
        check_rates([], "model")
    with pytest.raises(ConfigError, match="only dropout layers with rate 0"):
        check_rates([0.0], "model")


def test_log_losses_are_finite_for_what_was_ruled_out() -> None:
    losses = log_losses(np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([0, 1]))
    np.testing.assert_allclose(losses, [math.log(4), 7 * math.log(10)])

"""What is asked of arms that were measured over seeds, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dtrain.statistics.intervals import Interval
from dtrain.statistics.significance import LEVEL, Difference, McNemar

Measured = Mapping[str, Mapping[int, float | None]]
"""The accuracy of each arm with each seed; None where it diverged."""
Outcome = Literal["better", "worse", "equivalent", "undecided", "cannot be decided"]
Test = Literal["t", "exact", "divergence"]

POINT = 0.01
"""The difference that seeds are counted for where nobody says which one would matter."""


@dataclass(frozen=True)
class Policy:
    """Which verdicts are asked for; to be chosen before the results are seen.

    Args:
        pairs: The arms to compare, the first minus the second: the best with each other one, each with a baseline, or
            whichever were planned.
        correction: What Holm's method corrects for: the comparisons of all arms, where results decide which of them
            are looked at; those given; or none.
        level: How often chance alone may make any verdict.
        worth: The smallest difference that would matter; None where nobody says.
        at_chance: Arms that have learnt nothing: two of them are not compared.
    """

    pairs: tuple[tuple[str, str], ...]
    correction: Literal["all pairs", "given pairs", "none"] = "given pairs"
    level: float = LEVEL
    worth: float | None = None
    at_chance: frozenset[str] = frozenset()

    @property
    def sought(self) -> float:
        """The difference that seeds are counted for: the one that would matter, or else one point."""
        return self.worth or POINT

    def rules_out(self, interval: Interval | None) -> bool:
        """Returns whether an interval leaves no difference that would matter."""
        return bool(self.worth and interval and max(-interval.low, interval.high) <= self.worth)


@dataclass(frozen=True)
class Verdict:
    """What may be said of two arms.

    Args:
        first: An arm.
        second: The one that it is compared with.
        measured: How many seeds of each trained to their end; the difference is over these.
        diverged: How many seeds of each diverged.
        seeds: The seeds compared one by one; empty where the arms are compared as groups.
        correlation: Of the two over the seeds that both have; None with fewer than three, or without spread.
        difference: First minus second; None with fewer than two seeds of either.
        decided_by: What decides: Student's t; the exact test, where all differ by as much; Fisher's test of how often
            each diverged; None where there is no test.
        probability: That chance alone makes what the test saw, if it were the only comparison.
        corrected: The same as one of all comparisons.
        comparisons: How many are corrected for.
        interval: Of the difference, by the t test; all of them together hold the true differences in 95% of cases.
        verdict: Whether the first is better or worse; or both are equivalent, as no difference that would matter is
            left; or it is undecided because of chance, or cannot be decided with so few seeds.
        smallest_seen: The smallest true difference that so many seeds see in four of five cases, by their spread.
        seeds_needed: How many seeds see the difference that would matter, or else one point, in four of five cases;
            None where it takes too many, or nothing is known of the spread.
        at_chance: Whether neither has learnt anything, so that there is nothing to decide.
        words: All of it in a sentence.
        mcnemar: Two of their models image by image, where somebody compared these.
        verdict_on_models: What may be said of the first of these models on these images.
    """

    first: str
    second: str
    measured: tuple[int, int]
    diverged: tuple[int, int]
    seeds: tuple[int, ...]
    correlation: float | None
    difference: Difference | None
    decided_by: Test | None
    probability: float | None
    corrected: float | None = None
    comparisons: int = 1
    interval: Interval | None = None
    verdict: Outcome = "cannot be decided"
    smallest_seen: float | None = None
    seeds_needed: int | None = None
    at_chance: bool = False
    words: str = ""
    mcnemar: McNemar | None = None
    verdict_on_models: Outcome | None = None

    @property
    def single_seeds(self) -> bool:
        """Whether nothing can be said but of two of the models."""
        return self.verdict == "cannot be decided" and not self.difference and not self.at_chance

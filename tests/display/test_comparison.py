"""What people read of a comparison, at the widths that terminals have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtrain.display.comparison import describe_comparison
from dtrain.runs.results import ARM, Reuse
from dtrain.statistics.intervals import mean_interval, wilson_interval
from dtrain.statistics.policy import Policy
from dtrain.statistics.significance import mcnemar
from dtrain.statistics.verdicts import judge, with_models
from dtrain.workflows.compare import Accuracy, CompareReport, Standing
from tests.display.test_results import text

TESTS = {"elu": [0.91, 0.92, 0.90, 0.93, 0.91, 0.92], "[red]selu": [0.88, 0.89, 0.87, 0.88, 0.87, 0.86]}


def standing(name: str, tests: list[float], **settings: object) -> Standing:
    mean, interval = mean_interval(tests)
    over_images = Accuracy(mean, wilson_interval(1800, 2000), "images")
    accuracy = Accuracy(mean, interval, "seeds") if interval else over_images
    seeds = tuple(range(len(tests)))
    folders = tuple(Path(f"runs/{name}/seed-{seed}") for seed in seeds)
    return Standing(name, folders, seeds, 0, accuracy, accuracy, settings, None, departs=False)


def report(tests: dict[str, list[float]]) -> CompareReport:
    best, *others = tests
    pairs = judge(
        {name: dict(enumerate(values)) for name, values in tests.items()},
        Policy(tuple((best, other) for other in others), "all pairs"),
    )
    pairs = tuple(one if one.difference else with_models(one, mcnemar(_RIGHT, _RIGHT)) for one in pairs)
    standings = tuple(standing(name, values, **{"activation.kind": name}) for name, values in tests.items())
    return CompareReport(2000, "abc" * 20, standings, pairs, (), (), 6, None, None)


_RIGHT = np.arange(2000) < 1800


@pytest.mark.parametrize("width", [80, 120])
def test_a_comparison_fits_the_terminal(width: int) -> None:
    shown = text(describe_comparison(report(TESTS)), width)
    lines = [line for line in shown.splitlines() if not line.startswith("verdict")]
    assert max(map(len, lines)) <= width
    assert "2 experiments on the same 2,000 test images (data abcabcabcabc)" in shown
    assert "activation.kind  elu  [red]selu" in shown
    assert "1  elu             6      91.50%  90.40 to 92.60    91.50%  90.40 to 92.60" in shown
    assert "verdict: elu is better than [red]selu; +4.00 points, 95% interval +2.67 to +5.33" in shown
    assert "by validation accuracy, the verdicts are by test accuracy" in shown
    assert "One seed" not in shown and "Holm" not in shown and "next:" not in shown


def test_one_seed_says_what_it_cannot_show() -> None:
    shown = text(describe_comparison(report({"elu": [0.9], "selu": [0.88]})))
    assert "88.61 to 91.24*" in shown
    assert "* One seed: the interval covers the chance of the images, not of the seed." in shown
    assert "verdict: it cannot be decided whether elu and selu differ: one seed of elu does" in shown
    assert "next: dtrain run runs/elu/seed-0/config.yaml --seeds 6  # then compare again" in shown


def next_steps(found: CompareReport) -> list[str]:
    return [line for line in text(describe_comparison(found)).splitlines() if line.startswith("next")]


def test_the_next_step_after_arms_is_one_that_can_be_taken() -> None:
    """`run` refuses an experiment with a base, and `transfer` trains all arms of one base at once."""
    two = report({"reused": [0.9], "scratch": [0.88]})
    arms = tuple(replace(one, settings={ARM: one.name}, reuse=Reuse(one.name, "b" * 64)) for one in two.standings)
    (step,) = next_steps(replace(two, standings=arms))
    assert step.startswith("next: dtrain transfer --base MODEL runs/reused/seed-0/config.yaml --seeds 6  # MODEL: ")
    other = replace(arms[1], settings={ARM: "transfer", "transfer.hidden": [50]})
    assert len(next_steps(replace(two, standings=(arms[0], other)))) == 2


def test_what_departs_from_its_file_is_not_trained_again_from_it() -> None:
    two = report({"elu": [0.9], "selu": [0.88]})
    departed = (replace(two.standings[0], departs=True), two.standings[1])
    (step,) = next_steps(replace(two, standings=departed))
    assert "runs/selu/seed-0/config.yaml" in step


def test_many_experiments_have_their_differences_in_several_tables() -> None:
    many = {f"experiment-{number}": [0.9 - number / 100, 0.91 - number / 100] for number in range(5)}
    shown = text(describe_comparison(report(many)), 80)
    headings = [line.split()[2:] for line in shown.splitlines() if line.startswith("what differs")]
    assert headings == [[f"experiment-{n}" for n in part] for part in (range(3), range(3, 5))]
    assert "(Holm)" in shown and shown.count("verdict:") == 4


def test_a_setting_that_an_experiment_does_not_have() -> None:
    both = report(TESTS)
    first, second = both.standings
    first = replace(first, settings={"training.early_stopping": None, "optimizer.momentum": 0.9})
    second = replace(second, settings={"training.early_stopping.patience": 5, "network.hidden": [300, 100]})
    shown = text(describe_comparison(replace(both, standings=(first, second))))
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in shown.splitlines()[2:] if "." in line}
    assert rows["training.early_stopping"].split() == ["null", "-"]
    assert rows["optimizer.momentum"].split() == ["0.9", "-"]
    assert rows["network.hidden"].split(maxsplit=1) == ["-", "[300, 100]"]


def test_nothing_differs_and_files_are_named() -> None:
    both = report(TESTS)
    alike = tuple(replace(one, settings={}) for one in both.standings)
    shown = text(describe_comparison(replace(both, standings=alike, csv=Path("a.csv"), plot=Path("a.png"))))
    assert "nothing differs between the experiments" in shown
    assert "written a.csv\nwritten a.png" in shown

"""What people read of each result: the sentences that matter, at the widths that terminals have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from dtrain.data.manage import SetStatus
from dtrain.display import results
from dtrain.runs.ownership import Status
from dtrain.runs.results import RunResult, SeedsResult, SplitResult
from dtrain.statistics.intervals import Interval, wilson_interval
from dtrain.workflows.data import DataReport
from dtrain.workflows.evaluate import ClassResult, EvaluationReport, Mistake
from dtrain.workflows.show import RunReport, SeedsReport
from dtrain.workflows.validate import validate

SPLIT = SplitResult(loss=0.3, accuracy=0.8812, accuracy_interval=Interval(0.87471, 0.8873), images=10_000)


def result(folder: str = "runs/elu-1", **changed: Any) -> RunResult:
    fields: dict[str, Any] = {
        "folder": Path(folder),
        "seed": 42,
        "best_epoch": 12,
        "epochs": 14,
        "parameters": 266610,
        "train": SPLIT,
        "validation": SPLIT,
        "test": SPLIT,
        "seconds": {"start": 4.0, "train": 12.3},
        "engine": "xla",
        "stopped_early": True,
        "monitor": "val_accuracy",
    }
    return RunResult(**fields | changed)


def seeds_result(runs: int = 3, diverged: int = 0) -> SeedsResult:
    interval = Interval(0.86, 0.90) if runs > 1 else None
    finished = tuple(result(f"runs/elu-1/seed-{seed}", seed=seed) for seed in range(runs))
    return SeedsResult(Path("runs/elu-1"), finished, diverged, 0.88, interval, 0.881, interval)


def status(state: str, reason: str = "") -> Status:
    heartbeat = "2025-01-02T03:04:05.6+00:00"
    return Status(state, pid=4711, host="lab", heartbeat=heartbeat, heartbeat_age=180, reason=reason)


def text(parts: Iterable[RenderableType], width: int = 120) -> str:
    console = Console(width=width, color_system=None, markup=False, highlight=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, str))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def test_a_run_says_how_good_it_is_and_what_to_do_next() -> None:
    shown = text(results.describe_run(result()))
    assert "run folder runs/elu-1" in shown
    assert "test accuracy 88.12% (95% interval 87.47 to 88.73" in shown
    assert "best epoch 12 of 14 by val_accuracy, stopped early" in shown
    assert "12 s of training (xla), 16 s in all; 266,610 parameters" in shown
    assert "next: dtrain evaluate elu-1  #" in shown
    assert "next: dtrain run runs/elu-1/config.yaml --seeds 6  #" in shown


def test_where_one_class_is_most_of_the_images_the_mean_over_the_classes_is_told_too() -> None:
    rare = replace(SPLIT, accuracy=0.97, majority=0.97, balanced_accuracy=0.5)
    said = "test accuracy 50.00% (the mean over the classes; one class alone has 97.00% of the images)"
    assert f"balanced {said}" in text(results.describe_run(result(test=rare)))
    seeds = replace(seeds_result(), runs=(result(test=rare), result(test=rare)))
    assert f"balanced mean {said}" in text(results.describe_seeds(seeds))
    assert "balanced" not in text(results.describe_run(result(test=replace(SPLIT, majority=0.1))))


def test_results_that_do_not_say_by_what_an_epoch_was_best_are_shown_all_the_same() -> None:
    old = result(monitor="")
    assert "best epoch 12 of 14, stopped early" in text(results.describe_run(old))
    seeds = SeedsResult(Path("runs/a"), (old,), 0, 0.88, None, 0.88, None)
    assert "best" in text(results.describe_seeds(seeds)).splitlines()[1].split()


def test_what_cannot_work_is_not_advised() -> None:
    without_model = replace(result(), saved=("h5",))
    assert "dtrain evaluate" not in text(results.describe_run(without_model))


def test_a_run_elsewhere_is_named_by_its_quoted_path() -> None:
    assert "next: dtrain evaluate '/data/my runs/elu-1'  #" in text(results.describe_run(result("/data/my runs/elu-1")))


def test_seeds_have_a_line_each_and_an_honest_mean() -> None:
    shown = text(results.describe_seeds(seeds_result()))
    assert [line.split()[:3] for line in shown.splitlines()[3:6]] == [[str(s), "88.12%", "88.12%"] for s in range(3)]
    assert "mean test accuracy 88.10% (95% interval 86.00 to 90.00, 3 seeds)" in shown
    assert "by val_accuracy" in shown.splitlines()[2]
    assert "cover the chance of the seed" in shown
    assert "diverged" not in shown


def test_one_seed_has_no_interval() -> None:
    shown = text(results.describe_seeds(seeds_result(runs=1)))
    assert "mean test accuracy 88.10% (1 seed)" in shown
    assert "says nothing about the spread" in shown


def test_diverged_seeds_are_not_kept_quiet() -> None:
    assert "2 seeds diverged; the means leave them out" in text(results.describe_seeds(seeds_result(diverged=2)))
    assert "1 seed diverged; the means leave it out" in text(results.describe_seeds(seeds_result(diverged=1)))


def test_a_valid_experiment_is_printed_as_a_file_that_says_the_same(tmp_path: Path) -> None:
    shown = text(results.describe_validation(validate(None, ["optimizer=adam", "seed=7"])))
    assert shown.startswith("# the default experiment is right\n# 266,610 parameters; up to 282 steps an epoch, 5,640")
    assert "# notice: schedule one_cycle: adam has no momentum to cycle" in shown
    copy = tmp_path / "copy.yaml"
    copy.write_text(shown)
    assert validate(copy).experiment == validate(None, ["optimizer=adam", "seed=7"]).experiment


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (status("running"), "process 4711 on lab; last heartbeat 2025-01-02 03:04:05 UTC, 3 min 0 s ago"),
        (status("died"), "process 4711 is gone from lab; last heartbeat 2025-01-02 03:04:05 UTC, 3 min 0 s ago"),
        (status("diverged", reason="step 3: loss nan"), "step 3: loss nan"),
    ],
)
def test_a_run_that_has_no_result_says_how_it_is_doing(how: Status, said: str) -> None:
    report = RunReport(Path("runs/elu-1"), how, 42, 20, (), (), None, (Path("runs/elu-1/curves.png"),), 500)
    going_on = "next: dtrain resume elu-1  # goes on from step 500"
    assert text(results.describe_run_report(report)).splitlines() == [
        f"runs/elu-1: {how.state}, epoch 0 of 20, seed 42",
        said,
        *([going_on] if how.state == "died" else []),
        "picture runs/elu-1/curves.png",
    ]


def test_a_run_that_died_before_it_wrote_how_long_an_epoch_took() -> None:
    measures = ("loss", "val_loss", "accuracy", "val_accuracy", "learning_rate", "momentum", "gradient_norm")
    metrics = ({"epoch": 1} | dict.fromkeys(measures, 0.5),)
    report = RunReport(Path("runs/a"), status("died"), 42, 20, metrics, (None,), None, (), 500)
    assert "runs/a: died, epoch 1 of 20" in text(results.describe_run_report(report))


def test_seeds_that_are_still_going_on() -> None:
    metrics = ({"val_accuracy": 0.7}, {"val_accuracy": 0.8123})
    running = RunReport(Path("runs/a/seed-1"), status("running"), 1, 20, metrics, (None, None), None, (), None)
    report = SeedsReport(Path("runs/a"), status("running"), 3, (running,), None)
    shown = text(results.describe_seeds_report(report))
    assert "runs/a: running, 1 of 3 seeds begun" in shown
    assert "seed 1: running, epoch 2 of 20, val accuracy 81.23%" in shown
    assert "1 seed begun" in text(results.describe_seeds_report(replace(report, planned=None)))


def evaluation() -> EvaluationReport:
    classes = tuple(
        ClassResult(name, 200, right, right / 200, wilson_interval(right, 200))
        for name, right in (("[red]T-shirt", 150), ("Bag", 190))
    )
    mistakes = tuple(Mistake(image, "Bag", "[red]T-shirt", 0.9 - image / 100) for image in range(10))
    folder = Path("runs/elu-1/evaluation-test")
    confusion = ((150, 50), (10, 190))
    return EvaluationReport(folder.parent, folder, "test", 400, SPLIT, classes, confusion, mistakes)


@pytest.mark.parametrize("width", [60, 80])
def test_an_evaluation_fits_the_terminal(width: int) -> None:
    shown = text(results.describe_evaluation(evaluation()), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "0 [red]T-shirt 150  50" in shown
    assert shown.count("taken for [red]T-shirt") == 5
    assert "Bag taken for [red]T-shirt, 88% sure, image #2" in shown
    assert shown.splitlines()[-1].startswith("test accuracy 88.12%") or width < 80
    assert "75.00%  68.57 to 80.49" in shown


def test_without_mistakes_there_is_no_heading_for_them() -> None:
    assert "worst mistakes" not in text(results.describe_evaluation(replace(evaluation(), mistakes=())))


def test_data_sets_that_are_missing_say_how_to_get_them() -> None:
    here = SetStatus("mnist", Path("/data/mnist"), "data folder", 11_400_000, verified=True)
    problem = "not found: Keras cache /long/x (absent); system folder /y (absent)"
    missing = SetStatus("fashion_mnist", None, "", 0, verified=False, problem=problem)
    shown = text(results.describe_data(DataReport((here, missing))), width=80)
    assert "verified  11.4 MB  data folder" in shown and "mnist: /data/mnist" in shown
    assert shown.splitlines()[-4:] == [
        "fashion_mnist: not found",
        "  Keras cache /long/x (absent)",
        "  system folder /y (absent)",
        "next: dtrain data fetch fashion_mnist  # download it",
    ]

"""What people read of a transfer experiment."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console

from dtrain.display.transfer import describe_transfer
from dtrain.experiment.transfer import Stage
from dtrain.statistics.intervals import Interval
from dtrain.statistics.policy import Measured, Policy
from dtrain.statistics.verdicts import judge
from dtrain.studies.transfer_report import ArmReport, TransferReport

STAGES = (Stage("frozen", 0, 4, 0.03), Stage("unfrozen", 2, 1, 0.003))
MEASURED: Measured = {
    "transfer": {42: 0.98, 43: 0.97},
    "scratch": {42: 0.96, 43: 0.965},
    "random": {42: None, 43: None},
}
REPORT = TransferReport(
    folder=Path("runs/transfer-1"),
    base="a[red].h5",
    digest="0",
    reused=("low", "middle"),
    dropped=("high",),
    hidden=(50,),
    scaling="unit",
    scaling_origin="assumed",
    dataset="fashion_mnist",
    class_names=("Sandal", "Shirt"),
    labelled=200,
    test_images=2000,
    seeds=(42, 43),
    arms=(
        ArmReport("transfer", "reused layers", STAGES, (0.98, 0.97), 0.975, Interval(0.9, 0.99)),
        ArmReport("scratch", "from scratch", (Stage("scratch", 2, 5, 0.03),), (0.96, None), 0.96, None),
        ArmReport("random", "random layers", STAGES, (None, None), None, None),
    ),
    contrasts=judge(MEASURED, Policy((("transfer", "scratch"), ("transfer", "random")))),
    verdict="reuse helps",
    diverged=3,
    seconds=21.4,
    engine="xla",
    saved=("keras",),
    saved_seed=42,
)


def shown(report: TransferReport, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=StringIO())
    for part in describe_transfer(report):
        console.print(part, soft_wrap=isinstance(part, str), markup=False)
    return [" ".join(line.split()) for line in console.export_text().splitlines()]


def test_what_was_reused_how_it_was_trained_and_what_came_of_it() -> None:
    assert shown(REPORT, 120) == [
        "base a[red].h5, reused: low, middle, dropped: high, new: 50 units",
        "task fashion_mnist: Sandal and Shirt, 200 labelled images for each of 2 seeds, 2,000 test images",
        "images scaled: unit (assumed)",
        "reused layers: 4 epochs frozen at 0.03; 1 epoch unfrozen at 0.003",
        "from scratch: 5 epochs at 0.03",
        "",
        "seeds test accuracy 95% interval lowest highest",
        "reused layers 2 of 2 97.50% 90.00 to 99.00 97.00% 98.00%",
        "from scratch 1 of 2 96.00% 96.00% 96.00%",
        "random layers 0 of 2 diverged",
        "",
        "t test exact",
        "reused layers minus points 95% interval p p r",
        "from scratch +1.25 -4.34 to +6.84 0.2",
        "95% intervals over seeds, which vary labelled images, first weights and order.",
        "Those of all differences hold together, each p is that of one alone; r: correlation.",
        "Accuracies and differences are over the seeds that did not diverge.",
        "",
        "metrics, picture and report runs/transfer-1; model.keras of seed 42",
        "6 trainings in 21 s, 3 diverged",
        "verdict: reuse helps",
        "next: dtrain show runs/transfer-1/transfer # each seed of the reused layers",
    ]


def test_without_controls_there_is_no_table_of_differences() -> None:
    alone = replace(REPORT, arms=REPORT.arms[:1], contrasts=(), dropped=(), hidden=(), class_names=("a", "b", "c"))
    said = shown(alone)
    assert said[0] == "base a[red].h5, reused: low, middle"
    assert "3 classes" in said[1]
    assert not any("minus" in line for line in said)


def test_seeds_are_counted_only_where_one_diverged() -> None:
    said = shown(replace(REPORT, diverged=0))
    assert "reused layers 97.50% 90.00 to 99.00 97.00% 98.00%" in said
    assert not any(words in line for line in said for words in ("0 of 2", "2 of 2", "neither arm", ", 0 div"))


def test_every_line_of_the_tables_fits_80_columns() -> None:
    assert max(map(len, shown(REPORT, 80))) <= 80

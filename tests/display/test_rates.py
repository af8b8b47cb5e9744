"""What people read of a search for a learning rate."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dtrain.display.rates import describe_rates
from dtrain.rates.search_range import RateRange
from dtrain.rates.suggestion import Spread
from dtrain.rates.verification import Trial, verdict_on
from dtrain.workflows.lr_find import RateReport

REPORT = RateReport(
    folder=Path("runs/elu-lr-find-1"),
    suggestion=0.0123,
    seeds=Spread(0.0123, 0.011, 0.014),
    reason="",
    rates={"steepest": Spread(0.02, 0.01, 0.04), "minimum": Spread(0.008, 0.005, 0.009)},
    edge=0.1,
    diverged=2,
    range=RateRange(),
    line="schedule: {kind: one_cycle, maximum: 0.0123}",
    written=Path("better.yaml"),
    trials=verdict_on(
        (
            Trial(0.00369, 0.3, (0.71, 0.73, 0.72)),
            Trial(0.0123, 1.0, (0.81, 0.82, 0.83)),
            Trial(0.0369, 3.0, (0.8, None, None)),
            Trial(1.2, 9.0, (None,) * 3),
        ),
        chance=0.1,
    ).trials,
    verdict="confirmed",
)


def shown(report: RateReport, width: int = 80) -> str:
    console = Console(width=width, record=True, file=StringIO())
    for part in describe_rates(report):
        console.print(part, soft_wrap=isinstance(part, str), markup=False)
    return console.export_text()


def test_the_rules_the_suggestion_and_the_line_to_paste(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    REPORT.folder.mkdir(parents=True)
    (REPORT.folder / "lr_find.png").touch()
    lines = [" ".join(line.split()) for line in shown(REPORT).splitlines()]
    assert lines == [
        "picture runs/elu-lr-find-1/lr_find.png",
        "rule mean lowest seed highest seed",
        "steepest descent 0.02 0.01 0.04",
        "minimum / 10 0.008 0.005 0.009",
        "edge of divergence 0.1; 2 of 3 seeds diverged between 1e-06 and 10",
        "3 brief trainings rate validation accuracy beside 1x 95% interval",
        "0.3x 0.0037 72.00% -10.00 -12.27 to -7.73",
        "1x 0.012 82.00%",
        "3x 0.037 80.00% (2 diverged)",
        "9x 1.2 (3 diverged)",
        "suggestion 0.012 (single seeds: 0.011 to 0.014)",
        "schedule: {kind: one_cycle, maximum: 0.0123}",
        "verified: confirmed",
        "written better.yaml",
    ]


def test_row_54_a_refusal_says_why_and_shows_no_line() -> None:
    text = shown(replace(REPORT, suggestion=None, reason="the loss never falls", edge=None, rates={}, line=""))
    assert "no safe suggestion: the loss never falls" in text
    assert "no edge of divergence" in text
    assert "schedule" not in text

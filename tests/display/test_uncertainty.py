"""What people read of Monte Carlo dropout, on 80 columns."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Console

from dtrain.display.description import describe
from dtrain.monte_carlo.stochastic_model import DropoutLayer
from dtrain.statistics.calibration import Kept, compare
from dtrain.statistics.significance import McNemar
from dtrain.statistics.uncertainty import ImageReport, Settling
from dtrain.workflows.mc_predict import McReport, Means

SURE, UNSURE = np.tile([0.9, 0.1], (100, 1)), np.tile([0.6, 0.4], (100, 1))
IMAGE = ImageReport(7, "boot", (0.9, 0.1), (0.6, 0.4), (0.2, 0.2), 0.67, 0.5, 0.17, 0.25, ((0.5, 0.5), (0.7, 0.3)))
REPORT = McReport(
    folder=Path("runs/x-mc-predict-1"),
    model="x\x1b[31m",
    layers=(DropoutLayer("dropout", "Dropout", 0.2),),
    split="test",
    images=100,
    samples=50,
    seed=42,
    class_names=("boot", "bag"),
    means=Means(0.2, 0.67, 0.5, 0.17, 0.25),
    comparison=compare(SURE, UNSURE, np.zeros(100, np.int32)),
    mcnemar=McNemar(0, 0, 100, 1.0),
    verdict="the accuracies cannot be told apart",
    kept=(Kept(1.0, 100, 1.0, 1.0),),
    settling=(Settling(1, 0.1, 1.0, 0.5), Settling(50, 0.0, 1.0, 0.5)),
    enough=None,
    certain=(IMAGE,),
    uncertain=(IMAGE,),
    shown=IMAGE,
)


def test_the_tables_fit_and_hold_the_numbers() -> None:
    console = Console(width=80, record=True, file=StringIO())
    for part in describe(REPORT):
        console.print(part, soft_wrap=isinstance(part, str), markup=False)
    text = console.export_text()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "model x\\x1b[31m, 100 images of test" in lines
    assert "boot 0.90 0.60 0.20 0.50 0.70" in lines
    assert "accuracy, % 100.00 100.00 +0.00" in lines
    assert "log loss 0.1054 0.5108 +0.4055" in lines
    assert "calibration error 0.1000 0.4000 +0.3000" in lines
    assert "#7 (boot): boot 0.60 +- 0.20, bag 0.40 +- 0.20" in lines
    assert "the estimate has not settled before pass 50" in lines
    assert lines[-1] == "verdict: the accuracies cannot be told apart"

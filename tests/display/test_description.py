"""Every result prints as its command prints it, and is HTML in a notebook."""

from __future__ import annotations

import importlib
import io
import json
import pkgutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import dtrain
from dtrain import workflows
from dtrain.cli import main
from dtrain.display.description import DESCRIPTIONS, describe, publish
from dtrain.ground.result import Result
from dtrain.workflows.init import Beginning
from tests.display.test_results import seeds_result


def test_every_result_has_a_description() -> None:
    for module in pkgutil.iter_modules(workflows.__path__, "dtrain.workflows."):
        importlib.import_module(module.name)
    results = {one.__name__ for one in Result.__subclasses__() if one.__module__.startswith("dtrain.")}
    assert results <= DESCRIPTIONS.keys()


def begun(folder: str) -> Beginning:
    return Beginning(Path(folder, "a.yaml"), Path("schema.json"), "dtrain run " + "words " * 30, outdated=False)


def test_row_59_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    publish(dtrain.validate(seed=3), as_json=True)
    assert json.loads(capsys.readouterr().out)["experiment"]["seed"] == 3
    publish(begun("runs"), as_json=True)
    assert json.loads(capsys.readouterr().out)["experiment"] == "runs/a.yaml"


def test_a_path_is_never_broken_and_text_is_fitted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    publish(replace(seeds_result(), folder=Path("long" * 30)), as_json=False)
    out = capsys.readouterr().out
    assert out.startswith("run folder " + "long" * 30 + "\n")
    _, _, text = out.partition("The intervals")
    assert text.index("\n") <= 40 - len("The intervals")


def test_an_encoding_that_lacks_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    publish(begun("größe"), as_json=False)
    assert written.getvalue().startswith(b"experiment gr\\xf6\\xdfe/a.yaml\n")


def test_printed_it_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    report = dtrain.validate(activation="selu")
    assert main(["validate", "activation=selu"]) == 0
    assert str(report) == capsys.readouterr().out.rstrip("\n")
    assert next(iter(describe(report))) == str(report).partition("\n")[0]


def test_in_a_notebook_it_is_html_that_obeys_nothing() -> None:
    shown = dtrain.validate({"dataset": "./<b>&"})._repr_html_()
    assert shown.startswith("<pre>") and "name: ./&lt;b&gt;&amp;" in shown and "<b>" not in shown

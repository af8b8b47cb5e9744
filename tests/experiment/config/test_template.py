"""The file to start from stands for the default experiment and names every alternative."""

from __future__ import annotations

from dtrain.experiment.config.loading import load_experiment, parse_experiment
from dtrain.experiment.config.schema import every_key, every_kind
from dtrain.experiment.config.template import WIDTH, template

TEXT = template("mine.yaml", "some.schema.json")


def test_it_is_the_default_experiment() -> None:
    assert parse_experiment(TEXT, "mine.yaml") == load_experiment(None)


def test_it_opens_with_the_line_for_editors_and_its_command() -> None:
    assert TEXT.splitlines()[:2] == [
        "# yaml-language-server: $schema=some.schema.json",
        "# dtrain run mine.yaml",
    ]


def test_every_kind_and_every_key_of_the_default_kinds_is_there() -> None:
    comments = " ".join(line.lstrip("# ") for line in TEXT.splitlines() if line.startswith("#"))
    assert all(f"{kind}, " in comments or f"{kind}." in comments for kind, _ in every_kind())
    assert all(f"{key[0]}:" in TEXT for key in every_key() if len(key) == 1)


def test_every_line_fits_and_says_what_else_it_may_be() -> None:
    assert max(map(len, TEXT.splitlines())) <= WIDTH
    assert "  learning_rate: 0.02               # a number greater than 0\n" in TEXT
    assert "  # to [0, 1]; to mean 0 and deviation 1 of each pixel; or as they are" in TEXT


def test_what_follows_from_other_keys_goes_on_to_follow() -> None:
    assert "    # patience: 20 " in TEXT
    longer = parse_experiment(TEXT.replace("epochs: 20", "epochs: 50"), "mine.yaml").training
    assert longer.early_stopping is not None and longer.early_stopping.patience == 50

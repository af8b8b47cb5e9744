"""`lr-find` from end to end on real images: what it suggests and refuses, and that it leaves only its own folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from dtrain.cli import main
from dtrain.experiment.config.loading import load_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DivergedError, EnvironmentProblem, UsageError
from dtrain.rates.search_range import RateRange
from dtrain.rates.suggestion import Suggestion
from dtrain.runs.catalogue import create_run, find_run
from dtrain.runs.folder import list_runs
from dtrain.studies.rate_search import constant, range_test, validation_accuracy
from dtrain.trials.request import RunOptions
from dtrain.trials.training import train
from dtrain.trials.trial import Trial, own_trial, prepare_trial
from dtrain.trials.workshop import Workshop
from dtrain.workflows.lr_find import RateReport, lr_find
from tests.workflows.test_run import Listener

pytestmark = pytest.mark.usefixtures("compiled_once")
SEARCH = RateRange(1e-5, 10, 120, 2)


def small(**written: Any) -> Experiment:
    plain = {"dataset": {"train_limit": 2000}, "network": [32], "training": {"engine": "graph"}}
    return Experiment.model_validate(plain | written)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> RateReport:
    """A search with everything that can be asked of it."""
    folder = tmp_path_factory.mktemp("search")
    options = RunOptions(folder / "runs", stem="small")
    return lr_find(small(), SEARCH, options, Listener(), write=folder / "better.yaml", verify=True)


def test_the_folder_holds_picture_report_and_config(found: RateReport) -> None:
    assert found.folder.name == "small-lr-find-1"
    assert sorted(path.name for path in found.folder.iterdir()) == [
        "config.yaml",
        "lr_find.json",
        "lr_find.png",
        "status.json",
    ]


def test_the_report_says_what_was_returned_without_paths(found: RateReport) -> None:
    text = (found.folder / "lr_find.json").read_text()
    report = json.loads(text)
    assert report["suggestion"] == found.suggestion
    assert set(report["rates"]) == {"steepest", "minimum", "valley", "slide"}
    assert [one["seed"] for one in report["curves"]] == [42, 43]
    np.testing.assert_allclose(report["learning_rates"], np.geomspace(1e-5, 10, 120))
    assert str(found.folder.parent) not in text
    assert len(text.splitlines()) < 200


def test_the_suggestion_is_below_the_edge_and_within_the_spread_of_the_rules(found: RateReport) -> None:
    assert found.suggestion is not None
    assert found.edge is not None
    assert found.suggestion <= found.edge / 2
    assert min(one.low for one in found.rates.values()) <= found.suggestion


def test_the_written_experiment_has_the_suggestion_as_its_maximum(found: RateReport) -> None:
    assert found.written is not None
    assert load_experiment(found.written) == small(schedule={"kind": "one_cycle", "maximum": found.suggestion})
    assert found.line == f"schedule: {{kind: one_cycle, maximum: {found.suggestion}}}"


def test_brief_trainings_at_the_suggestion_and_around_it(found: RateReport) -> None:
    assert found.suggestion is not None
    assert [one.multiple for one in found.trials] == [0.3, 1.0, 3.0]
    assert [one.learning_rate for one in found.trials] == pytest.approx(found.suggestion * np.array([0.3, 1, 3]))
    assert all(accuracy and accuracy > 0.6 for accuracy in found.trials[1].accuracies)
    assert found.verdict
    report = json.loads((found.folder / "lr_find.json").read_text())
    assert report["verdict"] == found.verdict
    assert [one["accuracies"] for one in report["trials"]] == [list(one.accuracies) for one in found.trials]


def test_a_trial_is_a_training_with_a_seed_that_the_search_has_not_seen(found: RateReport, tmp_path: Path) -> None:
    assert found.suggestion is not None
    workshop = Workshop(RunOptions(tmp_path), Listener())
    again = prepare_trial(constant(small(seed=44), found.suggestion, epochs=8), workshop)
    assert validation_accuracy(again, workshop) == found.trials[1].accuracies[0]


def test_a_suggestion_at_which_training_diverges_is_taken_back_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(trial: Trial, workshop: Workshop) -> float:
        raise DivergedError("step 3: loss nan")

    def draw(curves: Any, rates: Any, found: Suggestion, title: str) -> Figure:
        drawn.append(found.rate is not None)
        return Figure()

    drawn: list[bool] = []
    monkeypatch.setattr("dtrain.studies.rate_search.validation_accuracy", diverge)
    monkeypatch.setattr("dtrain.plots.rates.rates_figure", draw)
    written = tmp_path / "better.yaml"
    report = lr_find(small(), SEARCH, RunOptions(tmp_path / "runs"), Listener(), write=written, verify=True)
    assert (report.suggestion, report.line, written.exists()) == (None, "", False)
    assert "6 of 6 brief trainings at" in report.reason
    assert drawn == [True, False], "the picture takes the suggestion back too"
    assert json.loads((report.folder / "lr_find.json").read_text())["suggestion"] is None


def test_a_search_is_no_run_to_evaluate(found: RateReport) -> None:
    assert list_runs(found.folder.parent) == []
    for name, said in ((None, "got no runs"), (found.folder.name, "holds no model; expected a run")):
        with pytest.raises(UsageError, match=said):
            find_run(found.folder.parent, name)


def test_equal_seeds_give_equal_results_and_leave_only_their_folder(
    found: RateReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    again = lr_find(small(), SEARCH, RunOptions(stem="small"), Listener())
    assert (again.suggestion, again.rates, again.edge) == (found.suggestion, found.rates, found.edge)
    first, second = (json.loads((one.folder / "lr_find.json").read_text())["curves"] for one in (found, again))
    assert first == second
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_dir()] == [
        Path("runs"),
        Path("runs/small-lr-find-1"),
    ]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "config.yaml",
        "lr_find.json",
        "lr_find.png",
        "status.json",
    ]


def test_the_rates_are_all_that_differs_from_a_run_and_the_momentum_holds(tmp_path: Path) -> None:
    optimizer = {"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True}
    cycled = small(optimizer=optimizer, schedule="one_cycle", dataset={"train_limit": 330}, regularizer="dropout")
    workshop = Workshop(RunOptions(tmp_path), Listener())
    trial = prepare_trial(cycled, workshop)
    losses = range_test(trial, workshop, np.full(25, 0.01))
    run = create_run(tmp_path, name="run", stem="")
    train(own_trial(constant(trial.experiment, 0.01, epochs=3), trial.whole), workshop, run)
    np.testing.assert_array_equal(run.read_steps()["loss"][:25], losses.astype(np.float32))


def test_three_batches_are_gone_round_again(tmp_path: Path) -> None:
    experiment = small(dataset={"train_limit": 70}, optimizer="adam")
    report = lr_find(experiment, replace(SEARCH, minimum=1e-6, maximum=1.0), RunOptions(tmp_path), Listener())
    curves = json.loads((report.folder / "lr_find.json").read_text())["curves"]
    assert all(len(one["losses"]) > 30 for one in curves)
    assert report.suggestion is not None


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--min", "1", "--max", "0.1"], "expected --min < --max, both from"),
        (["--min", "1", "--max", "1"], "expected --min < --max, both from"),
        (["--min", "0"], "expected --min < --max, both from"),
        (["--max", "nan"], "expected --min < --max, both from"),
        (["--max", "1e300"], "both from 1e-12 to 1e+06"),
        (["--min", "1e-300"], "both from 1e-12 to 1e+06"),
        (["--iterations", "2"], "--iterations: got 2; expected 50 to 10,000"),
        (
            ["optimizer=adafactor", "--min", "0.2"],
            "--min: got 0.2; expected less than 0.1, where a search",
        ),
        (["seed=4294967295"], "--seeds: got 3 seeds from 4294967295; expected none above 4294967295"),
        (["--seeds", "0"], "--seeds: got 0; expected at least 1"),
    ],
)
def test_row_54_a_range_that_is_none(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lr-find", "--quiet", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_row_54_a_loss_that_never_falls_gives_null_with_the_reason_and_a_picture(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "better.yaml"
    arguments = ["dataset.train_limit=640", "network=[16]", "training.engine=graph", "--max", "1e-5", "--seeds", "2"]
    options = ["--runs-dir", str(tmp_path / "runs"), "--write", str(written), "--verify", "--json", "--quiet"]
    assert main(["lr-find", *arguments, *options]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["suggestion"] is None
    assert document["reason"] == (
        "the loss of 2 of 2 seeds does not fall, at any rate of the range, by more than its noise"
    )
    assert (Path(document["folder"]) / "lr_find.png").exists()
    report = json.loads((Path(document["folder"]) / "lr_find.json").read_text())
    assert (report["suggestion"], report["range"]["maximum"]) == (None, 1e-5)
    assert not written.exists()


def test_what_is_not_written_or_drawn_is_said(tmp_path: Path, broken_pictures: str) -> None:
    listener = Listener()
    written = tmp_path / "better.yaml"
    flat = replace(SEARCH, minimum=1e-8, maximum=1e-6, seeds=1)
    report = lr_find(small(), flat, RunOptions(tmp_path / "runs"), listener, write=written)
    assert listener.warnings == [broken_pictures, f"{written} was not written: there is no suggestion to write"]
    assert (report.folder / "lr_find.json").exists() and "picture" not in str(report)


def test_images_learnt_by_heart_give_a_cautious_suggestion(tmp_path: Path) -> None:
    listener = Listener()
    few = small(dataset={"classes": [5, 6], "train_limit": 100}, optimizer="sgd", schedule="constant", regularizer=[])
    report = lr_find(few, replace(SEARCH, iterations=600, seeds=2), RunOptions(tmp_path), listener)
    assert report.suggestion is not None
    assert report.suggestion < 0.2
    assert listener.warnings == [
        "2 of 2 seeds learnt their images within the search: the suggestion is cautious, and the edge of divergence "
        "may be far lower"
    ]


def test_adafactor_is_searched_only_as_far_as_its_rates_make_sense(tmp_path: Path) -> None:
    adafactor = small(optimizer="adafactor", dataset={})
    report = lr_find(adafactor, RateRange(seeds=1), RunOptions(tmp_path), Listener())
    assert report.range.maximum == 0.1
    assert report.suggestion is not None
    assert report.suggestion < 0.05  # of 300-100 a grid finds 0.003; a search up to 10 said 1.1
    assert RateRange(maximum=1.0).planned(adafactor).maximum == 1.0


def test_adafactor_beyond_its_end_is_warned_of(tmp_path: Path) -> None:
    listener = Listener()
    adafactor = small(optimizer="adafactor", schedule="constant")
    lr_find(adafactor, replace(SEARCH, seeds=1), RunOptions(tmp_path), listener)
    assert "rates of adafactor above 0.1 draw the weights anew: leave out --max 10" in listener.warnings


@pytest.mark.slow
def test_ftrl_is_searched_by_brief_trainings_each_at_one_rate(tmp_path: Path) -> None:
    ftrl = small(optimizer="ftrl")
    report = lr_find(ftrl, replace(SEARCH, minimum=1e-4, iterations=300), RunOptions(tmp_path), Listener())
    rates = json.loads((report.folder / "lr_find.json").read_text())["learning_rates"]
    np.testing.assert_allclose(rates, np.geomspace(1e-4, 10, 11))
    workshop = Workshop(RunOptions(tmp_path), Listener())
    trial = prepare_trial(ftrl, workshop)

    def reached(rate: float) -> float:
        return validation_accuracy(own_trial(constant(trial.experiment, rate, epochs=8), trial.whole), workshop)

    assert report.suggestion is not None
    assert reached(report.suggestion) > max(reached(rate) for rate in rates if rate < 1) - 0.03


def test_small_batches_see_as_many_images(tmp_path: Path) -> None:
    report = lr_find(
        small(training={"engine": "graph", "batch_size": 16}), RateRange(seeds=1), RunOptions(tmp_path), Listener()
    )
    assert report.range.iterations == 600
    assert report.suggestion is not None


def test_an_interrupted_search_says_so_and_suggests_nothing(tmp_path: Path) -> None:
    class Impatient(Listener):
        def on_progress(self, step: int, total_steps: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lr_find(small(), SEARCH, RunOptions(tmp_path, name="cut"), Impatient(), write=tmp_path / "better.yaml")
    assert json.loads((tmp_path / "cut" / "status.json").read_text())["state"] == "interrupted"
    assert not (tmp_path / "cut" / "lr_find.json").exists()
    with pytest.raises(UsageError, match="'cut', which holds no model"):
        find_run(tmp_path, "cut")
    assert not (tmp_path / "better.yaml").exists()


def test_one_json_document_with_the_suggestion(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["dataset.train_limit=2000", "network=[32]", "training.engine=graph", "--min", "1e-5", "--seeds", "1"]
    assert main(["lr-find", *arguments, "--runs-dir", str(tmp_path), "--iterations", "120", "--json", "--quiet"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert 1e-4 < document["suggestion"] < document["edge"]
    assert (document["reason"], document["range"]["iterations"]) == ("", 120)
    assert str(document["suggestion"]) in document["line"]


def test_a_range_that_ends_before_any_divergence_is_warned_of(tmp_path: Path) -> None:
    listener = Listener()
    report = lr_find(small(), replace(SEARCH, maximum=3e-3, seeds=1), RunOptions(tmp_path), listener)
    assert (report.edge, report.diverged) == (None, 0)
    assert listener.warnings == ["no seed diverged up to 0.003: a higher rate may be better; raise --max"]


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    precious = tmp_path / "precious.yaml"
    precious.write_text("seed: 1\n")
    with pytest.raises(UsageError, match="got a file that exists"):
        lr_find(small(), SEARCH, RunOptions(tmp_path / "runs"), Listener(), write=precious)
    assert precious.read_text() == "seed: 1\n"
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "place, said",
    [
        ("missing/better.yaml", "got a file in a folder that does not exist; expected a folder that does"),
        ("there", "got a folder; expected a new file"),
    ],
)
def test_a_place_that_is_none_for_a_file_is_refused_before_the_search(place: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match=said):
        lr_find(small(), SEARCH, RunOptions(tmp_path / "runs"), Listener(), write=tmp_path / place)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("place", ["runs", "here/runs", "runs/mine", "runs/small-lr-find-1"])
def test_a_file_in_the_place_of_a_run_folder_is_refused_before_the_search(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" if "/" in place else tmp_path / "here").mkdir()
    runs_dir = Path("here/runs/below") if place.startswith("here") else Path("runs")
    (tmp_path / "here").mkdir(exist_ok=True)
    name = "mine" if place.endswith("mine") else None
    with pytest.raises(UsageError, match="got the place of a run folder"):
        lr_find(small(), SEARCH, RunOptions(runs_dir, name), Listener(), write=Path(place))


def test_a_file_that_cannot_be_written_is_refused_before_the_search(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be written: File name too long") as caught:
        lr_find(small(), SEARCH, RunOptions(tmp_path / "runs"), Listener(), write=tmp_path / ("x" * 300))
    problem = caught.value.problems[0]
    assert problem.where.startswith("--write")
    assert "--write" in problem.hint
    assert "--runs-dir" not in problem.hint
    assert not list(tmp_path.iterdir())

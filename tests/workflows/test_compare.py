"""`compare` from run folders to a report: SciPy's numbers, files that replace nothing, and honest refusals."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from scipy import stats

from dtrain.experiment.config.loading import dump_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import RunConflictError, UsageError
from dtrain.runs.catalogue import create_run
from dtrain.workflows.compare import compare
from tests.studies.made_runs import several, single

ELU = [0.905, 0.92, 0.91, 0.93, 0.90, 0.915]
SELU = [0.88, 0.89, 0.885, 0.895, 0.87, 0.885]
pytestmark = pytest.mark.usefixtures("hasty_disk")
LIKE_SELU = {"activation": "selu"}


def test_two_groups_have_scipys_numbers(tmp_path: Path) -> None:
    several(tmp_path, "selu", SELU, written=LIKE_SELU)
    several(tmp_path, "elu", ELU)
    report = compare(tmp_path, ["selu", "elu"])
    assert [one.name for one in report.standings] == ["elu", "selu"]
    best = report.standings[0]
    interval = stats.t.interval(0.95, 5, np.mean(ELU), stats.sem(ELU))
    assert (best.test.interval.low, best.test.interval.high) == pytest.approx(interval)
    assert (best.test.mean, best.validation.mean) == pytest.approx((np.mean(ELU), np.mean(ELU) + 0.01))
    assert best.test.chance_of == "seeds"
    assert [one.settings["activation.kind"] for one in report.standings] == ["elu", "selu"]
    (pair,) = report.pairs
    assert pair.difference is not None and pair.interval is not None
    paired = stats.ttest_rel(ELU, SELU)
    flips = stats.permutation_test(
        (ELU, SELU), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", n_resamples=np.inf
    )
    found = (pair.probability, pair.interval.low, pair.difference.exact_probability)
    assert found == pytest.approx((paired.pvalue, paired.confidence_interval().low, flips.pvalue))
    assert (pair.verdict, report.warnings, report.left_out) == ("better", (), ())


def test_two_identical_groups_differ_by_exactly_0(tmp_path: Path) -> None:
    several(tmp_path, "elu", ELU)
    shutil.copytree(tmp_path / "elu", tmp_path / "copy")
    report = compare(tmp_path, ["elu", "copy"])
    (pair,) = report.pairs
    assert pair.difference is not None and pair.difference.mean == 0
    assert (pair.probability, pair.verdict) == (1, "undecided")
    assert [one.settings for one in report.standings] == [{}, {}]


def test_row_55_single_runs_are_compared_image_by_image(tmp_path: Path) -> None:
    """The first gets the first 20 of 200 images wrong, the second the last 50: 50 and 20 are right with one only."""
    single(tmp_path, "elu", 1, 0.9)
    single(tmp_path, "selu", 1, 0.75, written=LIKE_SELU, wrong_first=False)
    report = compare(tmp_path, ["elu", "selu"])
    (pair,) = report.pairs
    assert pair.mcnemar is not None and (pair.mcnemar.only_first, pair.mcnemar.only_second) == (50, 20)
    assert pair.probability == pytest.approx(stats.binomtest(20, 70).pvalue)
    assert (pair.verdict, pair.verdict_on_models) == ("cannot be decided", "better")
    assert pair.words.startswith("it cannot be decided whether elu and selu differ: one seed of elu does not show")
    assert report.standings[0].test.chance_of == "images"
    wilson = stats.binomtest(180, 200).proportion_ci(method="wilson")
    assert report.standings[0].test.interval.low == pytest.approx(wilson.low)


@pytest.mark.parametrize("seeds", [6, 1])
def test_experiments_none_of_which_learnt_get_no_verdict(seeds: int, tmp_path: Path) -> None:
    several(tmp_path, "elu", [0.11, 0.12, 0.11, 0.12, 0.115, 0.11][:seeds])
    several(tmp_path, "selu", [0.09, 0.1, 0.09, 0.1, 0.095, 0.09][:seeds], written=LIKE_SELU)
    (pair,) = compare(tmp_path, ["elu", "selu"]).pairs
    assert (pair.verdict, pair.verdict_on_models) == ("cannot be decided", None)
    assert pair.words == "neither elu nor selu is better than chance, so there is nothing to compare"


def test_arm_and_base_are_among_what_differs(tmp_path: Path) -> None:
    with_base = {"transfer": {"frozen_epochs": 1}}
    for name, arm, base in (("reused", "transfer", "b" * 64), ("scratch", "scratch", "b" * 64)):
        several(tmp_path, name, ELU, written=with_base, more={"reuse": {"arm": arm, "base": base}})
    report = compare(tmp_path, ["reused", "scratch"])
    assert [one.settings for one in report.standings] == [{"transfer arm": "transfer"}, {"transfer arm": "scratch"}]
    several(tmp_path, "other", ELU, written=with_base, more={"reuse": {"arm": "transfer", "base": "c" * 64}})
    report = compare(tmp_path, ["reused", "other"])
    assert [one.settings for one in report.standings] == [{"base": "b" * 12}, {"base": "c" * 12}]
    several(tmp_path, "older", ELU, written=with_base)
    report = compare(tmp_path, ["reused", "older"])
    assert report.standings[1].settings == {"transfer arm": "not recorded", "base": "not recorded"}
    assert report.warnings == ("older: nobody recorded the arm and the base, so look up what they are",)


def test_departures_are_told(tmp_path: Path) -> None:
    several(tmp_path, "elu", ELU)
    several(tmp_path, "moved", ELU[:1], more={"departures": ["from step 14 on, keras is 3.1.0, was 3.0.0", "and\x1b"]})
    report = compare(tmp_path, ["elu", "moved"])
    assert report.warnings[0] == (
        "moved/seed-42 is not what `dtrain run` on its config.yaml would give, so it counts as an experiment of "
        "its own: from step 14 on, keras is 3.1.0, was 3.0.0; and\\x1b"
    )
    assert [one.settings for one in report.standings] == [{"departs from its file": one} for one in ("no", "yes")]


def test_diverged_seeds_are_not_kept_quiet(tmp_path: Path) -> None:
    several(tmp_path, "elu", ELU).seed_folder(48).write_status("diverged", reason="loss nan")
    several(tmp_path, "selu", SELU, written=LIKE_SELU)
    report = compare(tmp_path, ["elu", "selu"])
    assert [(one.name, one.diverged) for one in report.standings] == [("selu", 0), ("elu", 1)]
    assert report.warnings == (
        "elu/seed-48 diverged: loss nan; it is left out",
        "1 of 7 seeds of elu diverged; the means leave them out, so they flatter",
    )
    assert [(one.verdict, one.diverged) for one in report.pairs] == [("undecided", (0, 1))]
    assert "the mean of the rest flatters elu" in report.pairs[0].words


def test_a_run_that_diverged_and_is_named_alone_counts_too(tmp_path: Path) -> None:
    several(tmp_path, "elu", ELU)
    several(tmp_path, "selu", SELU, written=LIKE_SELU)
    lost = create_run(tmp_path, name="again", stem="")
    lost.write_config(dump_experiment(Experiment.model_validate({"seed": 7})))
    lost.write_status("diverged", reason="loss nan")
    report = compare(tmp_path, ["elu", "selu", "again"])
    assert [(one.name, one.diverged) for one in report.standings] == [("selu", 0), ("elu", 1)]


def test_what_would_matter_can_be_asked_for(tmp_path: Path) -> None:
    several(tmp_path, "elu", ELU)
    several(tmp_path, "like", [*ELU[:5], 0.92], written=LIKE_SELU)
    assert [compare(tmp_path, ["elu", "like"], worth=worth).pairs[0].verdict for worth in (0.001, 0.01)] == [
        "undecided",
        "equivalent",
    ]
    with pytest.raises(UsageError, match="--worth: got 0 points; expected more than 0 and less than 100"):
        compare(tmp_path, ["elu", "like"], worth=0)


def test_the_table_has_a_line_for_each_run(tmp_path: Path) -> None:
    several(tmp_path, "elu", ELU, written={"regularizer": [], "training": {"save": ["keras", "h5"]}})
    several(tmp_path, "selu", SELU, written=LIKE_SELU)
    report = compare(tmp_path, ["selu", "elu"], tmp_path / "runs.csv")
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text().splitlines()))
    assert report.csv == tmp_path / "runs.csv"
    assert [(row["rank"], row["experiment"], row["seed"]) for row in rows[5:7]] == [
        ("1", "elu", "47"),
        ("2", "selu", "42"),
    ]
    assert [float(row["test_accuracy"]) for row in rows] == ELU + SELU
    assert rows[0]["run"] == f"{tmp_path}/elu/seed-42"
    assert rows[0]["training.save"] == '["keras", "h5"]' and rows[0]["activation.kind"] == "elu"


@pytest.mark.usefixtures("drawn_pictures")
def test_the_picture(tmp_path: Path) -> None:
    several(tmp_path, "elu", ELU)
    single(tmp_path, "selu", 42, 0.88, written=LIKE_SELU, epochs=5)
    compare(tmp_path, ["selu", "elu"], plot=tmp_path / "curves.png")
    assert matplotlib.image.imread(tmp_path / "curves.png").shape[:2] == (500, 1500)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["elu"], "got one run; expected at least two experiments"),
        (["elu", "again"], "got 7 runs of one experiment, which differ only in their seed; expected at least two"),
        (["elu", "sleu"], "did you mean 'selu'"),
    ],
)
def test_row_55_what_is_not_two_experiments(tmp_path: Path, names: list[str], said: str) -> None:
    several(tmp_path, "elu", ELU)
    single(tmp_path, "again", 1, 0.8)
    single(tmp_path, "selu", 1, 0.8, written=LIKE_SELU)
    if names == ["elu"]:
        shutil.rmtree(tmp_path / "elu")
        single(tmp_path, "elu", 1, 0.8)
    with pytest.raises(UsageError, match=said):
        compare(tmp_path, names)


def test_too_few_completed_runs_say_why(tmp_path: Path) -> None:
    several(tmp_path, "elu", ELU)
    lost = create_run(tmp_path, name="selu", stem="")
    lost.write_config(dump_experiment(Experiment.model_validate(LIKE_SELU)))
    lost.write_status("diverged", reason="step 3: loss nan")
    with pytest.raises(RunConflictError, match="got only elu to compare, because selu diverged: step 3: loss nan"):
        compare(tmp_path, ["elu", "selu"])


def test_a_picture_that_cannot_be_drawn_leaves_no_table(tmp_path: Path) -> None:
    for name in ("elu", "selu"):
        (single(tmp_path, name, 42, 0.8, written={"activation": name}).path / "metrics.jsonl").write_text("")
    with pytest.raises(RunConflictError):
        compare(tmp_path, ["selu", "elu"], tmp_path / "runs.csv", tmp_path / "curves.png")
    assert not (tmp_path / "runs.csv").exists()


@pytest.mark.parametrize(
    ("csv", "plot", "said"),
    [
        ("there.csv", None, "--csv .*there.csv: got a file that exists"),
        (None, "nowhere/x.png", "--plot .*x.png: got a file in a folder that does not exist"),
        (None, "x.pdf", "does not end in .png"),
        ("x.png", "x.png", "got the file of --csv"),
    ],
)
def test_files_that_cannot_be_made_are_refused_first(
    tmp_path: Path, csv: str | None, plot: str | None, said: str
) -> None:
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(UsageError, match=said):
        compare(tmp_path, ["no-such-run"], tmp_path / csv if csv else None, tmp_path / plot if plot else None)
    assert [one.name for one in tmp_path.iterdir()] == ["there.csv"]


@pytest.mark.slow
def test_chance_alone_gets_a_verdict_at_most_once_in_twenty(tmp_path: Path) -> None:
    """200 comparisons of run folders whose accuracies are from one distribution."""
    random = np.random.default_rng(0)
    for name, written in (("elu", None), ("selu", LIKE_SELU)):
        several(tmp_path, name, ELU[:3], written=written)
    summaries = sorted(tmp_path.rglob("summary.json"))
    verdicts = 0
    for _ in range(200):
        for path in summaries:
            accuracy = float(random.binomial(200, 0.85 + 0.02 * random.normal()) / 200)
            summary = json.loads(path.read_text())
            summary["test"]["accuracy"] = summary["validation"]["accuracy"] = accuracy
            path.write_text(json.dumps(summary))
        (pair,) = compare(tmp_path, ["elu", "selu"]).pairs
        verdicts += pair.verdict != "undecided"
    assert verdicts <= stats.binom.ppf(0.999, 200, 0.05)

"""`transfer` from end to end: what it writes and says, what it leaves alone, and what it refuses before it writes."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from dtrain.cli import main
from dtrain.data.prepare import prepare
from dtrain.data.sources import load_images
from dtrain.experiment.config.loading import parse_experiment
from dtrain.ground.errors import ConfigError, DivergedError, ModelFileError, RunConflictError, UsageError
from dtrain.runs.folder import RunFolder, list_runs
from dtrain.runs.results import RunResult
from dtrain.studies.transfer_report import ARMS, TransferReport, verdict_in_words
from dtrain.studies.transfer_source import SAMPLE, TASK_B, Request, load_task
from dtrain.trials.request import RunOptions
from dtrain.trials.training import train
from dtrain.trials.trial import Trial
from dtrain.trials.workshop import Workshop
from dtrain.workflows.run import run
from dtrain.workflows.show import RunReport, SeedsReport, show
from dtrain.workflows.transfer import transfer
from tests.reuse.conftest import reader_in_this_process as reader_in_this_process
from tests.reuse.grafts import save_base
from tests.reuse.helpers import load_base
from tests.studies.made_runs import single
from tests.workflows.test_run import Listener

pytestmark = pytest.mark.usefixtures("compiled_once")
TASK = parse_experiment(
    TASK_B,
    "task B",
    [
        "dataset.name=fashion_mnist_sample",
        "dataset.train_limit=40",
        "training.engine=graph",
        "training.batch_size=20",
        "training.save=[keras,h5]",
        "transfer.frozen_epochs=1",
        "transfer.unfrozen_epochs=2",
    ],
)
SHAPE = (28, 28)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = [keras.layers.Flatten(name="flatten"), keras.layers.Dense(9, "selu", name="low")]
    layers += [keras.layers.Dense(8, "selu", name="high"), keras.layers.Dense(3, "softmax", name="output")]
    return save_base(tmp_path_factory.mktemp("base") / "a.h5", layers, SHAPE)


@pytest.fixture(scope="module")
def before(base: Path) -> bytes:
    return base.read_bytes()


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def report(base: Path, before: bytes, listener: Listener, tmp_path_factory: pytest.TempPathFactory) -> TransferReport:
    runs = tmp_path_factory.mktemp("runs")
    return transfer(TASK, Request(base, seeds=2), RunOptions(runs, name="one"), listener)


def test_every_arm_has_a_run_folder_for_each_seed(report: TransferReport) -> None:
    found = {str(path.relative_to(report.folder)) for path in report.folder.rglob("*") if path.is_file()}
    top = {"config.yaml", "study.yaml", "status.json", ".lock"}
    top |= {"transfer.json", "transfer.png", "model.keras", "model.h5"}
    arm = {"config.yaml", "status.json", "summary.json"}
    seed = arm | {"metrics.jsonl", "timing.jsonl", "predictions.npz", "steps.npz", "curves.png", ".lock"}
    expected = top | {f"{one}/{name}" for one in ARMS for name in arm}
    expected |= {f"{one}/seed-{number}/{name}" for one in ARMS for number in (42, 43) for name in seed}
    assert {one for one in found if "/checkpoints/" not in one} == expected
    assert all(any((report.folder / arm / "seed-43" / "checkpoints").glob("0*")) for arm in ARMS)
    assert RunFolder(report.folder).read_status()["state"] == "completed"
    kinds = [RunFolder(report.folder / path).kind() for path in (".", "random", "random/seed-42")]
    assert kinds == ["transfer", "seeds", "run"]


def test_every_training_says_which_arm_and_base_it_is_of(report: TransferReport, before: bytes) -> None:
    for arm in ARMS:
        said = RunFolder(report.folder / arm / "seed-43").read_summary()["reuse"]
        assert said == {"arm": arm, "base": hashlib.sha256(before).hexdigest()}


def test_metrics_name_the_stage(report: TransferReport) -> None:
    lines = RunFolder(report.folder / "random" / "seed-43").read_metrics()
    assert [(one["stage"], one["epoch"], one["step"]) for one in lines] == [
        ("frozen", 1, 2),
        ("unfrozen", 2, 4),
        ("unfrozen", 3, 6),
    ]
    assert [one["learning_rate"] for one in lines] == pytest.approx([0.03, 0.003, 0.003])


def test_accuracies_are_those_of_the_predictions_on_equal_test_images(report: TransferReport) -> None:
    for arm in report.arms:
        for seed, accuracy in zip(report.seeds, arm.accuracies, strict=True):
            probabilities, labels = RunFolder(report.folder / arm.name / f"seed-{seed}").read_predictions()
            assert accuracy == (probabilities.argmax(axis=1) == labels).mean()
            assert len(labels) == report.test_images == 400


def test_the_model_of_the_first_seed_predicts_what_was_measured(report: TransferReport) -> None:
    data = prepare(TASK.dataset, load_images(TASK.dataset.name, None))
    expected, _ = RunFolder(report.folder / "transfer" / "seed-42").read_predictions()
    for suffix in ("keras", "h5"):
        model = keras.models.load_model(report.folder / f"model.{suffix}", compile=False)
        assert model.trainable_variables == model.variables
        found = model.predict(data.scaling.apply(data.test.images), verbose=0)[:, 0]
        np.testing.assert_allclose(found, expected[:, 1], atol=1e-5)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_the_weights_of_another_model_are_noticed(report: TransferReport, suffix: str, tmp_path: Path) -> None:
    path = Path(shutil.copytree(report.folder, tmp_path / "copy")) / f"model.{suffix}"
    assert load_base(path).classes == 2
    other = keras.models.load_model(path, compile=False)
    other.set_weights([one + 1 for one in other.get_weights()])
    other.save(path)
    with pytest.raises(ModelFileError, match=r"got weights with digest .* those of the run's end"):
        load_base(path)


def test_the_base_stays_as_it_is(report: TransferReport, base: Path, before: bytes) -> None:
    assert base.read_bytes() == before
    assert report.digest == hashlib.sha256(before).hexdigest()
    assert list(base.parent.iterdir()) == [base]


def test_unknown_scaling_is_assumed_aloud(report: TransferReport, listener: Listener) -> None:
    (said,) = listener.warnings
    assert said.startswith("a.h5 does not say how its images were scaled; assumed unit (pixels from 0 to 1)")
    assert "dataset.scaling=standardize or dataset.scaling=none" in said
    assert report.scaling_origin == "assumed"


def test_differences_and_verdict_follow_the_accuracies(report: TransferReport) -> None:
    accuracies = {arm.name: [one or 0.0 for one in arm.accuracies] for arm in report.arms}
    for one in report.contrasts:
        mean = np.mean(accuracies["transfer"]) - np.mean([accuracies[name] for name in ARMS if name == one.second])
        assert one.difference and one.difference.mean == pytest.approx(mean)
    assert [one.comparisons for one in report.contrasts] == [2, 2]
    assert report.verdict == verdict_in_words(report.contrasts, report.arms)


def test_the_report_is_read_back_and_is_no_trained_run(report: TransferReport) -> None:
    assert show(report.folder.parent, "one") == report
    assert list_runs(report.folder.parent) == []
    arm = show(report.folder.parent, str(report.folder / "scratch"))
    assert isinstance(arm, SeedsReport) and arm.result
    assert arm.result.test_accuracy == report.arms[1].mean


def test_a_bare_show_is_of_what_was_made_last(report: TransferReport, tmp_path: Path) -> None:
    single(tmp_path, "before", 42, 0.9)
    assert isinstance(show(tmp_path), RunReport)
    made = shutil.copytree(report.folder, tmp_path / "experiment")
    (made / "status.json").write_text(json.dumps(RunFolder(made).read_status() | {"created": "2100-01-01T00:00:00"}))
    assert show(tmp_path) == replace(report, folder=made)
    late = single(tmp_path, "after", 42, 0.9).path / "status.json"
    late.write_text(json.dumps(json.loads(late.read_text()) | {"created": "2100-01-01T00:00:01"}))
    assert isinstance(show(tmp_path), RunReport)


def test_what_has_not_ended_is_not_shown(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dtrain.workflows.transfer.train_arms", stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        transfer(TASK, Request(base, seeds=2), RunOptions(tmp_path, name="one"), Listener())
    assert f"`dtrain resume {tmp_path / 'one'}`" in caught.value.__notes__[0]
    with pytest.raises(RunConflictError, match="the experiment was interrupted"):
        show(tmp_path, "one")


def test_the_same_seeds_give_the_same_bytes(report: TransferReport, base: Path, tmp_path: Path) -> None:
    again = transfer(TASK, Request(base, seeds=1), RunOptions(tmp_path), Listener())
    name = "transfer/seed-42/metrics.jsonl"
    assert (again.folder / name).read_bytes() == (report.folder / name).read_bytes()
    assert {one.verdict for one in again.contrasts} == {"cannot be decided"}
    assert again.verdict == "one seed cannot say what reuse did"


def test_controls_can_be_left_out_and_the_result_be_a_base_again(
    report: TransferReport, tmp_path: Path, listener: Listener
) -> None:
    heard = Listener()
    alone = transfer(TASK, Request(report.folder, seeds=2, controls=False), RunOptions(tmp_path), heard)
    assert [one for one in heard.phases if one.startswith("seed 43")] == ["seed 43, 2 of 2: 1 training"]
    assert [arm.name for arm in alone.arms] == ["transfer"]
    assert not (alone.folder / "scratch").exists()
    assert alone.scaling_origin == "as for the base"
    assert alone.reused == ("low", "high")
    assert alone.verdict == "nothing to compare with: nobody knows what reuse did"


def test_a_seed_that_diverges_is_left_out_and_the_command_partly_fails(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(trial: Trial, workshop: Workshop, folder: RunFolder) -> RunResult:
        if trial.reuse and (trial.reuse.arm, trial.experiment.seed) == ("scratch", 43):
            raise DivergedError("step 3: loss inf")
        return train(trial, workshop, folder)

    monkeypatch.setattr("dtrain.trials.resuming.train", diverging)
    few = ["--seeds", "3", "--runs-dir", str(tmp_path), "dataset.train_limit=32", "training.engine=graph"]
    task = [f"dataset.name={SAMPLE}", "transfer.unfrozen_epochs=0", "transfer.frozen_epochs=1"]
    assert main(["transfer", "--base", str(base), *few, *task, "--json"]) == 10
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["diverged"] == 1
    assert found["arms"][1]["accuracies"][1] is None
    assert (found["contrasts"][0]["measured"], found["contrasts"][0]["diverged"]) == ([3, 2], [0, 1])
    assert "the same network from scratch, seed 43, diverged: step 3: loss inf" in " ".join(captured.err.split())


def test_reused_layers_that_always_diverge_end_the_command(base: Path, tmp_path: Path) -> None:
    section = TASK.transfer
    assert section
    wild = TASK.model_copy(update={"transfer": section.model_copy(update={"frozen_learning_rate": 1e30})})
    with pytest.raises(DivergedError, match="all 1 seeds of the reused layers diverged") as caught:
        transfer(wild, Request(base, seeds=1), RunOptions(tmp_path, name="one"), Listener())
    assert caught.value.exit_code == 6
    assert RunFolder(tmp_path / "one").read_status()["state"] == "diverged"


def test_there_is_at_least_one_seed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected at least 1"):
        transfer(TASK, Request(Path("a.h5"), seeds=0), RunOptions(tmp_path), Listener())


def test_without_the_full_set_task_b_takes_the_sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = [type("Place", (), {"missing": ("train-images",)})()]
    monkeypatch.setattr("dtrain.studies.transfer_source.locate", lambda name, data_dir: missing)
    experiment, (warning,) = load_task(None, [], tmp_path)
    assert experiment.dataset.name == SAMPLE
    assert "dtrain data fetch fashion_mnist" in warning
    experiment, warnings = load_task(None, ["dataset.name=fashion_mnist"], tmp_path)
    assert (experiment.dataset.name, warnings) == ("fashion_mnist", ())


def test_a_run_has_no_use_for_the_section(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="transfer: got a section; expected none"):
        run(TASK, RunOptions(tmp_path), Listener())
    assert list(tmp_path.iterdir()) == []


def test_a_base_of_a_transfer_with_other_statistics_does_not_claim_to_know_them(
    report: TransferReport, tmp_path: Path
) -> None:
    folder = report.folder
    config = (folder / "config.yaml").read_text()
    try:
        (folder / "config.yaml").write_text(config.replace("scaling: unit", "scaling: standardize"))
        assert load_base(folder).scaling is None
    finally:
        (folder / "config.yaml").write_text(config)

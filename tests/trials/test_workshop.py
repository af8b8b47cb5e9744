"""The workshop: what is compiled is shared by what may share it, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from dtrain.engine.epoch import Engine
from dtrain.experiment.spec import Experiment
from dtrain.runs.folder import make_folder
from dtrain.trials.compiled import RUNTIME_INPUTS, fingerprint
from dtrain.trials.network import OwnNetwork
from dtrain.trials.request import RunOptions
from dtrain.trials.training import train
from dtrain.trials.trial import prepare_trial
from dtrain.trials.workshop import KEPT, Workshop
from tests.workflows.test_resume import EQUAL
from tests.workflows.test_run import Listener

PLAIN: dict[str, Any] = {
    "dataset": {"train_limit": 64},
    "network": [6],
    "activation": "relu",
    "optimizer": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.5},
    "schedule": "constant",
    "regularizer": "dropout",
    "training": {"epochs": 2, "engine": "graph", "early_stopping": None, "save": []},
}
RUNTIME: dict[str, dict[str, Any]] = {
    "seed": {"seed": 7},
    "initializer": {"initializer": {"kind": "random_normal", "stddev": 0.3}},
    "schedule": {"schedule": "one_cycle"},
    "optimizer.learning_rate": {"optimizer": PLAIN["optimizer"] | {"learning_rate": 0.2}},
    "training.epochs": {"training": PLAIN["training"] | {"epochs": 3}},
    "training.schedule_epochs": {"schedule": "cosine", "training": PLAIN["training"] | {"schedule_epochs": 1}},
    "training.early_stopping": {"training": PLAIN["training"] | {"early_stopping": {"patience": 1}}},
    "training.measures": {"training": PLAIN["training"] | {"measures": "layers"}},
    "training.save": {"training": PLAIN["training"] | {"save": ["h5"]}},
}
"""An experiment that differs from the plain one in each of the runtime inputs."""


NAMES = ("fashion_mnist_sample", "mnist_sample")


def small(**written: Any) -> Experiment:
    return Experiment.model_validate(PLAIN | written)


def workshop_in(folder: Path) -> Workshop:
    return Workshop(RunOptions(folder), Listener())


def trained(experiment: Experiment, workshop: Workshop, name: str) -> dict[str, bytes]:
    """What a training leaves, byte for byte."""
    folder = make_folder(workshop.options.runs_dir / name)
    train(prepare_trial(experiment, workshop), workshop, folder)
    return {one: (folder.path / one).read_bytes() for one in EQUAL if one != "config.yaml"}


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than these trainings, and show no more than the other files."""
    monkeypatch.setattr("dtrain.plots.curves.curves_figure", lambda *_: Figure())


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop in which the plain experiment has been trained."""
    workshop = workshop_in(tmp_path_factory.mktemp("runs"))
    trained(small(), workshop, "first")
    return workshop


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever a step is traced: what is compiled runs without Python."""
    found, original = list[int](), Engine._take_step

    def counted(self: Engine, *arguments: Any) -> Any:
        found.append(len(found))
        return original(self, *arguments)

    monkeypatch.setattr(Engine, "_take_step", counted)
    return found


def test_another_experiment_is_never_handed_what_was_compiled_for_the_first(tmp_path: Path) -> None:
    first, second = small(), small(activation="tanh", optimizer="adam")
    shared = workshop_in(tmp_path)
    found = [trained(one, shared, name) for name, one in (("1", first), ("2", second), ("3", first))]
    fresh = [trained(one, workshop_in(tmp_path), name) for name, one in (("a", first), ("b", second))]
    assert found == [fresh[0], fresh[1], fresh[0]]
    assert fresh[0] != fresh[1]


@pytest.mark.parametrize("name", RUNTIME)
def test_what_only_runs_through_compiles_nothing_and_gives_what_a_fresh_workshop_gives(
    name: str, used: Workshop, tmp_path: Path, traces: list[int]
) -> None:
    other = small(**RUNTIME[name])
    again = trained(other, used, name)
    assert traces == []
    assert again == trained(other, workshop_in(tmp_path), "fresh")
    assert traces


def test_averages_of_the_weights_begin_anew_too(tmp_path: Path) -> None:
    averaged = {"kind": "adam", "use_ema": True, "ema_momentum": 0.5}
    shared, other = workshop_in(tmp_path), small(optimizer=averaged, seed=9, initializer="glorot_uniform")
    trained(small(optimizer=averaged), shared, "first")
    assert trained(other, shared, "again") == trained(other, workshop_in(tmp_path), "fresh")


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field of an experiment and of its sections."""
    for key, one in value.items() if isinstance(value, dict) else ():
        yield (*path, key)
        yield from paths(one, (*path, key))


def changed(value: Any, path: tuple[str, ...]) -> Any:
    """A copy of a model whose field has a value that no experiment has."""
    name = path[0]
    new = "something else" if len(path) == 1 else changed(getattr(value, name), path[1:])
    return value.model_copy(update={name: new})


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
def test_every_field_is_in_the_fingerprint_but_those_that_are_named(tmp_path: Path) -> None:
    trial = prepare_trial(small(normalization="batch_norm", schedule="one_cycle"), workshop_in(tmp_path))
    experiment, before = trial.experiment, fingerprint(trial.experiment, trial.network, trial.whole)
    left_out = set()
    for path in paths(experiment.model_dump()):
        if fingerprint(changed(experiment, path), trial.network, trial.whole) == before:
            left_out.add(".".join(path))
    named = {key for key, rule in RUNTIME_INPUTS.items() if rule is True}
    named |= {f"{key}.{one}" for key, rule in RUNTIME_INPUTS.items() if rule is not True for one in rule}
    assert {one for one in left_out if not one.startswith(("initializer.", "schedule."))} == named == set(RUNTIME)


def test_other_images_and_another_base_have_other_fingerprints(tmp_path: Path) -> None:
    workshop = workshop_in(tmp_path)
    trial, digits = (prepare_trial(small(dataset=name), workshop) for name in NAMES)
    found = {fingerprint(trial.experiment, trial.network, one.whole) for one in (trial, digits)}
    on_a_base = OwnNetwork(trial.experiment, (28, 28), 10, base_digest="abc")
    found.add(fingerprint(trial.experiment, on_a_base, trial.whole))
    assert len(found) == 3


def test_only_the_last_few_are_kept(tmp_path: Path) -> None:
    workshop = workshop_in(tmp_path)
    trials = [prepare_trial(small(network=[units]), workshop) for units in range(1, KEPT + 2)]
    compiled = [one.compiled(workshop) for one in trials]
    assert [one.compiled(workshop) for one in trials[1:]] == compiled[1:]
    assert trials[0].compiled(workshop) != compiled[0]
    assert trials[1].compiled(workshop) != compiled[1], "which had not been asked for the longest"

"""Going on with a trial from what its folder holds, to what it would have become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from dtrain.experiment.config.differences import differing_settings
from dtrain.experiment.config.loading import dump_experiment, parse_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DivergedError, ResumeError
from dtrain.ground.files import remove_leftovers
from dtrain.runs.checkpoints import KEPT, Checkpoint, Circumstances, load_latest, save
from dtrain.runs.folder import CONFIG, RunFolder
from dtrain.runs.ownership import current_status, locked, true_status
from dtrain.runs.results import RunResult, ended_under, read_result
from dtrain.trials.illness import divergence_explained
from dtrain.trials.observer import RunObserver
from dtrain.trials.recording import epoch_lines
from dtrain.trials.training import train
from dtrain.trials.trial import Trial
from dtrain.trials.workshop import Workshop


def train_cell(trial: Trial, workshop: Workshop, folder: RunFolder, *, allow_drift: bool = False) -> RunResult:
    """Begins with a run folder, goes on with it, or takes its result, whatever there is to do.

    Args:
        trial: What is trained in it.
        workshop: Where.
        folder: The run folder, which may be new.
        allow_drift: Whether to go on where versions, device or data are others than before.

    Raises:
        DivergedError: Training diverges, or did so before.
        ResumeError: It cannot be gone on with.
    """
    with locked(folder):
        status = current_status(folder)
        if status.state == "diverged":
            from dtrain.engine.training import FIXES

            with divergence_explained(trial.experiment, trial.data):
                raise DivergedError(status.reason, hint=FIXES)
        if status.state == "completed":
            _drifts(ended_under(folder), trial.circumstances(workshop), folder, allowed=allow_drift)
            return read_result(folder)
        if not folder.has_config():
            folder.write_config(dump_experiment(trial.experiment))
        if status.state == "created":
            with true_status(folder):
                return train(trial, workshop, folder)
        found = last_sound(folder, workshop.observer)
        if (now := agreed_experiment(folder, found)) != trial.experiment:
            refuse_changed(trial.experiment, now, folder.path / CONFIG)
        start = found and start_from(found, trial, workshop, folder, allow_drift=allow_drift)
        return go_on(trial, workshop, folder, start)


def go_on(trial: Trial, workshop: Workshop, folder: RunFolder, start: Checkpoint | None) -> RunResult:
    """Trains on from a state.

    Args:
        trial: What is trained.
        workshop: Where.
        folder: The run folder, which is `locked`.
        start: The state; None begins with the first step.
    """
    with true_status(folder):
        remove_leftovers(folder.path)
        remove_leftovers(folder.checkpoints_path)
        # both that are kept: the one before the last is needed where the last gets damaged
        for _ in range(KEPT if start and start.circumstances.replaced_config else 0):
            assert start
            save(folder.checkpoints_path, start)
        folder.write_config(dump_experiment(trial.experiment))
        folder.keep_epochs(epoch_lines(start.state, trial.stages) if start else [])
        return train(trial, workshop, folder, start)


def last_sound(folder: RunFolder, observer: RunObserver) -> Checkpoint | None:
    """Returns the last sound checkpoint of a run, or None where it stopped before its first one.

    Args:
        folder: Its folder.
        observer: Told of damaged checkpoints, which are set aside, and where there is none.

    Raises:
        ResumeError: There are only damaged ones.
    """
    found = load_latest(folder.checkpoints_path)
    if found.checkpoint is None and found.lost:
        hint = f"run it again from the beginning: `dtrain run {folder.path / CONFIG}`"
        raise ResumeError("every checkpoint is damaged", where=str(folder.checkpoints_path), hint=hint)
    for step in found.lost:
        assert found.checkpoint
        sound = found.checkpoint.state.step
        lost = f"{step - sound:,} steps are lost" if step is not None else "its steps are lost"
        observer.on_warning(f"a damaged checkpoint was set aside: {lost}; going on from step {sound:,}")
    if found.checkpoint is None:
        observer.on_warning(f"{folder.path} has no checkpoint yet: going on from the first step")
    return found.checkpoint


def start_from(
    found: Checkpoint,
    trial: Trial,
    workshop: Workshop,
    folder: RunFolder,
    before: Experiment | None = None,
    *,
    allow_drift: bool,
) -> Checkpoint:
    """Returns a checkpoint with what the training happens under from there on, if it may.

    Args:
        found: The checkpoint.
        trial: What is trained from there on.
        workshop: Where.
        folder: The run folder.
        before: What was trained up to there, where that is another experiment.
        allow_drift: Whether it may where versions, device or data are others than before.

    Raises:
        ResumeError: They are others.
    """
    earlier, after = found.circumstances, trial.circumstances(workshop)
    drifts = _drifts(earlier.surroundings, after, folder, allowed=allow_drift)
    schedule, training = trial.experiment.schedule, trial.experiment.training
    if before and schedule.best_at_end and training.schedule_epochs is None:
        planned, was = training.epochs, before.training.scheduled_epochs
        drifts.append(f"{schedule.kind} is planned over {planned} epochs, was over {was}")
    step = found.state.step
    workshop.observer.on_phase(f"going on from step {step:,}")
    circumstances = replace(
        after,
        replaced_config=earlier.config if before else "",
        departures=(*earlier.departures, *(f"from step {step:,} on, {one}" for one in drifts)),
        seconds=earlier.seconds,
    )
    return replace(found, circumstances=circumstances)


def _drifts(before: Mapping[str, object], now: Circumstances, folder: RunFolder, *, allowed: bool) -> list[str]:
    """Returns what else is now than before, in words, or refuses it."""
    after = now.surroundings
    drifts = [
        f"{name} is {after.get(name, 'unknown')}, was {was}" for name, was in before.items() if after.get(name) != was
    ]
    if drifts and not allowed:
        hint = "--allow-drift goes on all the same; the result is then not that of a run that never stopped"
        raise ResumeError(f"cannot be gone on with exactly: {'; '.join(drifts)}", where=str(folder.path), hint=hint)
    return drifts


def agreed_experiment(folder: RunFolder, found: Checkpoint | None) -> Experiment:
    """Returns the experiment of a run, on which its file and its checkpoint agree.

    Raises:
        ResumeError: They do not: the file was edited.
    """
    written = folder.read_experiment()
    if found is None:
        return written
    saved = parse_experiment(found.circumstances.config, str(folder.checkpoints_path))
    replaced = found.circumstances.replaced_config
    if written == saved or (replaced and written == parse_experiment(replaced, str(folder.checkpoints_path))):
        return saved
    refuse_changed(saved, written, folder.path / CONFIG)


def refuse_changed(saved: Experiment, written: Experiment, path: Path) -> NoReturn:
    """Refuses a file that was edited, and says what is another than it was.

    Args:
        saved: What was trained.
        written: What the file says now.
        path: The file.
    """
    settings = zip(differing_settings((saved, written)), (saved, written), strict=True)
    before, now = (one | {"seed": experiment.seed} for one, experiment in settings)
    changed = "; ".join(
        f"{key} is {now.get(key, 'gone')}, was {before.get(key, 'not there')}"
        for key in before | now
        if now.get(key) != before.get(key)
    )
    hint = f"undo that, or run the changed file as a new run: `dtrain run {path}`; more epochs alone: --epochs"
    raise ResumeError(f"was changed since the run began: {changed}", where=str(path), hint=hint)

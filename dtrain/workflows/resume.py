"""`dtrain resume`: go on with a run from its last sound state to the same result, or train it for longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dtrain.engine.state import Patience
from dtrain.experiment.config.loading import dump_experiment, load_advised, parse_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ResumeError, UsageError
from dtrain.runs.catalogue import find_run
from dtrain.runs.checkpoints import Checkpoint
from dtrain.runs.folder import CONFIG, RunFolder, list_runs
from dtrain.runs.ownership import Status, current_status, locked, true_status
from dtrain.runs.results import RunResult, SeedsResult, planned_seeds, read_result, shared_seconds, summarise_seeds
from dtrain.runs.status import TRAINED
from dtrain.studies.transfer_report import TransferReport, read_report
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.trials.resuming import agreed_experiment, go_on, last_sound, refuse_changed, start_from
from dtrain.trials.trial import prepare_trial
from dtrain.trials.workshop import Workshop
from dtrain.workflows.run import can_be_resumed, train_seeds
from dtrain.workflows.transfer import go_on_with_transfer


@dataclass(frozen=True)
class ResumeRequest:
    """What to go on with, and how.

    Args:
        run: Name or path of the run; None for the latest.
        epochs: Train until so many epochs, more than planned before; None for as many as planned.
        schedule: For a schedule that is planned over the whole training: hold its last rate in the epochs that are
            added, or plan it anew over all of them.
        allow_drift: Whether to go on where versions, device or data are others than before.
    """

    run: str | None = None
    epochs: int | None = None
    schedule: Literal["hold", "replan"] | None = None
    allow_drift: bool = False


def resume(
    request: ResumeRequest, options: RunOptions, observer: RunObserver
) -> RunResult | SeedsResult | TransferReport:
    """Goes on with a run.

    On the same machine the result is that of a run that never stopped, bit by bit.

    Args:
        request: What to go on with, and how.
        options: Folder of all runs, device and data folder; its names do not count.
        observer: Shown how the run goes on.

    Raises:
        ResumeError: The run cannot be gone on with; nothing of it is changed, but that damaged checkpoints are renamed.
        RunConflictError: Another process trains it.
        DtrainError: Data or environment do not allow it, or training diverged.
    """
    folder = find_run(options.runs_dir, request.run, (*TRAINED, "transfer"))
    kind = folder.kind()
    # under our own lock a dead owner would look alive
    status = current_status(folder)
    with locked(folder):
        work = _Work(request, options, observer)
        if kind == "transfer":
            return work.go_on_with_transfer(folder, status)
        return work.go_on_with_seeds(folder, status) if kind == "seeds" else work.go_on(folder, status)


@dataclass
class _Work:
    request: ResumeRequest
    options: RunOptions
    observer: RunObserver

    def go_on(self, folder: RunFolder, status: Status) -> RunResult:
        """Goes on with the run of one seed."""
        if done := self._nothing_to_do(folder, status):
            self.observer.on_warning(done)
            return read_result(folder)
        found = last_sound(folder, self.observer)
        now = agreed_experiment(folder, found)
        _refuse_part(now, folder, folder.path.parent.parent)
        target = _longer(now, self.request, completed=status.state == "completed")
        workshop = self._workshop(target)
        trial = prepare_trial(target, workshop)
        before = None if target == now else now
        drift = self.request.allow_drift
        start = found and start_from(found, trial, workshop, folder, before, allow_drift=drift)
        if before and start:
            _refuse_futile(start, target, folder)
        if before and target.schedule.best_at_end and target.training.schedule_epochs is not None:
            held = f"{target.schedule.kind} holds its last rate, the lowest, in the epochs that are added"
            self.observer.on_warning(f"{held}: they change little; --schedule replan trains on at higher rates")
        with can_be_resumed(folder, self.options):
            return go_on(trial, workshop, folder, start)

    def go_on_with_seeds(self, parent: RunFolder, status: Status) -> SeedsResult:
        """Goes on with every seed that has not ended."""
        if self.request.epochs is not None:
            hint = f"one seed can be: `dtrain resume {parent.path}/seed-... --epochs {self.request.epochs}`"
            raise UsageError("got a run of several seeds, which is not made longer", where="--epochs", hint=hint)
        whole, seeds = parent.read_experiment(), planned_seeds(parent)
        if seeds is None:
            _refuse_part(whole, parent, parent.path.parent)
            hint = f"begin again: `dtrain run {parent.path / CONFIG} --seeds ...`"
            raise ResumeError("does not say how many seeds it is to have", where=str(parent.path), hint=hint)
        _check_seeds(parent, _with_seeds(whole, seeds))
        if done := self._nothing_to_do(parent, status):
            self.observer.on_warning(done)
            ended = [one for one in parent.seed_folders() if current_status(one).state == "completed"]
            result = summarise_seeds(parent.path, tuple(map(read_result, ended)), seeds - len(ended))
            return replace(result, seconds=shared_seconds(parent))
        _refuse_part(whole, parent, parent.path.parent)
        workshop = self._workshop(whole)
        first = prepare_trial(whole, workshop)
        with can_be_resumed(parent, self.options), true_status(parent, seeds=seeds):
            return train_seeds(first, seeds, workshop, parent, allow_drift=self.request.allow_drift)

    def go_on_with_transfer(self, folder: RunFolder, status: Status) -> TransferReport:
        """Goes on with every training of a transfer experiment that has not ended."""
        if self.request.epochs is not None:
            hint = "begin one with more of transfer.frozen_epochs or transfer.unfrozen_epochs: `dtrain transfer`"
            raise UsageError("got a transfer experiment, which is not made longer", where="--epochs", hint=hint)
        if done := self._nothing_to_do(folder, status):
            self.observer.on_warning(done)
            return read_report(folder)
        whole = folder.read_experiment()
        for arm in list_runs(folder.path):
            _check_seeds(arm, _with_seeds(whole, planned_seeds(arm) or 0))
        drift = self.request.allow_drift
        return go_on_with_transfer(whole, folder, self.options, self.observer, allow_drift=drift)

    def _workshop(self, experiment: Experiment) -> Workshop:
        """Returns a workshop that gives the results the advice that those of a new run have."""
        return Workshop(replace(self.options, advice=load_advised(experiment)[1]), self.observer)

    def _nothing_to_do(self, folder: RunFolder, status: Status) -> str:
        kind = folder.kind()
        if status.state == "diverged":
            again = f"dtrain run {folder.path / CONFIG} optimizer.learning_rate=..."
            if kind == "transfer":
                again = f"dtrain transfer --base ... {folder.path / CONFIG} transfer.frozen_learning_rate=..."
            hint = f"start a new run with a change: `{again}`"
            raise ResumeError(f"diverged, and would again: {status.reason}", where=str(folder.path), hint=hint)
        if status.state == "died":
            owner = f"process {status.pid} on {status.host}"
            self.observer.on_warning(f"{owner} died; it was last heard of {status.heartbeat_age:,.0f} s ago")
        if status.state != "completed" or self.request.epochs is not None:
            return ""
        longer = "; `--epochs N` would train it for longer" if kind == "run" else ""
        return f"{folder.path} is completed: there is nothing to do{longer}"


def _refuse_part(experiment: Experiment, folder: RunFolder, whole: Path) -> None:
    if experiment.transfer:
        hint = f"go on with all of it: `dtrain resume {whole}`"
        raise ResumeError("is a part of a transfer experiment", where=str(folder.path), hint=hint)


def _with_seeds(first: Experiment, seeds: int) -> list[Experiment]:
    return [first.model_copy(update={"seed": first.seed + number}) for number in range(seeds)]


def _check_seeds(parent: RunFolder, experiments: Sequence[Experiment]) -> None:
    """Refuses seeds that are not of the experiment of the folder that they are in."""
    expected = {f"seed-{one.seed}": one for one in experiments}
    for folder in parent.seed_folders():
        one = expected.get(folder.path.name)
        if one is None:
            message = f"holds {folder.path.name}; expected {', '.join(expected)}, as its config.yaml says"
            raise ResumeError(message, where=str(parent.path), hint="undo what was changed in config.yaml")
        if folder.has_config() and (found := folder.read_experiment()) != one:
            refuse_changed(found, one, parent.path / CONFIG)


def _longer(now: Experiment, request: ResumeRequest, *, completed: bool) -> Experiment:
    """Returns the experiment with as many epochs as asked for, its schedule held or planned anew."""
    if request.epochs is None:
        if request.schedule:
            raise UsageError("got no --epochs; expected how long to train", where="--schedule")
        return now
    training = now.training
    if request.epochs == training.epochs and not completed:
        # asked for again, after an interruption
        return now
    if request.epochs <= training.epochs:
        message = f"got {request.epochs}; expected more than the {training.epochs} epochs of the run"
        raise UsageError(message, where="--epochs")
    scheduled = _scheduled_epochs(now, request)
    changes = [f"training.epochs={request.epochs}", f"training.schedule_epochs={scheduled or 'null'}"]
    stopping = training.early_stopping
    if now.schedule.best_at_end and stopping and stopping.patience == training.epochs:
        # nobody asks for a patience of the whole training: it was filled in, and is again
        changes.append(f"training.early_stopping.patience={request.epochs}")
    return parse_experiment(dump_experiment(now), "--epochs", changes)


def _scheduled_epochs(now: Experiment, request: ResumeRequest) -> int | None:
    """Returns over how many epochs the schedule of a longer training is planned; None for all."""
    training, kind = now.training, now.schedule.kind
    scheduled = training.schedule_epochs
    if now.schedule.best_at_end:
        if request.schedule is None and scheduled is None:
            message = f"is missing; {kind} was planned over {training.epochs} epochs"
            hint = (
                "hold keeps its last rate, the lowest, in the epochs that are added; replan jumps to where a "
                "training of so many epochs would be"
            )
            raise UsageError(message, where="--schedule", hint=hint)
        if request.schedule:
            scheduled = training.scheduled_epochs if request.schedule == "hold" else None
    elif request.schedule:
        message = f"got {request.schedule!r}; {kind} does not depend on how long the training is"
        raise UsageError(message, where="--schedule", hint="leave --schedule out")
    return scheduled


def _refuse_futile(start: Checkpoint, target: Experiment, folder: RunFolder) -> None:
    rule, ended = target.training.early_stopping, len(start.state.epochs)
    if Patience(rule, start.state.best, start.state.best_epoch).ends_after(ended):
        assert rule
        message = f"stopped early after epoch {ended}: nothing better came in {rule.patience} epochs, so none is added"
        hint = "run it anew with a larger training.early_stopping.patience"
        raise ResumeError(message, where=str(folder.path), hint=hint)

"""`dtrain resume`: go on with a run from its last sound state to the same result, or train it for longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NoReturn

from dtrain.engine.state import Patience
from dtrain.experiment.config.differences import differing_settings
from dtrain.experiment.config.loading import dump_experiment, parse_experiment
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import DivergedError, ResumeError, UsageError
from dtrain.ground.files import remove_leftovers
from dtrain.runs.catalogue import find_run
from dtrain.runs.checkpoints import KEPT, Checkpoint, Circumstances, load_latest, save
from dtrain.runs.folder import CONFIG, RunFolder
from dtrain.runs.ownership import Status, current_status, locked, true_status
from dtrain.runs.results import RunResult, SeedsResult, planned_seeds, read_result, summarise_seeds
from dtrain.trials.observer import RunObserver
from dtrain.trials.request import RunOptions
from dtrain.trials.workshop import Session
from dtrain.workflows.run import can_be_resumed, train_new, train_seeds


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


def resume(request: ResumeRequest, options: RunOptions, observer: RunObserver) -> RunResult | SeedsResult:
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
    folder = find_run(options.runs_dir, request.run)
    # under our own lock a dead owner would look alive
    status = current_status(folder)
    with locked(folder):
        work = _Work(request, options, observer)
        seeds = planned_seeds(folder)
        return work.go_on(folder, status) if seeds is None else work.go_on_with_seeds(folder, seeds, status)


@dataclass
class _Work:
    request: ResumeRequest
    options: RunOptions
    observer: RunObserver
    session: Session | None = None

    def go_on(self, folder: RunFolder, status: Status) -> RunResult:
        """Goes on with the run of one seed."""
        if done := self._nothing_to_do(folder, status):
            self.observer.on_warning(done)
            return read_result(folder)
        found = self._found(folder)
        now = _agreed(folder, found)
        return self._train(folder, found, now, _longer(now, self.request, completed=status.state == "completed"))

    def go_on_with_seeds(self, parent: RunFolder, seeds: int, status: Status) -> SeedsResult:
        """Goes on with every seed that has not ended."""
        if self.request.epochs is not None:
            hint = f"one seed can be: `dtrain resume {parent.path}/seed-... --epochs {self.request.epochs}`"
            raise UsageError("got a run of several seeds, which is not made longer", where="--epochs", hint=hint)
        whole = parse_experiment(parent.read_config(), str(parent.path / CONFIG))
        experiments = [whole.model_copy(update={"seed": seed}) for seed in range(whole.seed, whole.seed + seeds)]
        _check_seeds(parent, experiments)
        if done := self._nothing_to_do(parent, status):
            self.observer.on_warning(done)
            ended = [one for one in parent.seed_folders() if current_status(one).state == "completed"]
            return summarise_seeds(parent.path, tuple(map(read_result, ended)), seeds - len(ended))
        session = self._session(whole)
        with can_be_resumed(parent, self.options), true_status(parent, seeds=seeds):
            return train_seeds(parent, experiments, lambda one: self._seed(session, parent, one), self.observer)

    def _seed(self, session: Session, parent: RunFolder, experiment: Experiment) -> RunResult:
        """Begins with a seed, goes on with it, or takes its result."""
        path = parent.path / f"seed-{experiment.seed}"
        if not path.exists():
            return train_new(session, experiment, parent.seed_folder(experiment.seed))
        folder = RunFolder(path)
        if not folder.has_config():
            folder.write_config(dump_experiment(experiment))
        with locked(folder):
            status = current_status(folder)
            if status.state == "diverged":
                raise DivergedError(status.reason)
            if status.state == "completed":
                return read_result(folder)
            found = self._found(folder)
            return self._train(folder, found, _agreed(folder, found), experiment)

    def _nothing_to_do(self, folder: RunFolder, status: Status) -> str:
        if status.state == "diverged":
            hint = f"start a new run with a change: `dtrain run {folder.path / CONFIG} optimizer.learning_rate=...`"
            raise ResumeError(f"diverged, and would again: {status.reason}", where=str(folder.path), hint=hint)
        if status.state == "died":
            owner = f"process {status.pid} on {status.host}"
            self.observer.on_warning(f"{owner} died; it was last heard of {status.heartbeat_age:,.0f} s ago")
        if status.state != "completed" or self.request.epochs is not None:
            return ""
        return f"{folder.path} is completed: there is nothing to do; `--epochs N` would train it for longer"

    def _found(self, folder: RunFolder) -> Checkpoint | None:
        """Returns the last sound checkpoint, or None where the run stopped before its first one."""
        found = load_latest(folder.checkpoints_path)
        if found.checkpoint is None and found.lost:
            hint = f"run it again from the beginning: `dtrain run {folder.path / CONFIG}`"
            raise ResumeError("every checkpoint is damaged", where=str(folder.checkpoints_path), hint=hint)
        for step in found.lost:
            assert found.checkpoint
            sound = found.checkpoint.state.step
            lost = f"{step - sound:,} steps are lost" if step is not None else "its steps are lost"
            self.observer.on_warning(f"a damaged checkpoint was set aside: {lost}; going on from step {sound:,}")
        if found.checkpoint is None:
            self.observer.on_warning(f"{folder.path} has no checkpoint yet: going on from the first step")
        return found.checkpoint

    def _train(self, folder: RunFolder, found: Checkpoint | None, now: Experiment, target: Experiment) -> RunResult:
        session = self._session(target)
        start = found and replace(found, circumstances=self._circumstances(session, found, now, target, folder))
        _refuse_futile(start, now, target, folder)
        if start:
            self.observer.on_phase(f"going on from step {start.state.step:,}")
        if target != now and target.schedule.best_at_end and target.training.schedule_epochs is not None:
            held = f"{target.schedule.kind} holds its last rate, the lowest, in the epochs that are added"
            self.observer.on_warning(f"{held}: they change little; --schedule replan trains on at higher rates")
        with can_be_resumed(folder, self.options), true_status(folder):
            remove_leftovers(folder.path)
            remove_leftovers(folder.checkpoints_path)
            # both that are kept: the one before the last is needed where the last gets damaged
            for _ in range(KEPT if start and target != now else 0):
                assert start
                save(folder.checkpoints_path, start)
            folder.write_config(dump_experiment(target))
            folder.keep_epochs([asdict(one) for one in start.state.epochs] if start else [])
            return session.train(target, folder, start)

    def _session(self, target: Experiment) -> Session:
        if self.session is None:
            self.session = Session(target, self.options, self.observer)
        return self.session

    def _circumstances(
        self, session: Session, found: Checkpoint, now: Experiment, target: Experiment, folder: RunFolder
    ) -> Circumstances:
        """Returns what the training happens under from here on, if it may."""
        before, after = found.circumstances, session.circumstances(target)
        drifts = [
            f"{name} is {after.surroundings.get(name, 'unknown')}, was {value}"
            for name, value in before.surroundings.items()
            if after.surroundings.get(name) != value
        ]
        if drifts and not self.request.allow_drift:
            hint = "--allow-drift goes on all the same; the result is then not that of a run that never stopped"
            raise ResumeError(f"cannot be gone on with exactly: {'; '.join(drifts)}", where=str(folder.path), hint=hint)
        if target != now and target.schedule.best_at_end and target.training.schedule_epochs is None:
            planned, was = target.training.epochs, now.training.scheduled_epochs
            drifts.append(f"{target.schedule.kind} is planned over {planned} epochs, was over {was}")
        step = found.state.step
        return replace(
            after,
            replaced_config=before.config if target != now else "",
            departures=(*before.departures, *(f"from step {step:,} on, {one}" for one in drifts)),
            seconds=before.seconds,
        )


def _agreed(folder: RunFolder, found: Checkpoint | None) -> Experiment:
    """Returns the experiment of a run, on which its file and its checkpoint agree."""
    path = folder.path / CONFIG
    written = parse_experiment(folder.read_config(), str(path))
    if found is None:
        return written
    saved = parse_experiment(found.circumstances.config, str(folder.checkpoints_path))
    replaced = found.circumstances.replaced_config
    if written == saved or (replaced and written == parse_experiment(replaced, str(folder.checkpoints_path))):
        return saved
    _refuse_changed(saved, written, path)


def _check_seeds(parent: RunFolder, experiments: Sequence[Experiment]) -> None:
    """Refuses seeds that are not of the experiment of the folder that they are in."""
    expected = {f"seed-{one.seed}": one for one in experiments}
    for folder in parent.seed_folders():
        path, one = folder.path / CONFIG, expected.get(folder.path.name)
        if one is None:
            message = f"holds {folder.path.name}; expected {', '.join(expected)}, as its config.yaml says"
            raise ResumeError(message, where=str(parent.path), hint="undo what was changed in config.yaml")
        if folder.has_config():
            found = parse_experiment(folder.read_config(), str(path))
            if found != one:
                _refuse_changed(found, one, parent.path / CONFIG)


def _refuse_changed(saved: Experiment, written: Experiment, path: Path) -> NoReturn:
    before, now = (settings | {"seed": one.seed} for settings, one in _settings_of(saved, written))
    changed = "; ".join(
        f"{key} is {now.get(key, 'gone')}, was {before.get(key, 'not there')}"
        for key in before | now
        if now.get(key) != before.get(key)
    )
    hint = f"undo that, or run the changed file as a new run: `dtrain run {path}`; more epochs alone: --epochs"
    raise ResumeError(f"was changed since the run began: {changed}", where=str(path), hint=hint)


def _settings_of(*experiments: Experiment) -> Iterator[tuple[dict[str, object], Experiment]]:
    return zip(differing_settings(experiments), experiments, strict=True)


def _longer(now: Experiment, request: ResumeRequest, *, completed: bool) -> Experiment:
    """Returns the experiment with as many epochs as asked for, its schedule held or planned anew."""
    if request.epochs is None:
        if request.schedule:
            raise UsageError("got no --epochs; expected how long to train", where="--schedule")
        return now
    training, kind = now.training, now.schedule.kind
    if request.epochs == training.epochs and not completed:
        # asked for again, after an interruption
        return now
    if request.epochs <= training.epochs:
        message = f"got {request.epochs}; expected more than the {training.epochs} epochs of the run"
        raise UsageError(message, where="--epochs")
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
    changes = [f"training.epochs={request.epochs}", f"training.schedule_epochs={scheduled or 'null'}"]
    stopping = training.early_stopping
    if now.schedule.best_at_end and stopping and stopping.patience == training.epochs:
        # nobody asks for a patience of the whole training: it was filled in, and is again
        changes.append(f"training.early_stopping.patience={request.epochs}")
    return parse_experiment(dump_experiment(now), "--epochs", changes)


def _refuse_futile(start: Checkpoint | None, now: Experiment, target: Experiment, folder: RunFolder) -> None:
    if start is None or target == now:
        return
    rule, ended = target.training.early_stopping, len(start.state.epochs)
    if Patience(rule, start.state.best, start.state.best_epoch).ends_after(ended):
        assert rule
        message = f"stopped early after epoch {ended}: nothing better came in {rule.patience} epochs, so none is added"
        hint = "run it anew with a larger training.early_stopping.patience"
        raise ResumeError(message, where=str(folder.path), hint=hint)

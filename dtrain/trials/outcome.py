"""What becomes of a trial that is trained: its model, predictions and results, in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from dtrain.experiment.draft import EarlyStopping
from dtrain.ground.files import replace_file
from dtrain.reuse.recorded import WEIGHTS, weights_digest
from dtrain.runs.folder import RunFolder
from dtrain.runs.results import REUSE, RunResult, split_result
from dtrain.trials.dropout_advice import dropout_advice
from dtrain.trials.illness import diagnosis, parts_apart
from dtrain.trials.trial import Trial

if TYPE_CHECKING:
    import keras

    from dtrain.engine.evaluation import Evaluation
    from dtrain.engine.state import History


@dataclass(frozen=True, eq=False)
class Outcome:
    """A trial that is trained.

    Args:
        trial: What was trained.
        folder: Its folder.
        model: The model, at its final weights.
        history: What was measured.
        evaluations: What the model says of ``train``, ``validation`` and ``test``.
    """

    trial: Trial
    folder: RunFolder
    model: keras.Model
    history: History
    evaluations: Mapping[str, Evaluation]

    @property
    def models(self) -> RunFolder | None:
        """Where the model goes."""
        return self.trial.models if self.trial.reuse else self.folder

    @property
    def warning(self) -> str:
        """What to know before believing the results: parts that do not belong together, else what went wrong.

        It is empty where nothing did, or where a control came to nothing, which may well do so.
        """
        found, trial = self.evaluations, self.trial
        apart = parts_apart(found["validation"], found["test"])
        if apart or trial.reuse:
            return apart
        return diagnosis(trial.experiment, trial.data, self.history.steps["loss"], found)

    def save(self) -> str:
        """Writes predictions and model, of stock Keras layers, none of them frozen; returns the digest of its weights.

        It is empty where the model goes nowhere.
        """
        from dtrain.engine.model import stock_model
        from dtrain.engine.saving import save_model

        self.folder.write_predictions(self.evaluations["test"].probabilities, self.evaluations["test"].labels)
        if self.models is None:
            return ""
        # the next stage freezes again what it must
        self.model.trainable = True
        model = stock_model(self.model)
        for suffix in self.trial.experiment.training.save:
            with replace_file(self.models.model_path(suffix)) as path:
                save_model(model, path)
        return weights_digest(model)

    def result(self, seconds: dict[str, float]) -> RunResult:
        """Returns the results.

        Args:
            seconds: Duration of each phase.
        """
        experiment, history = self.trial.experiment, self.history
        splits = {name: split_result(one) for name, one in self.evaluations.items()}
        trained = np.diff([*history.began, len(history.epochs)])
        sound = not (self.trial.reuse or self.warning)
        return RunResult(
            folder=self.folder.path,
            seed=experiment.seed,
            best_epoch=history.best_epoch,
            epochs=len(history.epochs),
            parameters=self.model.count_params(),
            train=splits["train"],
            validation=splits["validation"],
            test=splits["test"],
            seconds=seconds,
            engine=experiment.training.engine,
            stopped_early=any(few < stage.epochs for few, stage in zip(trained, self.trial.stages, strict=True)),
            saved=() if self.trial.reuse else experiment.training.save,
            monitor=(experiment.training.early_stopping or EarlyStopping()).monitor,
            suggestion=dropout_advice(experiment, splits["train"], splits["validation"]) if sound else None,
        )

    def summarise(self, result: RunResult, versions: Mapping[str, str], weights: str) -> None:
        """Writes the results, which are the last of all that is written.

        Args:
            result: The results.
            versions: Of what they depend on.
            weights: What `save` returned.
        """
        summary = asdict(result) | {"dataset_digest": self.trial.whole.digest, "versions": versions}
        del summary["folder"]
        # arms of one experiment are equal, so that nothing else in the folder tells them apart
        arm = {REUSE: asdict(self.trial.reuse)} if self.trial.reuse else {}
        self.folder.write_summary(summary | arm | ({WEIGHTS: weights} if weights else {}))

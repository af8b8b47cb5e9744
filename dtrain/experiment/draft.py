"""What an experiment file may say, section by section, and the lesson's default for every key that it leaves out."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dtrain.experiment.dataset import Dataset
from dtrain.experiment.techniques.activations import INITIALIZERS, Activation
from dtrain.experiment.techniques.initializers import Initializer
from dtrain.experiment.techniques.networks import Network
from dtrain.experiment.techniques.normalizations import Normalization
from dtrain.experiment.techniques.optimizers import Optimizer
from dtrain.experiment.techniques.regularizers import Regularizer
from dtrain.experiment.techniques.schedules import BEST_AT_END, Schedule
from dtrain.experiment.techniques.technique import Contradiction, NonNegative, Section, Size
from dtrain.experiment.transfer import Transfer

DEEP = 5
"""Hidden layers from which the default table adds batch normalization, which gains little in shallow nets."""
LARGEST_SEED = 2**32 - 1


class EarlyStopping(Section):
    """Stops when the monitored value has not improved for `patience` epochs, with Keras's field names."""

    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    patience: Size = 10
    min_delta: NonNegative = 0.0
    restore_best_weights: bool = Field(default=True, description="also when training ends normally")


class Training(Section):
    """How long, in what batches, and what to keep."""

    epochs: Size = 20
    batch_size: Size = 32
    early_stopping: EarlyStopping | None = None
    class_weight: Literal["balanced"] | None = Field(
        default=None, description="balanced: in the loss, all classes weigh alike, however many images each has"
    )
    save: Annotated[tuple[Literal["keras", "h5"], ...], Field(strict=False)] = ("keras",)
    engine: Literal["auto", "xla", "graph"] = Field(
        default="auto", description="the compiler of the epoch; auto follows a fixed rule on model and device"
    )
    schedule_epochs: Size | None = Field(
        default=None, description="plan the schedule over these epochs and hold its last rate from then on; null: all"
    )

    measures: Literal["layers"] | None = Field(
        default=None, description="what else to measure: layers writes layers.npz; null: nothing"
    )

    @model_validator(mode="after")
    def _schedule_ends_in_time(self) -> Self:
        if self.scheduled_epochs > self.epochs:
            message = f"got {self.schedule_epochs}; expected at most epochs ({self.epochs})"
            raise Contradiction(("schedule_epochs",), message)
        return self

    @property
    def scheduled_epochs(self) -> int:
        """Epochs that the schedule is planned over."""
        return self.schedule_epochs or self.epochs


def _to_tuple(value: object) -> object:
    return (value,) if isinstance(value, str | dict) else value


Regularizers = Annotated[tuple[Regularizer, ...], Field(strict=False), BeforeValidator(_to_tuple)]


def _name_to_dataset(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _kind(value: object) -> str | None:
    """The kind that a family's entry names, however it is written; what names none is left to its own check."""
    named = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", value)
    return named if isinstance(named, str) else None


def _is_deep(network: object) -> bool:
    """Whether a network, as written in a file, is deep; a malformed one is left to its own check."""
    if isinstance(network, list | tuple):
        return len(network) >= DEEP
    if not isinstance(network, dict):
        return False
    depth = network.get("depth", 0)
    lists = [network.get(key) for key in ("filters", "hidden")]
    listed = sum(len(one) for one in lists if isinstance(one, list | tuple))
    return max(listed, depth if isinstance(depth, int) else 0) >= DEEP


def default_table(written: dict[str, Any]) -> dict[str, Any]:
    """Returns the lesson's advice for every key that a file leaves out.

    The default table is He, ELU, batch normalization if deep, early stopping, l2, Nesterov momentum and 1cycle. With
    SELU it is the self-normalising table: LeCun, no normalization, alpha dropout, standardised inputs, smaller steps.
    Other activations bring the first weights that are paired with them. Fixup takes the place of the normalization.

    Args:
        written: What the file says, by key.
    """
    activation = _kind(written.get("activation")) or "elu"
    self_normalising = activation == "selu"
    network = written.get("network")
    fixup = isinstance(network, dict) and network.get("fixup") is True
    normalized = _is_deep(network) and not self_normalising and not fixup
    rate = 0.005 if self_normalising else 0.02
    dropout, penalty = {"kind": "alpha_dropout", "rate": 0.1, "layers": "last"}, {"kind": "l2", "factor": 1e-4}
    return {
        "dataset": {},
        "network": (300, 100),
        "initializer": INITIALIZERS.get(activation, "he_normal"),
        "activation": "elu",
        "normalization": "batch_norm" if normalized else "none",
        "optimizer": {"kind": "sgd", "learning_rate": rate, "momentum": 0.9, "nesterov": True},
        "schedule": "one_cycle",
        "regularizer": (dropout if self_normalising else penalty,),
        "training": {},
        "seed": 42,
    }


def _fill_in_patience(schedule: object, training: dict[str, Any]) -> dict[str, Any]:
    """Where a schedule is best at its end, early stopping only picks the best epoch, unless a file gives a patience."""
    stopping, epochs = training.get("early_stopping", {}), training.get("epochs", Training().epochs)
    # what is no number of epochs is left to its own check
    planned = _kind(schedule) in BEST_AT_END and type(epochs) is int and epochs > 0
    if not isinstance(stopping, dict) or not planned:
        return {"early_stopping": stopping} | training
    return training | {"early_stopping": {"patience": epochs} | stopping}


class Draft(Section):
    """Data, network, techniques, training and seed, each right in itself; `Experiment` is one that fits together."""

    dataset: Annotated[Dataset, BeforeValidator(_name_to_dataset)]
    network: Network
    initializer: Initializer
    activation: Activation
    normalization: Normalization
    optimizer: Optimizer
    schedule: Schedule
    regularizer: Regularizers
    training: Training
    transfer: Transfer | None = None
    seed: int = Field(ge=0, le=LARGEST_SEED, description="first weights, order of the images and noise follow from it")

    @model_validator(mode="before")
    @classmethod
    def _fill_in_defaults(cls, written: object) -> object:
        if not isinstance(written, dict):
            return written
        filled = default_table(written) | written
        training, dataset = filled["training"], _name_to_dataset(filled["dataset"])
        if isinstance(training, dict):
            filled["training"] = _fill_in_patience(filled["schedule"], training)
        if isinstance(dataset, dict) and _kind(filled["activation"]) == "selu":
            filled["dataset"] = {"scaling": "standardize"} | dataset
        return filled

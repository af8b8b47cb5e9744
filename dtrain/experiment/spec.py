"""What an experiment file may say: the pydantic models that every experiment is checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dtrain.experiment.techniques.activations import INITIALIZERS, Activation
from dtrain.experiment.techniques.combinations import input_contradictions, technique_contradictions
from dtrain.experiment.techniques.initializers import Initializer
from dtrain.experiment.techniques.networks import Network
from dtrain.experiment.techniques.normalizations import BatchNorm, Normalization
from dtrain.experiment.techniques.optimizers import Optimizer
from dtrain.experiment.techniques.regularizers import Regularizer
from dtrain.experiment.techniques.schedules import BEST_AT_END, Schedule
from dtrain.experiment.techniques.technique import Contradiction, Contradictions, NonNegative, Section, Size
from dtrain.experiment.transfer import Transfer

DEEP = 5
"""Hidden layers from which the default table adds batch normalization, which gains little in shallow nets."""
MAXIMUM_PARAMETERS = 100_000_000
"""In training they take 1.6 GB."""
TRAINING_BYTES_PER_PARAMETER = 16
"""The weight, its gradient and two optimizer slots, as 32-bit floats."""

LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class NamedDataset:
    """The sizes of a data set that is known by name, so that a file can be checked without loading it."""

    train: int
    test: int
    validation: int
    classes: int = 10
    image_shape: tuple[int, ...] = (28, 28)


NAMED_DATASETS: dict[str, NamedDataset] = {
    "mnist": NamedDataset(train=60_000, test=10_000, validation=5_000),
    "fashion_mnist": NamedDataset(train=60_000, test=10_000, validation=5_000),
    "mnist_sample": NamedDataset(train=10_000, test=2_000, validation=1_000),
    "fashion_mnist_sample": NamedDataset(train=10_000, test=2_000, validation=1_000),
}


class Dataset(Section):
    """Which images to train on, and how they are split and scaled."""

    name: str = Field(
        default="fashion_mnist_sample",
        min_length=1,
        description="a known data set, a folder of four IDX files, or a .npz file",
    )
    validation: int | None = Field(default=None, gt=0, description="images held out of the training set")
    train_limit: int | None = Field(default=None, gt=0, description="train on the first N images only")
    classes: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=2)] | None = Field(
        default=None, description="keep these classes, relabelled 0, 1, ... in this order"
    )
    scaling: Literal["unit", "standardize", "none"] = Field(
        default="unit", description="to [0, 1]; to mean 0 and deviation 1 of each pixel; or as they are"
    )


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
    save: Annotated[tuple[Literal["keras", "h5"], ...], Field(strict=False)] = ("keras",)
    engine: Literal["auto", "xla", "graph"] = Field(
        default="auto", description="the compiler of the epoch; auto follows a fixed rule on model and device"
    )
    schedule_epochs: Size | None = Field(
        default=None, description="plan the schedule over these epochs and hold its last rate from then on; null: all"
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


class Experiment(Section):
    """One experiment: data, network, techniques, training and seed."""

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

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        found = [
            *technique_contradictions(self),
            *_size_contradictions(self),
        ]
        if found:
            raise Contradictions(found)
        return self

    def notices(self) -> tuple[str, ...]:
        """Returns what a user should know about the combination, beside any error."""
        said = []
        optimizer, normalization = self.optimizer, self.normalization
        if self.schedule.cycles_momentum and optimizer.cycled_momentum is None:
            said.append(
                f"schedule {self.schedule.kind}: {optimizer.kind} has no momentum to cycle here; only the rate moves"
            )
        if optimizer.kind == "muon" and self.network.kind == "conv":
            said.append("optimizer muon: its Adam trains the convolutions; Muon takes the kernels of dense layers")
        if optimizer.use_ema and isinstance(normalization, BatchNorm) and normalization.final_statistics == "moving":
            said.append(
                "optimizer.use_ema: batch norm's moving statistics are not of the averaged weights; "
                "normalization.final_statistics=full_pass measures them again at the end"
            )
        return tuple(said)


def _size_contradictions(experiment: Experiment) -> list[Contradiction]:
    known = NAMED_DATASETS.get(experiment.dataset.name)
    if known is None:
        return []
    found = _dataset_contradictions(experiment.dataset, known)
    if found:
        return found
    classes = len(experiment.dataset.classes or range(known.classes))
    return fit_contradictions(
        experiment,
        train=_known_training_images(experiment.dataset, known),
        image_shape=known.image_shape,
        classes=classes,
    )


def _dataset_contradictions(dataset: Dataset, known: NamedDataset) -> list[Contradiction]:
    """What is wrong with the split of a data set whose sizes are known without reading it."""
    found = []
    for place, label in enumerate(dataset.classes or ()):
        if label >= known.classes:
            message = f"got class {label}; expected 0 to {known.classes - 1}"
            found.append(Contradiction(("dataset", "classes", place), message))
        elif label in (dataset.classes or ())[:place]:
            found.append(Contradiction(("dataset", "classes", place), f"got class {label} twice"))
    validation = dataset.validation or known.validation
    if validation >= known.train:
        message = f"got {validation}; expected fewer than the {known.train:,} training images of {dataset.name}"
        return [*found, Contradiction(("dataset", "validation"), message)]
    left = known.train - validation
    if dataset.train_limit and dataset.train_limit > left:
        message = (
            f"got {dataset.train_limit}; expected at most {left}: {known.train:,} less {validation:,} for validation"
        )
        found.append(Contradiction(("dataset", "train_limit"), message))
    return found


def _known_training_images(dataset: Dataset, known: NamedDataset) -> int:
    images = known.train - (dataset.validation or known.validation)
    return min(images, dataset.train_limit or images)


def fit_contradictions(
    experiment: Experiment, *, train: int, image_shape: tuple[int, ...], classes: int
) -> list[Contradiction]:
    """Returns where the experiment does not fit its data: inputs, batch size, output and number of parameters.

    Args:
        experiment: The experiment, right in itself.
        train: Training images, or an upper bound of them.
        image_shape: Height, width and, for colour, channels.
        classes: Classes to tell apart.
    """
    found = input_contradictions(experiment, image_shape)
    batch_size, network = experiment.training.batch_size, experiment.network
    if 0 < train < batch_size:
        message = f"got {batch_size}; expected at most {train}, the number of training images"
        found.append(Contradiction(("training", "batch_size"), message, beside=("dataset",)))
    if network.output == "sigmoid" and classes != 2:
        message = f"got 'sigmoid' with {classes} classes; expected 'softmax' or 'auto', or two classes"
        found.append(Contradiction(("network", "output"), message, beside=("dataset",)))
    parameters = network.parameters(image_shape, classes)
    if parameters > MAXIMUM_PARAMETERS:
        memory = f"{parameters * TRAINING_BYTES_PER_PARAMETER / 1e9:,.1f} GB in training"
        message = f"got about {parameters:,} parameters, {memory}; expected at most {MAXIMUM_PARAMETERS:,}"
        found.append(Contradiction(("network",), message, "make the layers fewer or smaller", beside=("dataset",)))
    return found

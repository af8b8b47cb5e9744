"""`dtrain mc-predict`: many predictions of a trained model with dropout on, and whether their mean can be trusted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dtrain.data.images import visible
from dtrain.ground.files import replace_file, to_json, write, write_arrays
from dtrain.ground.result import Result
from dtrain.monte_carlo.source import Request, Source, find_source
from dtrain.runs.catalogue import check_run, create_run
from dtrain.runs.folder import PREDICTIONS, RunFolder
from dtrain.runs.ownership import true_status
from dtrain.runs.status import MC_PREDICT
from dtrain.statistics.calibration import (
    Comparison,
    Kept,
    accuracy_verdict,
    compare,
    kept_accuracies,
    log_loss_verdict,
)
from dtrain.statistics.significance import McNemar, mcnemar
from dtrain.statistics.uncertainty import ImageReport, Settling, Uncertainty, enough_passes, entropy
from dtrain.trials.observer import RunObserver, drawn_if_possible
from dtrain.trials.request import RunOptions

if TYPE_CHECKING:
    from dtrain.monte_carlo.passes import Batch
    from dtrain.monte_carlo.stochastic_model import DropoutLayer, StochasticModel

Array = npt.NDArray[Any]

MOST_CERTAIN, LEAST_CERTAIN = 6, 12
"""Images in the picture."""
SHOWN_PASSES = 3
MODEL, PASSES = "mc_model.keras", "passes.npy"
CALIBRATION, SETTLING, CERTAINTY = "calibration.png", "settling.png", "certainty.png"


@dataclass(frozen=True)
class Means:
    """The uncertainties of all images, in the mean.

    Args:
        deviation: Standard deviation of the probability of the class that the mean predicts.
        predictive_entropy: Entropy of the mean, in nats.
        expected_entropy: Mean entropy of the passes.
        mutual_information: The difference of the two.
        disagreement: Share of the passes that predict another class than the mean.
    """

    deviation: float
    predictive_entropy: float
    expected_entropy: float
    mutual_information: float
    disagreement: float


@dataclass(frozen=True, repr=False)
class McReport(Result, brief="folder samples verdict", tables="kept settling certain uncertain"):
    """What the passes say.

    Args:
        folder: The folder with pictures, predictions and this report.
        model: The name of the run or of the model file.
        layers: The layers that were random.
        split: ``test``, ``validation`` or the name of the file of images.
        images: How many images.
        samples: How many passes.
        seed: What seeded the masks.
        class_names: In the order of the labels.
        means: The uncertainties of all images, in the mean.
        comparison: Plain prediction and mean of the passes, measured; None without labels.
        mcnemar: Whether their accuracies differ, the plain prediction first; None without labels.
        verdict: The same in words.
        kept: Accuracies when the most uncertain images are set aside; empty without labels.
        settling: The estimate after rising numbers of passes.
        enough: How many passes would have been enough; None where it had not settled before the last.
        certain: The images with the least predictive entropy, least first.
        uncertain: The images with the most, most first.
        shown: The image that was asked for, if one was.
    """

    folder: Path
    model: str
    layers: tuple[DropoutLayer, ...]
    split: str
    images: int
    samples: int
    seed: int
    class_names: tuple[str, ...]
    means: Means
    comparison: Comparison | None
    mcnemar: McNemar | None
    verdict: str
    kept: tuple[Kept, ...]
    settling: tuple[Settling, ...]
    enough: int | None
    certain: tuple[ImageReport, ...]
    uncertain: tuple[ImageReport, ...]
    shown: ImageReport | None


def mc_predict(request: Request, options: RunOptions, observer: RunObserver) -> McReport:
    """Predicts with dropout on, many times, and writes what that says into a folder of its own.

    Args:
        request: Which model, which images, how many passes.
        options: Where, and on what device.
        observer: Shown how it goes on.

    Raises:
        ConfigError: The passes would all be the same; nothing is written then.
        DtrainError: Model, data, environment or folder do not allow it.
    """
    check_run(options.runs_dir, name=options.name)
    source = find_source(request, options, observer)
    from dtrain.monte_carlo.passes import check_room, check_varies
    from dtrain.monte_carlo.stochastic_model import StochasticModel

    model = StochasticModel(source.model, source.output, source.scaling, str(source.path))
    check_varies(model, source.images, request.seed, str(source.path))
    if request.save_passes:
        check_room(options.runs_dir, _passes_shape(source, request))
    folder = create_run(options.runs_dir, name=options.name, stem=f"{source.stem}-mc-predict", kind="mc-predict")
    with true_status(folder):
        observer.on_phase(f"{request.samples} passes with dropout over {len(source.images):,} {source.split} images")
        uncertainty, settling = _sampled(model, source, request, folder, observer)
        report = _report(folder, model, source, request, uncertainty, settling)
        _warn(report, source, observer)
        _write(report, source, uncertainty)
        observer.on_phase("drawing")
        with drawn_if_possible(observer):
            _draw(report, source)
        if request.save_model:
            _save_model(source, folder)
    return report


def _sampled(
    model: StochasticModel, source: Source, request: Request, folder: RunFolder, observer: RunObserver
) -> tuple[Uncertainty, tuple[Settling, ...]]:
    from dtrain.monte_carlo.passes import kept_passes, sample

    images, samples = len(source.images), request.samples
    path = folder.path / PASSES if request.save_passes else None
    with kept_passes(path, _passes_shape(source, request)) as keep:

        def on_batch(batch: Batch) -> None:
            keep(batch)
            passes, width = batch.first + len(batch.passes), batch.passes.shape[1]
            observer.on_progress(batch.start * samples + passes * width, images * samples)

        uncertainty, sums = sample(model, source.images, source.labels, samples, request.seed, on_batch)
    return uncertainty, sums.result(labelled=source.labels is not None)


def _passes_shape(source: Source, request: Request) -> tuple[int, int, int]:
    return request.samples, len(source.images), len(source.class_names)


def _report(
    folder: RunFolder,
    model: StochasticModel,
    source: Source,
    request: Request,
    uncertainty: Uncertainty,
    settling: tuple[Settling, ...],
) -> McReport:
    order = np.argsort(uncertainty.predictive_entropy, kind="stable").tolist()
    shown = None if request.index is None else _shown(model, source, request, uncertainty)
    return McReport(
        folder=folder.path,
        model=source.name,
        layers=model.layers,
        split=source.split,
        images=len(source.images),
        samples=request.samples,
        seed=request.seed,
        class_names=source.class_names,
        means=_means(uncertainty),
        **_measured(uncertainty, source.labels),
        settling=settling,
        enough=enough_passes(settling),
        certain=tuple(_image(uncertainty, source, one) for one in order[:MOST_CERTAIN]),
        uncertain=tuple(_image(uncertainty, source, one) for one in order[::-1][:LEAST_CERTAIN]),
        shown=shown,
    )


def _measured(uncertainty: Uncertainty, labels: Array | None) -> dict[str, Any]:
    if labels is None:
        return {"comparison": None, "mcnemar": None, "verdict": "no labels, so nobody knows what is right", "kept": ()}
    plain_right = uncertainty.plain.argmax(axis=1) == labels
    mc_right = uncertainty.mean.argmax(axis=1) == labels
    test = mcnemar(plain_right, mc_right)
    kept = kept_accuracies(plain_right, entropy(uncertainty.plain), mc_right, uncertainty.predictive_entropy)
    comparison = compare(uncertainty.plain, uncertainty.mean, labels)
    words = f"{accuracy_verdict(test)}; {log_loss_verdict(comparison.log_loss)}"
    return {"comparison": comparison, "mcnemar": test, "verdict": words, "kept": kept}


def _means(uncertainty: Uncertainty) -> Means:
    rows = np.arange(len(uncertainty.mean))
    deviation = uncertainty.deviation[rows, uncertainty.mean.argmax(axis=1)]
    others = {
        one.name: float(getattr(uncertainty, one.name).mean()) for one in fields(Means) if one.name != "deviation"
    }
    return Means(float(deviation.mean()), **others)


def _image(uncertainty: Uncertainty, source: Source, image: int, passes: Array | None = None) -> ImageReport:
    numbers: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in uncertainty.of(image).items()
    }
    label = "" if source.labels is None else source.class_names[source.labels[image]]
    drawn = [] if passes is None else passes.tolist()
    return ImageReport(image=image, label=label, **numbers, passes=tuple(map(tuple, drawn)))


def _shown(model: StochasticModel, source: Source, request: Request, uncertainty: Uncertainty) -> ImageReport:
    """Returns the image that was asked for, with its first passes drawn again: they depend on its number alone."""
    assert request.index is not None
    number = np.array([request.index])
    passes = model.passes(
        model.begin(source.images[number]), number, request.seed, 0, min(SHOWN_PASSES, request.samples)
    )
    return _image(uncertainty, source, request.index, passes[:, 0])


def _warn(report: McReport, source: Source, observer: RunObserver) -> None:
    if report.comparison is not None and source.labels is not None:
        accuracy = report.comparison.plain.accuracy
        chance = float(np.bincount(source.labels).max() / len(source.labels))
        if accuracy.interval.low <= chance:
            hint = ": is this --dataset, its classes and --scaling what it was trained with?" if source.foreign else ""
            observer.on_warning(
                f"the plain accuracy, {accuracy.value:.2%}, is no better than chance, {chance:.2%}{hint}"
            )
    if report.enough is None:
        observer.on_warning(f"the estimate has not settled before pass {report.samples}: more --samples may change it")


def _write(report: McReport, source: Source, uncertainty: Uncertainty) -> None:
    """Writes predictions and report; each file is replaced as a whole."""
    arrays = {field.name: getattr(uncertainty, field.name).astype(np.float32) for field in fields(uncertainty)}
    labels = {} if source.labels is None else {"labels": source.labels}
    write_arrays(report.folder / PREDICTIONS, arrays | labels)
    content = {name: value for name, value in asdict(report).items() if name != "folder"}
    write(report.folder / MC_PREDICT, to_json(content, indent=2))


def _draw(report: McReport, source: Source) -> None:
    from dtrain.plots.canvas import save
    from dtrain.plots.uncertainty import calibration_figure, certainty_figure, settling_figure

    title = f"{report.model}, {report.split} images, {report.samples} passes"
    if report.comparison is not None:
        save(calibration_figure(report.comparison, report.kept, title), report.folder / CALIBRATION)
    save(settling_figure(report.settling, report.enough, title), report.folder / SETTLING)
    images = (*report.certain, *report.uncertain)
    pictures = visible(source.images[[one.image for one in images]])
    figure = certainty_figure(pictures, images, report.class_names, len(report.certain), title)
    save(figure, report.folder / CERTAINTY)


def _save_model(source: Source, folder: RunFolder) -> None:
    from dtrain.engine.saving import save_model
    from dtrain.monte_carlo.stochastic_model import always_on_copy

    with replace_file(folder.path / MODEL) as path:
        save_model(always_on_copy(source.model), path)

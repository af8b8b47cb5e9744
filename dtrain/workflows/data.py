"""`dtrain data`: where the known data sets are, and how they get here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dtrain.data import manage
from dtrain.data.manage import SetStatus
from dtrain.trials.observer import RunObserver


@dataclass(frozen=True)
class DataReport:
    """Where data sets are.

    Args:
        sets: One entry for each data set that was asked about.
    """

    sets: tuple[SetStatus, ...]


def status(data_dir: Path | None = None) -> DataReport:
    """Looks for every known data set and verifies its content.

    Args:
        data_dir: Folder to look in first.
    """
    return DataReport(manage.status(data_dir))


def fetch(name: str, data_dir: Path | None, observer: RunObserver) -> DataReport:
    """Makes sure that a known data set is here, downloading it where needed.

    Args:
        name: The data set.
        data_dir: Folder to look in first.
        observer: Shown how the download goes on.

    Raises:
        ConfigError: The name is not known.
        DataError: The data set can be neither found nor downloaded.
        EnvironmentProblem: The Keras cache cannot be written.
    """
    observer.on_phase(f"looking for {name}")
    return DataReport((manage.fetch(name, data_dir, observer.on_download),))


def import_copy(path: Path) -> DataReport:
    """Takes official data sets from a copy on disk into the Keras cache.

    Args:
        path: A folder of IDX files or of data sets, or an .npz.

    Raises:
        DataError: There is no official data set at `path`, or it is damaged.
        EnvironmentProblem: The Keras cache cannot be written.
    """
    return DataReport(manage.import_images(path))

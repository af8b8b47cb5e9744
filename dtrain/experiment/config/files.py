"""Read an experiment file, or say which file or command is meant instead."""

from __future__ import annotations

import errno
import os
import shlex
from itertools import islice
from pathlib import Path

from dtrain.experiment.config.yaml_reader import MAXIMUM_BYTES, check_size
from dtrain.experiment.dataset import NAMED_DATASETS
from dtrain.experiment.spec import Experiment
from dtrain.ground.errors import ConfigError, nearest
from dtrain.ground.printable import printable
from dtrain.ground.reading import open_regular

SUFFIXES = (".yaml", ".yml")
READABLE_SUFFIXES = (*SUFFIXES, ".json")
"""JSON is YAML too; what else a name may end with does not keep a file from being read."""
USUAL_FOLDER = "configs"
SHOWN_FILES = 10
BEGINNING = "`dtrain init exp.yaml` writes one to start from"
MOST_ENTRIES = 1000
"""Of a folder; it may be a huge one that has nothing to do with experiments."""


def read_file(path: Path, source: str) -> bytes:
    """Returns the content of an experiment file.

    Args:
        path: The file.
        source: What to call it in messages.

    Raises:
        ConfigError: It cannot be read, is too large or holds images; says which file or command may be meant.
    """
    if path.suffix == ".npz":
        raise ConfigError("got an .npz file; expected an experiment file", where=source, hint=_dataset_hint(path))
    try:
        with open_regular(path) as file:
            content = file.read(MAXIMUM_BYTES + 1)
            size = max(len(content), os.fstat(file.fileno()).st_size)
            if size > MAXIMUM_BYTES:
                check_meant(path, content, source)
            check_size(size, source)
            return content
    except OSError as error:
        files = _files_near(path)
        near = _did_you_mean(path, files) if isinstance(error, FileNotFoundError) else ""
        pipe = error.errno == errno.EINVAL
        received = "a pipe or a device" if pipe else f"{error.strerror} (errno {error.errno})"
        message = f"got {received}; expected an experiment file{near}"
        raise ConfigError(message, where=source, hint=_hint(path, files)) from None


def check_meant(path: Path, content: bytes, source: str) -> None:
    """Refuses a file that could not be read and that neither its name nor its first line calls an experiment.

    Args:
        path: The file.
        content: Its bytes, or the first of them.
        source: What to call it in messages.

    Raises:
        ConfigError: It is something else, so that what is wrong with it as YAML would help nobody.
    """
    lines = map(bytes.strip, content.removeprefix(b"\xef\xbb\xbf").splitlines())
    first = next((line for line in lines if line and not line.startswith((b"#", b"---"))), b"")
    key = first.partition(b":")[0].decode(errors="replace").strip()
    if path.suffix not in READABLE_SUFFIXES and key not in Experiment.model_fields:
        message = "got a file that is no experiment; expected YAML, a mapping of keys to values, as in a .yaml file"
        raise ConfigError(message, where=source, hint=BEGINNING)


def files_beginning(text: str) -> list[str]:
    """Returns the experiment files that may be meant by the beginning of a path."""
    folders = dict.fromkeys((os.path.dirname(text), USUAL_FOLDER))
    return [file for folder in folders for file in _experiment_files(folder) if file.startswith(text)]


def _hint(path: Path, files: list[str]) -> str:
    if str(path) in NAMED_DATASETS or (path.is_dir() and not files):
        return _dataset_hint(path)
    return f"files nearby: {', '.join(files[:SHOWN_FILES])}" if files else "no .yaml file is nearby"


def _dataset_hint(path: Path) -> str:
    return f"images are chosen by `dtrain run dataset={printable(shlex.quote(str(path)))}`"


def _did_you_mean(path: Path, files: list[str]) -> str:
    by_name = {_bare_name(file): file for file in reversed(files)}
    near = nearest(_bare_name(str(path)), by_name)
    return f"; did you mean {by_name[near]!r}?" if near else ""


def _bare_name(file: str) -> str:
    name = os.path.basename(file)
    return name.removesuffix(next(filter(name.endswith, SUFFIXES), ""))


def _files_near(path: Path) -> list[str]:
    """The experiment files in the folder that was given, else in its folder, the current one and the usual one."""
    folders = [str(path)] if path.is_dir() else [os.path.dirname(path), "", USUAL_FOLDER]
    return [file for folder in dict.fromkeys(folders) for file in _experiment_files(folder)]


def _experiment_files(folder: str) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            names = sorted(entry.name for entry in islice(entries, MOST_ENTRIES))
    except OSError:
        return []
    return [printable(os.path.join(folder, name)) for name in names if name.endswith(SUFFIXES)]

"""Reads HDF5 in a process of its own: run as a script, it needs h5py alone and answers on its standard output.

The answer is one line of JSON, which holds the attributes and where each array is, and then the arrays' bytes. A file
that crashes or overfills the HDF5 library takes only this process with it.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import h5py
import numpy as np

SAFE_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
MOST_OBJECTS, DEEPEST, MOST_NAMES = 20_000, 32, 20_000
LONGEST_TEXT = 8 * 2**20
LONGEST_REASON = 300
MEMORY_BESIDE_ARRAYS = 2**30
"""Bytes of address space for Python, NumPy and the HDF5 library."""


class Refused(Exception):
    """The file holds what no model needs."""


def check(file: h5py.File, largest: int) -> dict[str, h5py.Dataset]:
    """Walks through everything in a file and returns its arrays by path.

    Args:
        file: The open file.
        largest: Bytes that all arrays together may declare.

    Raises:
        Refused: There is a link that leads out of the tree, an array that is kept elsewhere, or too much.
    """
    found: dict[str, h5py.Dataset] = {}
    seen = set()
    for path, one in _walk(file, "", 0):
        address = h5py.h5o.get_info(one.id).addr
        if address in seen:
            raise Refused(f"{path} is a second link to what is elsewhere in the file")
        seen.add(address)
        if len(seen) > MOST_OBJECTS:
            raise Refused(f"more than {MOST_OBJECTS:,} groups and arrays")
        if isinstance(one, h5py.Dataset):
            _check_array(path, one)
            found[path] = one
    declared = sum(_declared_bytes(one) for one in found.values())
    if declared > largest:
        raise Refused(f"arrays of {declared:,} bytes; expected at most {largest:,}")
    return found


def _walk(group: h5py.Group, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > DEEPEST:
        raise Refused(f"groups more than {DEEPEST} deep at {prefix}")
    for name in group:
        path = f"{prefix}/{name}" if prefix else name
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
            raise Refused(f"{path} is {kind}")
        one = group[name]
        if not isinstance(one, h5py.Group | h5py.Dataset):
            raise Refused(f"{path} is a named datatype")
        yield path, one
        if isinstance(one, h5py.Group):
            yield from _walk(one, path, depth + 1)


def _check_array(path: str, array: h5py.Dataset) -> None:
    if array.is_virtual:
        raise Refused(f"{path} is a virtual dataset, which reads other files")
    if array.external:
        raise Refused(f"{path} is kept in an external file")
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise Refused(f"{path} holds {array.dtype}; expected numbers")
    plan = array.id.get_create_plist()
    filters = {plan.get_filter(number)[0] for number in range(plan.get_nfilters())}
    if filters - SAFE_FILTERS:
        raise Refused(f"{path} is compressed by filter {min(filters - SAFE_FILTERS)}, which is none of HDF5's own")


def _declared_bytes(array: h5py.Dataset) -> int:
    return math.prod(array.shape or ()) * int(array.dtype.itemsize)


def text_of(attributes: h5py.AttributeManager, name: str) -> list[str]:
    """Returns the strings of an attribute, however Keras 2 and 3 wrote them; nothing where there is none."""
    if name not in attributes:
        return []
    where = attributes.get_id(name)
    if not math.prod(where.shape):
        return []
    if math.prod(where.shape) > MOST_NAMES or where.get_storage_size() > LONGEST_TEXT:
        raise Refused(f"attribute {name} is too large")
    value = attributes[name]
    values = np.atleast_1d(value).tolist() if isinstance(value, np.ndarray) else [value]
    return [one.decode() if isinstance(one, bytes) else str(one) for one in values]


def _names(group: h5py.Group, name: str) -> list[str]:
    """Long lists are cut into numbered attributes."""
    if name in group.attrs:
        return text_of(group.attrs, name)
    parts = itertools.takewhile(group.attrs.__contains__, (f"{name}{number}" for number in itertools.count()))
    return [one for part in parts for one in text_of(group.attrs, part)]


def _model_layers(file: h5py.File) -> list[dict[str, Any]]:
    """A whole model in one .h5: arrays by the names of their layers, in the order of the layers."""
    weights = file.get("model_weights")
    if not isinstance(weights, h5py.Group):
        raise Refused("no group model_weights")
    layers = []
    for name in _names(weights, "layer_names"):
        if not isinstance(weights.get(name), h5py.Group):
            raise Refused(f"no group model_weights/{name}, which layer_names lists")
        arrays = [f"model_weights/{name}/{one}" for one in _names(weights[name], "weight_names")]
        layers.append({"group": name, "name": name, "arrays": arrays})
    return layers


def _archive_layers(file: h5py.File) -> list[dict[str, Any]]:
    """The weights of a .keras: arrays by number, in groups that are named after the layers' classes."""
    # Keras 2.12 and 2.13 called it otherwise
    place = next((one for one in ("layers", "_layer_checkpoint_dependencies") if one in file), None)
    return list(_layers_below(file[place], place, "")) if place else []


def _layers_below(groups: Any, place: str, outer: str) -> Iterator[dict[str, Any]]:
    """Yields the layers of a model, and those of the models inside it."""
    for group in groups if isinstance(groups, h5py.Group) else ():
        one, path = groups[group], f"{place}/{group}"
        if not isinstance(one, h5py.Group):
            continue
        own = one.get("vars")
        if isinstance(own, h5py.Group):
            arrays = [f"{path}/vars/{number}" for number in range(len(own))]
            yield {"group": f"{outer}{group}", "name": "".join(text_of(own.attrs, "name")), "arrays": arrays}
        inner = place.partition("/")[0]
        if inner in one:
            yield from _layers_below(one[inner], f"{path}/{inner}", f"{outer}{group}/")


def _version(file: h5py.File) -> str:
    """Which Keras wrote a whole model in one .h5, as its attributes say."""
    weights = file.get("model_weights")
    holders = [file, weights] if isinstance(weights, h5py.Group) else [file]
    return next((text for one in holders for text in text_of(one.attrs, "keras_version")), "")


def answer(content: bytes, layout: str, largest: int) -> Iterator[bytes]:
    """Yields the line of JSON, then the bytes of each array.

    Args:
        content: The HDF5 file.
        layout: ``model`` for a whole model in one .h5, ``weights`` for the weights of a .keras.
        largest: Bytes that all arrays together may declare.
    """
    with h5py.File(io.BytesIO(content), "r") as file:
        found = check(file, largest)
        configuration = "".join(text_of(file.attrs, "model_config")) if layout == "model" else ""
        has_weights = "model_weights" in file
        layers = []
        if layout == "weights":
            layers = _archive_layers(file)
        elif configuration:
            layers = _model_layers(file)
        wanted = [path for layer in layers for path in layer["arrays"]]
        missing = [path for path in wanted if path not in found]
        if missing:
            raise Refused(f"no array {missing[0]}, which the file lists")
        if len(set(wanted)) < len(wanted):
            raise Refused("an array is listed more than once")
        arrays = {path: {"dtype": found[path].dtype.str, "shape": found[path].shape} for path in wanted}
        head = {"configuration": configuration, "has_weights": has_weights, "layers": layers, "arrays": arrays}
        head["written_by"] = _version(file)[:LONGEST_REASON]
        yield json.dumps(head).encode() + b"\n"
        for path in wanted:
            yield found[path][()].tobytes()


def _limit_memory(largest: int) -> None:
    import resource

    # a system that knows no such limit is protected by the declared sizes alone
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (largest, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def respond(content: bytes, layout: str, largest: int) -> bytes:
    """Returns the whole answer, or a line of JSON that says why there is none; the arguments are those of `answer`."""
    try:
        return b"".join(answer(content, layout, largest))
    except Refused as refusal:
        return json.dumps({"refused": str(refusal)[:LONGEST_REASON]}).encode()
    # the HDF5 library and h5py have many words for a damaged file
    except Exception as error:
        return json.dumps({"damaged": f"{type(error).__name__}: {error}"[:LONGEST_REASON]}).encode()


def main() -> None:
    """Answers on standard output what the file on standard input holds."""
    layout, largest = sys.argv[1], int(sys.argv[2])
    content = sys.stdin.buffer.read()
    _limit_memory(MEMORY_BESIDE_ARRAYS + len(content) + 3 * largest)
    sys.stdout.buffer.write(respond(content, layout, largest))


if __name__ == "__main__":
    main()

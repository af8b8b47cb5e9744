"""What a restructuring must not move: python -m tests.frozen OUT.json [--against BEFORE.json]

Trains small experiments over the whole vocabulary through the command line alone, so that every module may move, and
writes digests of what their run folders hold: equal bytes need the same machine with the same versions.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# full data would take the place of the bundled samples
os.environ.pop("DTRAIN_DATA_DIR", None)

import h5py
import numpy as np

from dtrain.cli import main as dtrain

SMALL = "dataset.name=fashion_mnist_sample dataset.train_limit=320 network=[16,8] training.epochs=2"
PLAIN = f"{SMALL} training.engine=graph schedule=constant regularizer=[] training.early_stopping=null"
"""What most experiments leave out; graphs compile fastest, and a last batch that is not whole compiles a second one."""
BRIEF = ["--quiet", "--device", "cpu"]

EXPERIMENTS = {
    "sgd": "run PLAIN optimizer=sgd optimizer.learning_rate=0.1 optimizer.clipvalue=0.1 activation=relu "
    "initializer=he_normal normalization=none regularizer=[l2] dataset.train_limit=330",
    "adagrad": "run PLAIN optimizer=adagrad optimizer.clipnorm=1 activation=leaky_relu initializer=glorot_uniform "
    "schedule=power regularizer=[l1]",
    "rmsprop": "run PLAIN optimizer=rmsprop optimizer.centered=true optimizer.global_clipnorm=1 activation=prelu "
    "initializer=glorot_normal schedule=exponential regularizer=[l1_l2]",
    "adam": "run PLAIN optimizer=adam optimizer.amsgrad=true activation=tanh initializer=lecun_normal "
    "schedule=polynomial regularizer=[orthogonal] dataset.scaling=standardize",
    "adamax": "run PLAIN optimizer=adamax activation=sigmoid initializer=lecun_uniform schedule=cosine "
    "schedule.warmup=0.5 'regularizer=[{kind: max_norm, biases: true}]'",
    "nadam": "run PLAIN optimizer=nadam activation=swish initializer=variance_scaling schedule=cosine_restarts "
    "schedule.first_epochs=0.5 regularizer=[unit_norm]",
    "adamw": "run PLAIN optimizer=adamw activation=relu6 initializer=random_normal schedule=piecewise "
    "schedule.boundaries=[1] schedule.values=[0.01,0.001] regularizer=[non_neg]",
    "adadelta": "run PLAIN optimizer=adadelta optimizer.learning_rate=1 activation=celu initializer=truncated_normal "
    "schedule=one_cycle schedule.form=cosine dataset.name=mnist_sample",
    "lion": "run PLAIN optimizer=lion activation=gelu initializer=random_uniform dataset.classes=[5,6]",
    "lamb": "run PLAIN optimizer=lamb activation=mish initializer=orthogonal training.batch_size=64",
    "ftrl": "run PLAIN optimizer=ftrl activation=softplus initializer=identity network=[16,16]",
    "adafactor": "run PLAIN optimizer=adafactor activation=squareplus initializer=constant",
    "muon": "run PLAIN optimizer=muon activation=sparse_plus initializer=he_uniform",
    "dropout": "run PLAIN 'regularizer=[{kind: dropout, rate: [0.1, 0.3, 0.5]}]' activation=hard_swish "
    "dataset.train_limit=330",
    "alpha_dropout": "run PLAIN regularizer=[alpha_dropout] activation=selu",
    "gaussian_dropout": "run PLAIN regularizer=[gaussian_dropout] activation=hard_sigmoid initializer=zeros",
    "spatial_dropout": "run PLAIN regularizer=[spatial_dropout] activation=log_sigmoid "
    "'network={kind: conv, filters: [4, 4], hidden: [8]}'",
    "rrelu": "run PLAIN activation=rrelu",
    "batch_norm": "run PLAIN normalization=batch_norm normalization.position=before activation=hard_tanh",
    "full_pass": "run PLAIN normalization=batch_norm normalization.final_statistics=full_pass "
    "normalization.inputs=true activation=softsign",
    "layer_norm": "run PLAIN normalization=layer_norm activation=tanh_shrink",
    "group_norm": "run PLAIN normalization=group_norm activation=exponential",
    "early_stopping": "run PLAIN 'training.early_stopping={monitor: val_accuracy, patience: 1}' training.epochs=9 "
    "optimizer.learning_rate=0.05 activation=hard_shrink",
    "ema": "run PLAIN optimizer=adam optimizer.use_ema=true optimizer.ema_momentum=0.9 "
    "optimizer.ema_overwrite_frequency=7 activation=threshold",
    "convolution": "run PLAIN normalization=layer_norm activation=sparse_sigmoid "
    "'network={kind: conv, filters: [4, 8], hidden: [8]}'",
    "fixup": "run PLAIN activation=linear 'network={kind: conv, filters: [4, 4], residual: true, fixup: true}'",
    "residual": "run PLAIN activation=soft_shrink optimizer.learning_rate=0.001 "
    "'network={kind: dense, depth: 4, width: 8, residual: true}'",
    "every_steps": "run PLAIN schedule=performance schedule.every_steps=3 schedule.patience=1 schedule.min_delta=0.5 "
    "activation=elu",
    "momentum_seeds": "run --seeds 2 SMALL training.engine=xla schedule=one_cycle regularizer=[dropout] "
    "dataset.train_limit=330",
    "resumed": "run PLAIN optimizer=nadam schedule=one_cycle regularizer=[dropout] normalization=batch_norm; "
    "resume resumed --epochs 3 --schedule hold",
    "lr_find": "lr-find SMALL training.engine=graph --iterations 60 --seeds 2",
    "transfer": "transfer --base RUNS/sgd --seeds 2 --frozen-epochs 1 --unfrozen-epochs 2 --unfreeze gradual "
    "dataset.name=fashion_mnist_sample dataset.classes=[5,6] dataset.train_limit=100 training.engine=graph",
    "mc_predict": "mc-predict dropout --samples 5 --split validation --save-passes",
}
"""Commands in their order: the last ones read what the first ones made."""

Digests = dict[str, dict[str, str]]


def main() -> int:
    """Writes the digests; returns 1 where they differ from those of before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--against", type=Path, metavar="BEFORE.json")
    arguments = parser.parse_args()
    before: Digests | None = json.loads(arguments.against.read_text()) if arguments.against else None
    now: Digests = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, commands in EXPERIMENTS.items():
            began = time.perf_counter()
            for command in _written_out(commands).split("; "):
                _output_of(_words(command, name, Path(folder)))
            now[name] = dict(_digests(Path(folder) / name))
            print(f"{name}: {time.perf_counter() - began:.1f} s, {len(now[name])} digests", flush=True)
    arguments.out.write_text(json.dumps(now, indent=2) + "\n")
    for missing in _not_trained():
        print(f"no experiment has {missing}")
    found = [] if before is None else list(_differences(before, now))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


def _written_out(commands: str) -> str:
    return commands.replace("SMALL", SMALL).replace("PLAIN", PLAIN)


def _words(command: str, name: str, runs: Path) -> list[str]:
    words = shlex.split(command.replace("RUNS", str(runs)))
    return [*words, *BRIEF, "--runs-dir", str(runs), *([] if words[0] == "resume" else ["--name", name])]


def _output_of(words: list[str]) -> str:
    """Runs a command in this process; one that fails ends everything with what it said."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = dtrain(words)
    if code:
        sys.exit(f"{shlex.join(words)}\nended with {code}: {err.getvalue()}")
    return out.getvalue()


def _not_trained() -> list[str]:
    """The techniques that no experiment names."""
    written = re.findall(r"(\w+)(?:\.kind)?=(.*?)(?= [\w.]+=|'|$)", _written_out(" ".join(EXPERIMENTS.values())))
    named = {(key, word) for key, value in written for word in re.findall(r"\w+", value)}
    families = json.loads(_output_of(["techniques", "--json"]))["families"]
    kinds = [(family["key"], kind["kind"]) for family in families for kind in family["kinds"]]
    return [f"{key}={kind}" for key, kind in kinds if (key, kind) not in named]


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    """What was measured, learnt and predicted in a folder and those within; no path, time or process."""
    for path in sorted(folder.rglob("*")):
        if path.name in READERS:
            where = path.relative_to(folder).as_posix()
            yield from ((f"{where} {part}".strip(), _digest(value)) for part, value in READERS[path.name](path).items())


def _digest(value: Any) -> str:
    """Of an array every bit, type and shape; of what was read from JSON the numbers as they are written."""
    is_array = isinstance(value, np.ndarray)
    content = f"{value.dtype.str} {value.shape} ".encode() + value.tobytes() if is_array else json.dumps(value).encode()
    return hashlib.sha256(content).hexdigest()


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return dict(arrays)


def _weights(path: Path) -> dict[str, Any]:
    """All weights in the order of their names, which do not count."""
    found: dict[str, Any] = {}
    with zipfile.ZipFile(path) as file, h5py.File(io.BytesIO(file.read("model.weights.h5"))) as weights:
        weights.visititems(lambda name, one: found.update({name: one[()]} if isinstance(one, h5py.Dataset) else {}))
    arrays = [found[name] for name in sorted(found)]
    return {"shapes": [one.shape for one in arrays], "weights": np.concatenate([one.ravel() for one in arrays])}


def _metrics(path: Path) -> dict[str, Any]:
    epochs = [json.loads(line) for line in path.read_text().splitlines()]
    return {key: [_numbers(epoch[key]) for epoch in epochs] for key in epochs[0] if key != "stage"}


def _numbers(value: Any) -> Any:
    """The same without texts."""
    if isinstance(value, dict):
        return {key: _numbers(one) for key, one in sorted(value.items()) if not isinstance(one, str)}
    return [_numbers(one) for one in value] if isinstance(value, list) else value


def _accuracies(path: Path) -> dict[str, Any]:
    return {f"{arm['name']} accuracies": arm["accuracies"] for arm in json.loads(path.read_text())["arms"]}


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "metrics.jsonl": _metrics,
    "steps.npz": _arrays,
    "predictions.npz": _arrays,
    "passes.npy": lambda path: {"passes": np.load(path)},
    "model.keras": _weights,
    "lr_find.json": lambda path: _numbers(json.loads(path.read_text())),
    "transfer.json": _accuracies,
}


def _differences(before: Digests, now: Digests) -> Iterator[str]:
    for name in before | now:
        old, new = before.get(name, {}), now.get(name, {})
        for part in old | new:
            if old.get(part) != new.get(part):
                how = "is new" if part not in old else "is gone" if part not in new else "has changed"
                yield f"{name}: {part} {how}"


if __name__ == "__main__":
    sys.exit(main())

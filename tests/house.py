"""The shape of the house in numbers: rooms, imports, sizes and tests (`python -m tests.house` prints them)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median

import dtrain

ROOT = Path(dtrain.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
COMMANDS = (ROOT / "cli", ROOT / "api")
"""Their functions take as many arguments as the commands have options."""
COVERED = {
    "api.diagnosis": "test_api.py",
    "api.files": "test_api.py",
    "api.given": "test_api.py",
    "api.results": "test_api.py",
    "api.training": "test_api.py",
    "cli.application": "cli/test_cli.py",
    "cli.diagnosis": "workflows/test_probe.py",
    "cli.files": "cli/test_cli.py",
    "cli.performing": "test_api.py",
    "cli.results": "cli/test_compare.py",
    "data.foreign": "data/test_own.py",
    "engine.penalties": "engine/test_epoch.py",
    "experiment.config.placing": "experiment/fit/test_command_line.py",
    "experiment.fit.data": "experiment/fit/test_errors.py",
    "experiment.fit.layers": "experiment/fit/test_findings.py",
    "experiment.fit.normalizations": "experiment/fit/test_errors.py",
    "experiment.fit.regularizers": "experiment/fit/test_errors.py",
    "experiment.fit.selu": "experiment/fit/test_findings.py",
    "experiment.fit.steps": "experiment/fit/test_findings.py",
    "layers.always_on": "monte_carlo/test_stochastic_model.py",
    "reuse.architecture": "reuse/test_strangers.py",
    "reuse.building": "reuse/test_layers_that_fail.py",
    "reuse.matching": "reuse/test_refusals.py",
    "reuse.normalizing": "reuse/test_strangers.py",
    "reuse.plans": "reuse/test_strangers.py",
    "statistics.wording": "statistics/test_verdicts.py",
    "studies.ranking": "workflows/test_compare.py",
    "trials.outcome": "workflows/test_run.py",
    "trials.resuming": "workflows/test_resume.py",
    "trials.trained_run": "workflows/test_evaluate.py",
}
"""Which test covers what is only met by way of another module."""
WAY = ["api.training", "workflows.run", "trials.training", "engine.training", "engine.epoch"]
"""What a reader goes through from the function that `dtrain run` calls to the step that it is all about."""


def dotted(path: Path) -> str:
    """Returns the name of the module in a file."""
    name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


def room(path: Path) -> str:
    """Returns the package or module right below `dtrain` that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    """Returns a file as Python reads it."""
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> frozenset[str]:
    """Returns every module that a file imports, in functions and for type checkers too."""
    names = {dotted(one) for one in MODULES}
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name in names else node.module or "" for name in whole)
    return frozenset(found)


def imports() -> dict[str, set[str]]:
    """Returns which modules of `dtrain` each of them imports."""
    names = {dotted(one) for one in MODULES}
    return {dotted(path): set(imported(path)) & names - {dotted(path)} for path in MODULES}


def circles() -> list[str]:
    """Returns the modules that import themselves by way of others."""
    arrows = imports()
    return sorted(name for name in arrows if name in set().union(*(_reached(one) for one in arrows[name]), set()))


@cache
def _reached(start: str) -> frozenset[str]:
    arrows, seen, waiting = imports(), {start}, [start]
    while waiting:
        new = arrows[waiting.pop()] - seen
        seen |= new
        waiting += new
    return frozenset(seen)


def way_to_the_gradient() -> list[str]:
    """Returns the modules that a reader of `dtrain run` goes through, as far as each of them imports the next."""
    names = [f"dtrain.{one}" for one in WAY]
    known = [one for one, other in pairwise(names) if other in imports()[one]]
    return [*known, names[-1]] if known == names[:-1] else known


def functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yields of each function its name, the lines of its body without the docstring, and how many arguments it has."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1
            arguments = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            yield f"{dotted(path)}.{node.name}", lines, len([one for one in arguments if one not in ("self", "cls")])


def measured_functions() -> list[tuple[str, int, int]]:
    """Returns the functions of all modules but the commands."""
    measured = [path for path in MODULES if not {path, *path.parents} & set(COMMANDS)]
    return [one for path in measured for one in functions(path)]


def lines(path: Path) -> int:
    """Returns how many lines a file has."""
    return len(path.read_text().splitlines())


def untested() -> list[str]:
    """Returns the modules that neither have a mirrored test file, nor are imported or named by a test."""
    tests = [path for path in TESTS.rglob("test_*.py") if "benchmarks" not in path.parts]
    mirrored = {path.relative_to(TESTS).with_name(path.name.removeprefix("test_")) for path in tests}
    named = set().union(*(imported(path) for path in tests))
    with_logic = [path for path in MODULES if path.name not in ("__init__.py", "__main__.py")]
    covered = {f"dtrain.{name}" for name, test in COVERED.items() if TESTS / test in tests}
    left = [one for one in with_logic if one.relative_to(ROOT) not in mirrored]
    return [dotted(one) for one in left if dotted(one) not in named | covered]


def _print() -> None:
    sizes = {dotted(path): lines(path) for path in MODULES if lines(path) > 1}
    largest = max(sizes, key=lambda name: sizes[name])
    longest = max(measured_functions(), key=lambda one: one[1])
    widest = max(measured_functions(), key=lambda one: one[2])
    print(f"rooms: {len({room(path) for path in MODULES} - {'__init__', '__main__'})}")
    print(f"circles: {', '.join(circles()) or 'none'}")
    print(f"to the gradient: {' > '.join(way_to_the_gradient())}")
    print(f"modules: {len(sizes)}, {sum(sizes.values()):,} lines, median {median(sizes.values()):g}")
    print(f"largest module: {largest}, {sizes[largest]} lines")
    print(f"longest function: {longest[0]}, {longest[1]} lines; most arguments: {widest[0]}, {widest[2]}")
    print(f"modules without a test of their own: {', '.join(untested()) or 'none'}")


if __name__ == "__main__":
    _print()

"""What the commands find: frozen records that are one line in a list, what the command prints, and tables of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, Literal

from dtrain.ground.errors import EnvironmentProblem, UsageError, did_you_mean


class Result:
    """The base of every dataclass that a command returns.

    A subclass says what its one line holds and which of its attributes are tables, the first of them unless asked
    otherwise: ``class SeedsResult(Result, brief="folder test_accuracy", tables="runs curves")``.
    """

    BRIEF: ClassVar[tuple[str, ...]]
    TABLES: ClassVar[tuple[str, ...]]
    runs: tuple[Result, ...]
    """Of a result of several: a table that it does not have is those of its runs, one after the other."""
    described: ClassVar[Callable[[Result, Literal["text", "html"]], str]]
    """Set by the door of the house, which knows who makes results readable."""

    def __init_subclass__(cls, *, brief: str, tables: str) -> None:
        cls.BRIEF, cls.TABLES = tuple(brief.split()), tuple(tables.split())

    def __repr__(self) -> str:
        """Returns one line."""
        parts = (f"{name}={_short(attrgetter(name)(self))}" for name in self.BRIEF)
        return f"{type(self).__name__}({', '.join(parts)})"

    def __str__(self) -> str:
        """Returns what the command prints."""
        return type(self).described(self, "text")

    def _repr_html_(self) -> str:
        return type(self).described(self, "html")

    def rows(self, table: str = "") -> list[dict[str, Any]]:
        """Returns a table, a mapping for each line; the names of what is nested have dots.

        Args:
            table: One of `TABLES`; empty for the first.

        Raises:
            UsageError: The result has no such table.
        """
        name = table or self.TABLES[0]
        if name not in self.TABLES:
            message = f"got {name!r}; expected one of {', '.join(map(repr, self.TABLES))}"
            raise UsageError(message + did_you_mean(name, self.TABLES), where=f"{type(self).__name__}.rows")
        found = getattr(self, name, None)
        if found is None:
            return [row for run in self.runs for row in run.rows(name)]
        named = found.items() if isinstance(found, Mapping) else ((None, one) for one in found)
        return [{**({"name": name} if name else {}), **dict(_flat(one))} for name, one in named]

    def to_frame(self, table: str = "") -> Any:
        """Returns what `rows` returns as a pandas data frame; an EnvironmentProblem if pandas is not installed."""
        try:
            from pandas import DataFrame
        except ImportError:
            hint = "install it: `pip install pandas`; rows() gives the same lines without it"
            raise EnvironmentProblem("pandas is missing; expected it for a data frame", hint=hint) from None
        return DataFrame(self.rows(table))


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if not isinstance(value, Mapping):
        yield prefix, value
        return
    for key, inner in value.items():
        yield from _flat(inner, f"{prefix}.{key}" if prefix else key)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return repr(str(value)) if isinstance(value, Path) else repr(value)

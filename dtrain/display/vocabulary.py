"""What an experiment file may say, for people to read: an overview, a family, and a file to start from."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dtrain.display.console import Sentence
from dtrain.display.tables import bare_table

if TYPE_CHECKING:
    from dtrain.experiment.config.catalogue import Family, Kind
    from dtrain.workflows.init import Beginning
    from dtrain.workflows.techniques import Techniques

INDENT = (0, 0, 0, 2)


def describe_techniques(found: Techniques) -> Iterator[RenderableType]:
    """Yields a line for each kind, or with one family everything about each kind."""
    for number, family in enumerate(found.families):
        if number:
            yield ""
        yield Text.assemble((family.key, "bold"), f": {family.summary}")
        if found.whole:
            yield _overview(family)
        else:
            yield from _describe_family(family)
            for kind in family.kinds:
                yield from _describe_kind(kind)
    if found.whole:
        yield ""
        yield Sentence(f"dtrain techniques {found.families[0].key}  # fields, defaults, advice", "next")


def _overview(family: Family) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for kind in family.kinds:
        table.add_row(kind.kind, kind.summary)
    return Padding(table, INDENT, expand=False)


def _describe_family(family: Family) -> Iterator[RenderableType]:
    if family.details:
        yield Padding(Text(family.details), INDENT, expand=False)
    if family.ratings:
        table = bare_table(heading="dim")
        for heading in (family.key, "speed", "quality of convergence"):
            table.add_column(heading, no_wrap=True)
        for rating in family.ratings:
            table.add_row(*rating)
        yield Padding(table, INDENT, expand=False)


def _describe_kind(kind: Kind) -> Iterator[RenderableType]:
    yield ""
    yield Text(kind.kind, "bold")
    for text in (kind.summary, kind.details):
        if text:
            yield Padding(Text(text), INDENT, expand=False)
    if kind.fields:
        yield Padding(_fields(kind), INDENT, expand=False)
    for one in kind.advice:
        yield Padding(Text.assemble(("lesson: ", "cyan"), one), INDENT, expand=False)
    for line in kind.yaml.split("\n"):
        yield f"  {line}"


def _fields(kind: Kind) -> Table:
    table = bare_table(heading="dim")
    table.add_column("field", no_wrap=True)
    table.add_column("default", no_wrap=True)
    table.add_column("what", overflow="fold")
    for one in kind.fields:
        table.add_row(one.name, one.default, one.explanation)
    return table


def describe_beginning(beginning: Beginning) -> Iterator[RenderableType]:
    """Yields what was written, and what to do with it."""
    yield f"experiment {beginning.experiment}"
    yield f"schema for editors {beginning.schema}"
    if beginning.outdated:
        yield Sentence(
            "the schema was there already and is of another version of dtrain; "
            f"`dtrain schema > {shlex.quote(str(beginning.schema))}` renews it",
            "notice",
            "yellow",
        )
    yield Sentence(f"{beginning.command}  # train it as it is, or change it first", "next")

"""What README and docs/ hold: sections, links, blocks, and every command with what is said about it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))

FENCE = re.compile(r"```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^<!-- (?:(?P<data>needs full data)|exits with (?P<code>\d+)) -->$", re.MULTILINE)
INLINE = re.compile(r"(?<!`)`(dtrain [\w-][^`]*)`(?!`)")
PLACEHOLDER = re.compile(r"(?<![\w./-])[A-Z]{2,}(?!\w)|\b[A-Z]\b")
"""A word in capitals stands for something that a reader fills in."""


@dataclass(frozen=True)
class Command:
    """A command that a page shows.

    Args:
        words: What a shell makes of it, without ``dtrain``.
        needs_data: Whether it reads the full data sets.
        exit_code: What it ends with.
        in_text: Whether it stands in a sentence or table, where a lone word names a command.
    """

    words: tuple[str, ...]
    needs_data: bool = False
    exit_code: int = 0
    in_text: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether it can be typed as it stands: it does not only name a command, and nothing is to be filled in."""
        return len(self.words) > self.in_text and not any(map(PLACEHOLDER.search, self.words))

    def __str__(self) -> str:
        return shlex.join(self.words)


def blocks(page: Path, language: str) -> list[str]:
    """Returns the fenced blocks of a page in that language."""
    return [text for found, text in FENCE.findall(page.read_text()) if found == language]


def section(page: Path, heading: str) -> str:
    """Returns what stands below a heading, up to the next one."""
    text = page.read_text()
    without_blocks = FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", without_blocks, re.MULTILINE | re.DOTALL)
    assert found, f"{page.name} has no heading {heading!r}"
    return text[found.start(1) : found.end(1)]


def anchors(page: Path) -> set[str]:
    """Returns the names under which links reach the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def links(page: Path) -> list[str]:
    """Returns where the links and pictures of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text()))


def commands(text: str) -> Iterator[Command]:
    """Yields the commands of a page or section in their order, those in sentences too."""
    for paragraph in _paragraphs(text):
        mark = MARK.match(paragraph)
        code = int(mark["code"] or 0) if mark else 0
        block = FENCE.search(paragraph)
        for line in _lines(block) if block else INLINE.findall(paragraph):
            _, *words = shlex.split(line.replace("\\|", "|"), comments=True)
            typed = words[: words.index(">")] if ">" in words else words
            yield Command(tuple(typed), bool(mark and mark["data"]), code, in_text=not block)


def _lines(block: re.Match[str]) -> list[str]:
    return [line for line in block[2].splitlines() if block[1] == "sh" and line.startswith("dtrain ")]


def _paragraphs(text: str) -> Iterator[str]:
    """Splits at blank lines, but for those within a fenced block."""
    rest = 0
    for block in FENCE.finditer(text):
        *before, above = re.split(r"\n\s*\n", text[rest : block.start()])
        yield from before
        yield f"{above}{block[0]}"
        rest = block.end()
    yield from re.split(r"\n\s*\n", text[rest:])

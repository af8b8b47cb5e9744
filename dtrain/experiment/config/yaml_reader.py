"""Read one small YAML 1.2 document as plain values, and remember where each of them is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from dtrain.experiment.config.mistakes import check_lookalikes, meant_number, split_lines, syntax_error
from dtrain.experiment.config.yaml_schema import plain_value
from dtrain.ground.errors import ConfigError, Problem
from dtrain.ground.printable import KeyPath, clipped, dotted

MAXIMUM_BYTES = 256 * 1024
MAXIMUM_LEVELS = 20
MAXIMUM_VALUES = 10_000

# The parser counts U+0085, U+2028 and U+2029 as ends of lines and editors do not, so line numbers would be wrong.
_NOT_PRINTABLE = re.compile("[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Place:
    """Where a value is written, and where its key is.

    Args:
        value: ``exp.yaml:14:9`` of the value, or the override.
        key: The same of its key.
        named: The path that this text names already, so that a message need not repeat it.
    """

    value: str
    key: str
    named: KeyPath = ()


@dataclass(frozen=True)
class Document:
    """A document as plain values.

    Args:
        value: Mappings, lists, strings, numbers, booleans and None.
        places: Where the value at each path is written.
        problems: What is wrong with the document although it could be read to its end.
    """

    value: object
    places: dict[KeyPath, Place]
    problems: tuple[Problem, ...] = ()

    def nearest(self, path: KeyPath) -> Place:
        """Returns the place of the value at `path`, or of what contains it where it is not written."""
        return next(self.places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.places)


class _Refusal(Exception):
    """What this reader does not accept, with the position in the text."""

    def __init__(self, mark: yaml.Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.mark, self.message, self.hint = mark, message, hint


class _BoundedLoader(yaml.SafeLoader):
    """PyYAML's parser, stopped at the first level too deep: its look-ahead takes quadratic time in the depth."""

    def fetch_flow_collection_start(self, TokenClass: type[yaml.Token]) -> None:
        self._check_level()
        super().fetch_flow_collection_start(TokenClass)

    def fetch_more_tokens(self) -> None:
        try:
            super().fetch_more_tokens()
        except (ValueError, OverflowError):
            # PyYAML converts the numbers in escapes and in the %YAML directive without a check.
            message = "got an escape or a directive with a number out of range; expected valid YAML"
            raise _Refusal(self.get_mark(), message) from None

    def add_indent(self, column: int) -> bool:
        self._check_level()
        return super().add_indent(column)

    def _check_level(self) -> None:
        if self.flow_level + len(self.indents) >= MAXIMUM_LEVELS:
            message = f"got values nested more than {MAXIMUM_LEVELS} levels deep; expected at most {MAXIMUM_LEVELS}"
            raise _Refusal(self.get_mark(), message)


def read_yaml(text: str, source: str) -> Document:
    """Reads one document by the core schema of YAML 1.2, without aliases, anchors, merge keys and tags.

    Args:
        text: The document, at most `MAXIMUM_BYTES` long.
        source: What to call it in messages, such as the file's path.

    Returns:
        The values; None for an empty document. Duplicate keys are among its problems.

    Raises:
        ConfigError: The text cannot be read, or holds what is not accepted; says the line and the column.
    """
    check_size(len(text.encode(errors="replace")), source)
    _check_characters(text, source)
    text = text.removeprefix("\ufeff")
    check_lookalikes(text, source)
    try:
        return _Reader(yaml.parse(text, Loader=_BoundedLoader), source).document()
    except _Refusal as refusal:
        where = f"{source}:{refusal.mark.line + 1}:{refusal.mark.column + 1}"
        raise ConfigError(refusal.message, where=where, hint=refusal.hint) from None
    except yaml.MarkedYAMLError as error:
        raise syntax_error(error, text, source) from None


def decode_yaml(data: bytes, source: str) -> str:
    """Returns the text of a file.

    Raises:
        ConfigError: The bytes are not UTF-8; says the offset of the first that is wrong.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"got byte 0x{data[error.start]:02x} at offset {error.start}; expected UTF-8 text"
        before = data[: error.start].decode("utf-8")
        raise ConfigError(message, where=_end_of(before, source), hint="save the file as UTF-8") from None


def check_size(size: int, source: str) -> None:
    """Raises a `ConfigError` if a document of `size` bytes is too large to be an experiment."""
    if size > MAXIMUM_BYTES:
        message = f"got at least {size:,} bytes; expected at most {MAXIMUM_BYTES:,}"
        raise ConfigError(message, where=source)


def _end_of(text: str, source: str) -> str:
    lines = split_lines(text.removeprefix("\ufeff"))
    return f"{source}:{len(lines)}:{len(lines[-1]) + 1}"


def _check_characters(text: str, source: str) -> None:
    found = _NOT_PRINTABLE.search(text)
    if found:
        before = text[: found.start()]
        offset = len(before.encode())
        message = f"got the control character U+{ord(found[0]):04X} at offset {offset}; expected printable text"
        raise ConfigError(message, where=_end_of(before, source))


class _Reader:
    """Builds the values of one document from the parser's events."""

    def __init__(self, events: Iterator[yaml.Event], source: str) -> None:
        self.events, self.source = events, source
        self.places: dict[KeyPath, Place] = {}
        self.problems: list[Problem] = []
        self.values = 0

    def document(self) -> Document:
        """Returns the only document of the stream."""
        next(self.events)
        value: object = None
        self.places[()] = Place(f"{self.source}:1:1", f"{self.source}:1:1")
        if isinstance(next(self.events), yaml.DocumentStartEvent):
            value = self._value(next(self.events), (), None)
            next(self.events)
            following = next(self.events)
            if isinstance(following, yaml.DocumentStartEvent):
                raise _Refusal(_mark(following), "got a second document; expected one document per file")
        return Document(value, self.places, tuple(self.problems))

    def _value(self, event: yaml.Event, path: KeyPath, key_mark: yaml.Mark | None) -> object:
        self._check(event)
        mark = _mark(event)
        self.places[path] = Place(self._at(mark), self._at(key_mark or mark))
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _check(self, event: yaml.Event) -> None:
        """Refuses what YAML allows and an experiment file has no use for."""
        assert isinstance(event, yaml.NodeEvent)
        self.values += 1
        if self.values > MAXIMUM_VALUES:
            raise _Refusal(_mark(event), f"got more than {MAXIMUM_VALUES:,} values; expected at most that")
        if event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            message = f"got {clipped(sign + event.anchor)!r}; anchors and aliases are not supported"
            raise _Refusal(_mark(event), message, "write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            tag = clipped(tag.replace("tag:yaml.org,2002:", "!!"))
            raise _Refusal(_mark(event), f"got {tag!r}; tag not allowed, expected a plain value", "leave the tag out")

    def _sequence(self, path: KeyPath) -> list[object]:
        values: list[object] = []
        before: yaml.Event | None = None
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            _check_comma(before, event if getattr(event, "value", "").startswith("0") else None)
            values.append(self._value(event, (*path, len(values)), None))
            before = event
        return values

    def _mapping(self, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        lines: dict[str, int] = {}
        before: yaml.Event | None = None
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            _check_comma(before, event)
            key, mark = self._key(event), _mark(event)
            if key in values:
                message = f"got the key {clipped(key)!r} on lines {lines[key]} and {mark.line + 1}; expected it once"
                where = f"{self._at(mark)} {dotted((*path, key))}"
                self.problems.append(Problem(message, where, "keep one of them"))
            lines.setdefault(key, mark.line + 1)
            before = next(self.events)
            values[key] = self._value(before, (*path, key), mark)
        return values

    def _key(self, event: yaml.Event) -> str:
        self._check(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise _Refusal(_mark(event), "got a list or a mapping as a key; expected a name")
        if event.implicit[0] and event.value == "<<":
            raise _Refusal(_mark(event), "got '<<'; merge keys are not supported", "write the values out")
        key = _scalar(event)
        if not isinstance(key, str):
            raise _Refusal(_mark(event), f"got {clipped(event.value)} as a key; expected a name")
        return key

    def _at(self, mark: yaml.Mark) -> str:
        return f"{self.source}:{mark.line + 1}:{mark.column + 1}"


def _check_comma(before: yaml.Event | None, event: yaml.Event | None) -> None:
    """Refuses digits right behind the comma behind a number: its decimals, or thousands."""
    if not isinstance(before, yaml.ScalarEvent) or not isinstance(event, yaml.ScalarEvent):
        return
    received = f"{before.value},{event.value}"
    end = before.end_mark.index if before.end_mark else 0
    adjacent = _mark(event).index - end == 1 and before.implicit[0] and event.value.isdecimal()
    if adjacent and (number := meant_number(received, whole=True)):
        raise _Refusal(_mark(before), f"got {clipped(received)}; expected a number without a comma", f"write {number}")


def _scalar(event: yaml.ScalarEvent) -> object:
    try:
        return plain_value(event.value) if event.implicit[0] else event.value
    except ValueError as error:
        raise _Refusal(_mark(event), str(error)) from None


def _mark(event: yaml.Event) -> yaml.Mark:
    assert isinstance(event.start_mark, yaml.Mark)
    return event.start_mark

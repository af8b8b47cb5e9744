"""What people type that YAML reads otherwise or not at all: where it is, and what to write instead."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import yaml

from dtrain.experiment.config.yaml_schema import MAXIMUM_DIGITS, plain_value
from dtrain.ground.errors import ConfigError
from dtrain.ground.printable import SHOWN_CHARACTERS, Lines, clipped, printable

_HIDDEN = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'|(?:^|\s)\#.*""")
"""What may hold any character: text in quotes, and comments."""
_LOOKALIKES = re.compile(
    "(?P<space>[\u00a0\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff])"
    r"|(?P<quotation_mark>(?<![^\s:,\[{])[\u00ab\u2018-\u201e])"
    r"|(?P<colon>\uff1a)|(?P<comma>\uff0c)|(?P<hyphen>^\s*(?:- )*[\u2013\u2014\u2022](?=\s))"
)
_MISTYPED = (
    (re.compile(r"(?:- )*(?P<key>[A-Za-z_]\w*):(?P<value>[^\s:/\\].*)"), "a space behind the colon: `{key}: {value}`"),
    (re.compile(r"(?:- )*(?P<key>[A-Za-z_][\w.]*)\s*=\s*(?P<value>[^=]+)"), "a colon and a space: `{key}: {value}`"),
    (re.compile(r"-(?P<value>[A-Za-z_].*)"), "a space behind the dash: `- {value}`"),
    (re.compile(r"//\s*(?P<value>.*)"), "comments with a number sign: `# {value}`"),
    (re.compile(r"(?:\w+\.)*(?P<kind>\w+)\(.*\)"), "a mapping with its fields: `{{kind: {kind}, ...}}`"),
    (re.compile(r"```.*"), "what is between such lines, and not the lines"),
)
_KEY = re.compile(r"\s*(?:- )*[\w.'\"]+\s*:(?:\s|$)")
_CURES = (
    (r"mapping values", "write each key on a line of its own, and text with a colon in quotes"),
    (r"block end>, but found '(<block|\?|-)|document start", "indent it like the lines that it belongs to"),
    (r"block end>, but found '<scalar>", "put all of the text in quotes"),
    (r"block end>", "take it away"),
    (r"expected ',' or", "write a comma, or close the bracket in front of it"),
    (r"end of stream", "close the quotation marks"),
    (r"escape", "write it in single quotes, in which a backslash is a backslash"),
    (r"expected ':'", "write a colon and a value behind the key"),
    (r"", "put it in quotes"),
)
_WORDS = {
    "boolean": {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"},
    "null": {"none": "null", "nil": "null", "no": "null", "off": "null"},
}


def split_lines(text: str) -> list[str]:
    """Returns the lines of a text as editors count them."""
    return re.split("\r\n|\r|\n", text)


def check_lookalikes(text: str, source: str) -> None:
    """Refuses what only looks like a space, a colon, a dash or a quotation mark, outside of quotes and comments.

    Raises:
        ConfigError: There is one; says where.
    """
    for number, line in enumerate(split_lines(text) if not text.isascii() else (), 1):
        if found := _LOOKALIKES.search(_HIDDEN.sub(lambda hidden: "x" * len(hidden[0]), line)):
            sign, plain = found[0][-1], str(found.lastgroup).replace("_", " ")
            message = f"got U+{ord(sign):04X}, {unicodedata.name(sign, 'unknown').lower()}; expected a plain {plain}"
            hint = f"type the {plain} again, or put all of the text in quotes"
            raise ConfigError(message, where=f"{source}:{number}:{found.end()}", hint=hint)


def mistyped_line(text: str) -> str:
    """Returns what to write for a line, a key or a value that lacks a colon or a space; nothing where it has them."""
    for pattern, cure in _MISTYPED:
        if found := pattern.fullmatch(text.strip()):
            parts = {name: clipped(part) for name, part in found.groupdict().items()}
            return printable("write " + cure.format(**parts | {"kind": parts.get("kind", "").lower()}))
    return ""


def syntax_error(error: yaml.MarkedYAMLError, text: str, source: str) -> ConfigError:
    """Returns PyYAML's complaint in our shape: the cause and its place, the fix, and a caret below the place."""
    lines = split_lines(text)
    line, column, message, fix = _tab(error, lines) or _mistyped(error, lines) or _cause(error, lines)
    start = max(0, column - SHOWN_CHARACTERS // 2)
    excerpt = "".join(one if one.isprintable() else " " for one in lines[line][start : start + SHOWN_CHARACTERS])
    hint = Lines(fix, f"    {excerpt}", f"    {' ' * (column - start)}^")
    return ConfigError(message, where=f"{source}:{line + 1}:{column + 1}", hint=hint)


_Cause = tuple[int, int, str, str]


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _tab(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> _Cause | None:
    assert error.problem_mark
    number, column = error.problem_mark.line, error.problem_mark.column
    line = lines[number]
    if "\t" in line[: _margin(line)]:
        return number, line.index("\t"), "got a tab; expected spaces for indentation", "write spaces instead"
    tab = line[column : column + 1] == "\t"
    return (number, column, "got a tab; expected a space", "write a space instead") if tab else None


def _mistyped(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> _Cause | None:
    """The line that was taken for the beginning of the next: the parser stops only where that cannot go on."""
    assert error.problem_mark
    begun = error.context_mark if "simple key" in str(error.context) else None
    last = (begun or error.problem_mark).line
    for number in range(last, -1, -1):
        if fix := mistyped_line(lines[number]):
            received = f"got {clipped(lines[number].strip())!r}; expected a key, a colon, a space and a value"
            return number, _margin(lines[number]), received, fix
        if number < last and _KEY.match(lines[number]):
            break
    return None


def _cause(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> _Cause:
    problem, mark, opened = str(error.problem), error.problem_mark, error.context_mark
    assert mark
    line = lines[mark.line]
    first_colon = _KEY.match(line) is not None and ":" not in line[: mark.column]
    before = next((number for number in range(mark.line - 1, -1, -1) if lines[number].strip()), mark.line)
    if "mapping values" in problem and first_colon and _margin(lines[before]) < _margin(line):
        message = "got a key indented below a value; expected keys in one column, or below a key without a value"
        return mark.line, _margin(line), message, "indent it like the keys that it belongs to"
    if "expected ',' or" in problem and first_colon and line.lstrip().startswith('"'):
        end = len(lines[before].rstrip())
        if found := re.search(r"(?:^|\s)(//)", _HIDDEN.sub(lambda hidden: "x" * len(hidden[0]), lines[before])):
            return before, found.start(1), "got a comment that begins with //; expected #", "take the comment away"
        return before, end, "got no comma between two keys; expected one", "write a comma at the end of the line"
    first = next(number for number, one in enumerate(lines) if one.strip() and not one.lstrip().startswith("#"))
    if "document start" in problem and _margin(lines[first]) > _margin(line):
        message = "got an indented first line; expected it to begin where the others do"
        return first, 0, message, "take the spaces in front of it away"
    if lines[before].strip() == "...":
        return before, 0, "got three dots, which end a document; expected more keys", "take the line away"
    # a value on the command line has no other lines
    sought = problem if len(lines) > 1 else problem.replace("document start", "")
    fix = next(cure for pattern, cure in _CURES if re.search(pattern, sought))
    # The end of the text says little; what is still open there says more.
    message = f"got invalid YAML: {problem}".replace("'<stream end>'", "the end of the document")
    if opened and re.search("<stream end>|end of stream|expected ':'", problem):
        return opened.line, opened.column, message, fix
    if opened:
        message += f" {error.context} that starts on line {opened.line + 1}, column {opened.column + 1}"
    return mark.line, mark.column, message, fix


def meant_value(text: str, types: AbstractSet[str]) -> str:
    """Returns what to write for a text where a number, a word of YAML or a list is expected; nothing if unknown.

    Args:
        text: What was written.
        types: What may stand there, as JSON schemas name it.
    """
    words = (_WORDS[one].get(text.lower(), "") for one in ("boolean", "null") if one in types)
    number = meant_number(text, whole="number" not in types) if types & {"integer", "number"} else ""
    listed = re.sub(r"^\((.*?),?\)$", r"[\1]", text) if types & {"array", "object"} else text
    found = number or next(filter(None, words), "") or (listed if listed != text else "")
    return f"write {printable(clipped(found))}" if found else mistyped_line(text) if "object" in types else ""


def meant_number(text: str, *, whole: bool) -> str:
    """Returns as YAML writes it the number that a text is: with a comma, a per cent sign, a comment, and the like.

    Args:
        text: What was written.
        whole: Whether a comma is sooner between thousands.
    """
    if len(text) > SHOWN_CHARACTERS:
        return ""
    plain = re.split(r"#|//|;", re.sub("[\u2212\u2013]", "-", text))[0].strip(" \t'\",")
    plain = re.sub(r"(?<=\d)[\s_'](?=\d)|(?<=[eE])\s+|\s+(?=[-+eE%/^*])", "", plain)
    if whole and re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+", plain):
        plain = plain.replace(",", "")
    plain = plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain
    plain = re.sub(r"^10(?:\^|\*\*)(-?\d+)$", r"1e\1", plain)
    if parts := re.fullmatch(r"(\d+\.?\d*)(?:%|/(\d+\.?\d*))", plain):
        plain = f"{float(parts[1]) / (float(parts[2] or 100) or 1):g}"
    known = len(plain) <= MAXIMUM_DIGITS and plain != text and isinstance(plain_value(plain), int | float)
    return plain if known and plain.lower() not in ("true", "false") else ""

"""The grammar of list filters: text in, a tree out.

Two APIs share it. `ListCustomJobs` takes the filters of https://google.aip.dev/160, and `ListLogEntries` the
Logging query language, https://cloud.google.com/logging/docs/view/logging-query-language, which is an
extension of them:

    expression:  factor, joined by AND or by standing side by side
    factor:      term, joined by OR, which binds *tighter* than AND
    term:        NOT or `-`, then a restriction or an expression in parentheses
    restriction: path, one of `= != < <= > >= :`, a value or values in parentheses joined by AND, OR and NOT

A `Dialect` says what a language has beyond that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "JOBS",
    "LOGS",
    "And",
    "Call",
    "Dialect",
    "FilterError",
    "Node",
    "Not",
    "Or",
    "Path",
    "Restriction",
    "Value",
    "Word",
    "parse_tree",
]

_MAX_DEPTH = 50
_QUOTED = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
_SEGMENT = re.compile(r'[^\s()<>=!~:"\',.]+|"(?:[^"\\]|\\.)*"', re.DOTALL)
_KEYWORD = re.compile(r"[A-Za-z]+(?![\w.])")
_FUNCTION = re.compile(r"([A-Za-z_]\w*)\(")
_KEYWORDS = ("AND", "OR", "NOT")


@dataclass(frozen=True)
class Dialect:
    """What a filter language has.

    Args:
        operators: A regular expression of its comparison operators.
        value: A regular expression of its values.
        space: A regular expression of what may stand between words.
        words: Whether it has bare words, which are looked for in all fields, and functions.
    """

    operators: re.Pattern[str]
    value: re.Pattern[str]
    space: re.Pattern[str]
    words: bool


JOBS = Dialect(
    operators=re.compile(r"<=|>=|!=|=(?!~)|<|>|:"),
    value=re.compile(rf"{_QUOTED}|[^\s()\"']+", re.DOTALL),
    space=re.compile(r"\s*"),
    words=False,
)
"""The filters of https://google.aip.dev/160."""

LOGS = Dialect(
    operators=re.compile(r"<=|>=|!=|=~|!~|=|<|>|:"),
    # "Unquoted text must not contain any special characters."
    value=re.compile(rf"{_QUOTED}|[^\s()\"'~=:<>,]+", re.DOTALL),
    space=re.compile(r"(?:\s|--[^\n]*)*"),
    words=True,
)
"""The Logging query language."""

Path: TypeAlias = tuple[str, ...]


class FilterError(ValueError):
    """A filter that can't be parsed, or that names an unknown field."""


@dataclass(frozen=True)
class Value:
    """What a field is compared with.

    Args:
        text: The text, without quotes.
        quoted: Whether it had quotes: `*` and `NULL_VALUE` mean something only without.
    """

    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Restriction:
    """A field compared with a value."""

    path: Path
    operator: str
    value: Value


@dataclass(frozen=True)
class Word:
    """A text that any field may hold."""

    text: str


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple[Value, ...]


@dataclass(frozen=True)
class Not:
    """What must not match."""

    node: Node


@dataclass(frozen=True)
class And:
    """What must match, all of it."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """What must match, at least one of it."""

    nodes: tuple[Node, ...]


Node: TypeAlias = "Restriction | Word | Call | Not | And | Or"


def parse_tree(text: str, dialect: Dialect) -> Node:
    """Parse a filter; the empty text is an `And` of nothing, which everything matches.

    Args:
        text: The filter, as it comes in a request.
        dialect: The language that it is in.

    Raises:
        FilterError: The text is not in the grammar above; the message says where.
    """
    return _Parser(text, dialect).parse()


class _Parser:
    """Recursive descent, one method a grammar rule."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text = text
        self._dialect = dialect
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        node = self._expression(self._simple) if self._peek() else And(())
        if self._peek():
            raise self._error("unexpected")
        return node

    def _expression(self, leaf: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error("too many nested parentheses before")
        nodes = [self._factor(leaf)]
        while self._peek() not in ("", ")"):
            self._take_keyword("AND")
            nodes.append(self._factor(leaf))
        self._depth -= 1
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _factor(self, leaf: Callable[[], Node]) -> Node:
        nodes = [self._term(leaf)]
        while self._take_keyword("OR"):
            nodes.append(self._term(leaf))
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _term(self, leaf: Callable[[], Node]) -> Node:
        if self._take_keyword("NOT") or self._take("-"):
            return Not(self._composite(leaf))
        return self._composite(leaf)

    def _composite(self, leaf: Callable[[], Node]) -> Node:
        if not self._take("("):
            return leaf()
        node = self._expression(leaf)
        if not self._take(")"):
            raise self._error("expected a closing parenthesis, got")
        return node

    def _simple(self) -> Node:
        self._peek()
        start = self._at
        keyword = _KEYWORD.match(self._text, start)
        if keyword is not None and keyword[0] in _KEYWORDS:
            raise self._error("expected a field, got")
        if self._dialect.words and (function := _FUNCTION.match(self._text, start)):
            self._at = function.end()
            return Call(function[1].lower(), self._arguments())
        path = self._path()
        operator = self._match(self._dialect.operators)
        if operator is None and self._dialect.words:
            self._at = start
            return Word(self._value().text)
        if operator is None:
            raise self._error(f"expected a comparison after {'.'.join(path)!r}, got")
        return self._composite(lambda: Restriction(path, operator, self._value()))

    def _path(self) -> Path:
        segments = []
        while True:
            segment = self._match(_SEGMENT)
            if segment is None:
                raise self._error("expected a field, got")
            segments.append(_unquoted(segment).text)
            if not self._text.startswith(".", self._at):
                return tuple(segments)
            self._at += 1

    def _arguments(self) -> tuple[Value, ...]:
        values: list[Value] = []
        while not self._take(")"):
            if values and not self._take(","):
                raise self._error("expected a comma or a closing parenthesis, got")
            values.append(self._value())
        return tuple(values)

    def _value(self) -> Value:
        value = self._match(self._dialect.value)
        if value is None:
            raise self._error("expected a value, got")
        return _unquoted(value)

    def _peek(self) -> str:
        space = self._dialect.space.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _take_keyword(self, word: str) -> bool:
        self._peek()
        found = _KEYWORD.match(self._text, self._at)
        if found is None or found[0] != word:
            return False
        self._at = found.end()
        return True

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        self._peek()
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _error(self, problem: str) -> FilterError:
        rest = self._text[self._at :].strip()
        return FilterError(
            f"{problem} {rest[:40]!r} at position {self._at}" if rest else f"{problem} the end"
        )


def _unquoted(token: str) -> Value:
    if token[0] in "\"'":
        return Value(re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL), quoted=True)
    return Value(token)

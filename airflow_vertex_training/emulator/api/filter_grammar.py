"""The grammar of list filters: text in, a tree out.

The grammar is that of https://google.aip.dev/160 (jobs) and of the Cloud Logging query language (log
entries), https://cloud.google.com/logging/docs/view/logging-query-language, which share these rules:

    expression: factor, joined by AND or by standing side by side
    factor:     term, joined by OR: it binds *tighter* than AND
    term:       NOT or `-`, then a restriction or an expression in parentheses
    restriction: path, one of `= != < <= > >= :`, a value or a list `("a" OR "b")`

Left out: functions, regular expressions (`=~`), and a bare word that searches all fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["And", "FilterError", "Node", "Not", "Or", "Restriction", "parse_tree"]

_MAX_DEPTH = 50
_SPACE = re.compile(r"\s*")
_SEGMENT = re.compile(r'[^\s()<>=!:"\',.]+|"(?:[^"\\]|\\.)*"')
_OPERATOR = re.compile(r"<=|>=|!=|=|<|>|:")
_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[^\s()"\']+')
_WORD = re.compile(r"[A-Za-z]+(?![\w.])")


class FilterError(ValueError):
    """A filter that can't be parsed, or that names an unknown field."""


@dataclass(frozen=True)
class Restriction:
    """A field compared with a value."""

    path: str
    operator: str
    value: str


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


Node: TypeAlias = "Restriction | Not | And | Or"


def parse_tree(text: str) -> Node:
    """Parse a filter; the empty text is an `And` of nothing, which everything matches.

    Args:
        text: The filter, as it comes in a request.

    Raises:
        FilterError: The text is not in the grammar above; the message says where.
    """
    return _Parser(text).parse()


class _Parser:
    """Recursive descent, one method a grammar rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        node = self._expression() if self._peek() else And(())
        if self._peek():
            raise self._error("unexpected")
        return node

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error("too many nested parentheses before")
        nodes = [self._factor()]
        while self._peek() not in ("", ")"):
            self._take_word("AND")
            nodes.append(self._factor())
        self._depth -= 1
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _factor(self) -> Node:
        nodes = [self._term()]
        while self._take_word("OR"):
            nodes.append(self._term())
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _term(self) -> Node:
        if self._take_word("NOT") or self._take("-"):
            return Not(self._simple())
        return self._simple()

    def _simple(self) -> Node:
        if self._take("("):
            node = self._expression()
            if not self._take(")"):
                raise self._error("expected a closing parenthesis, got")
            return node
        return self._restriction()

    def _restriction(self) -> Node:
        path = self._path()
        operator = self._match(_OPERATOR)
        if operator is None:
            raise self._error(f"expected a comparison after {path!r}, got")
        if self._peek() == "~":
            raise self._error("regular expressions are not supported:")
        if operator in "=:" and self._take("("):
            nodes: list[Node] = [Restriction(path, operator, self._value())]
            while self._take_word("OR"):
                nodes.append(Restriction(path, operator, self._value()))
            if not self._take(")"):
                raise self._error("expected OR or a closing parenthesis in a list of values, got")
            return Or(tuple(nodes))
        return Restriction(path, operator, self._value())

    def _path(self) -> str:
        self._peek()
        word = _WORD.match(self._text, self._at)
        if word is not None and word[0] in ("AND", "OR", "NOT"):
            raise self._error("expected a field, got")
        segments = []
        while True:
            segment = self._match(_SEGMENT)
            if segment is None:
                raise self._error("expected a field, got")
            segments.append(_unquoted(segment))
            if not self._text.startswith(".", self._at):
                return ".".join(segments)
            self._at += 1

    def _value(self) -> str:
        value = self._match(_VALUE)
        if value is None:
            raise self._error("expected a value, got")
        return _unquoted(value)

    def _peek(self) -> str:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _take_word(self, word: str) -> bool:
        self._peek()
        found = _WORD.match(self._text, self._at)
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


def _unquoted(token: str) -> str:
    if token[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token

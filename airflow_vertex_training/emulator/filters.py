"""The filter language of Google's list methods, as far as jobs and log entries need it.

The grammar is that of https://google.aip.dev/160 (jobs) and of the Cloud Logging query language (log entries),
https://cloud.google.com/logging/docs/view/logging-query-language, which share these rules:

    expression: factor, joined by AND or by standing side by side
    factor:     term, joined by OR: it binds *tighter* than AND
    term:       NOT or `-`, then a restriction or an expression in parentheses
    restriction: path, one of `= != < <= > >= :`, a value or a list `("a" OR "b")`

Left out: functions, regular expressions (`=~`), and a bare word that searches all fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Field", "Filter", "FilterError", "parse"]

_MAX_DEPTH = 50
_SPACE = re.compile(r"\s*")
_SEGMENT = re.compile(r'[^\s()<>=!:"\',.]+|"(?:[^"\\]|\\.)*"')
_OPERATOR = re.compile(r"<=|>=|!=|=|<|>|:")
_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[^\s()"\']+')
_WORD = re.compile(r"[A-Za-z]+(?![\w.])")


class FilterError(ValueError):
    """A filter that can't be parsed, or that names an unknown field."""


@dataclass(frozen=True)
class Field:
    """What a filter needs to know of one field of a record.

    Args:
        read: Gets the field's value from a record; None where the record doesn't have it.
        parse: Turns the filter's text into a value of the same type; raises ValueError for a wrong one.
        operators: The operators that the field supports, separated by spaces.
    """

    read: Callable[[Any], Any]
    parse: Callable[[str], Any] = str
    operators: str = "= != :"


@dataclass(frozen=True)
class _Restriction:
    path: str
    operator: str
    value: str


@dataclass(frozen=True)
class _Not:
    node: _Node


@dataclass(frozen=True)
class _And:
    nodes: tuple[_Node, ...]


@dataclass(frozen=True)
class _Or:
    nodes: tuple[_Node, ...]


_Node: TypeAlias = "_Restriction | _Not | _And | _Or"


@dataclass(frozen=True)
class Filter:
    """A parsed filter; the empty text is the one that matches everything."""

    _node: _Node

    def compile(self, fields: Callable[[str], Field]) -> Callable[[Any], bool]:
        """Binds the filter to a kind of record.

        Args:
            fields: Finds the field of a path; raises KeyError for an unknown one.

        Returns:
            A function that says whether a record matches.

        Raises:
            FilterError: An unknown field, an operator that it doesn't support, or a value of the wrong form.
        """
        return _compile(self._node, fields)

    def could_match(self, known: Mapping[str, str]) -> bool:
        """Says whether a record with these field values may match, whatever its other fields are.

        Args:
            known: Values by path; compared with `=` and `!=` only.
        """
        return _possible(self._node, known) is not False

    def required(self, path: str) -> frozenset[str] | None:
        """Returns the values of which a matching record must have one in this field; None if any will do."""
        return _required(self._node, path)


@lru_cache(maxsize=1024)
def parse(text: str) -> Filter:
    """Parses a filter.

    Args:
        text: The filter, as it comes in a request.

    Raises:
        FilterError: The text is not in the grammar above; the message says where.
    """
    return Filter(_Parser(text).parse())


class _Parser:
    """Recursive descent, one method a grammar rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> _Node:
        node = self._expression() if self._peek() else _And(())
        if self._peek():
            raise self._error("unexpected")
        return node

    def _expression(self) -> _Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error("too many nested parentheses before")
        nodes = [self._factor()]
        while self._peek() not in ("", ")"):
            self._take_word("AND")
            nodes.append(self._factor())
        self._depth -= 1
        return nodes[0] if len(nodes) == 1 else _And(tuple(nodes))

    def _factor(self) -> _Node:
        nodes = [self._term()]
        while self._take_word("OR"):
            nodes.append(self._term())
        return nodes[0] if len(nodes) == 1 else _Or(tuple(nodes))

    def _term(self) -> _Node:
        if self._take_word("NOT") or self._take("-"):
            return _Not(self._simple())
        return self._simple()

    def _simple(self) -> _Node:
        if self._take("("):
            node = self._expression()
            if not self._take(")"):
                raise self._error("expected a closing parenthesis, got")
            return node
        return self._restriction()

    def _restriction(self) -> _Node:
        path = self._path()
        operator = self._match(_OPERATOR)
        if operator is None:
            raise self._error(f"expected a comparison after {path!r}, got")
        if self._peek() == "~":
            raise self._error("regular expressions are not supported:")
        if operator in "=:" and self._take("("):
            nodes: list[_Node] = [_Restriction(path, operator, self._value())]
            while self._take_word("OR"):
                nodes.append(_Restriction(path, operator, self._value()))
            if not self._take(")"):
                raise self._error("expected OR or a closing parenthesis in a list of values, got")
            return _Or(tuple(nodes))
        return _Restriction(path, operator, self._value())

    def _path(self) -> str:
        if self._peek() and _WORD.match(self._text, self._at):
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


def _compile(node: _Node, fields: Callable[[str], Field]) -> Callable[[Any], bool]:
    if isinstance(node, _Restriction):
        return _compile_restriction(node, fields)
    if isinstance(node, _Not):
        inner = _compile(node.node, fields)
        return lambda record: not inner(record)
    tests = [_compile(part, fields) for part in node.nodes]
    if isinstance(node, _And):
        return lambda record: all(test(record) for test in tests)
    return lambda record: any(test(record) for test in tests)


def _compile_restriction(node: _Restriction, fields: Callable[[str], Field]) -> Callable[[Any], bool]:
    try:
        field = fields(node.path)
    except KeyError:
        raise FilterError(f"unknown field {node.path!r}") from None
    if node.operator not in field.operators.split():
        raise FilterError(f"{node.path}: supports {field.operators}, got {node.operator!r}")
    if node.operator == ":":
        return _compile_has(field.read, node.value)
    try:
        value = field.parse(node.value)
    except ValueError as error:
        raise FilterError(f"{node.path}: {error}") from error
    return _COMPARISONS[node.operator](field.read, value)


def _compile_has(read: Callable[[Any], Any], value: str) -> Callable[[Any], bool]:
    """`:*` asks whether the field is there; a `*` elsewhere is a wildcard; other text is looked for inside."""
    if value == "*":
        return lambda record: read(record) not in (None, "")
    if "*" in value:
        pattern = re.compile(".*".join(re.escape(part) for part in value.split("*")), re.DOTALL)
        return lambda record: pattern.fullmatch(read(record) or "") is not None
    return lambda record: value in (read(record) or "")


_Comparison: TypeAlias = "Callable[[Callable[[Any], Any], Any], Callable[[Any], bool]]"


def _ordered(compare: Callable[[Any, Any], bool]) -> _Comparison:
    def bind(read: Callable[[Any], Any], value: Any) -> Callable[[Any], bool]:
        def test(record: Any) -> bool:
            found = read(record)
            return found is not None and compare(found, value)

        return test

    return bind


_COMPARISONS: dict[str, _Comparison] = {
    "=": lambda read, value: lambda record: bool(read(record) == value),
    "!=": lambda read, value: lambda record: bool(read(record) != value),
    "<": _ordered(lambda found, value: bool(found < value)),
    "<=": _ordered(lambda found, value: bool(found <= value)),
    ">": _ordered(lambda found, value: bool(found > value)),
    ">=": _ordered(lambda found, value: bool(found >= value)),
}


def _possible(node: _Node, known: Mapping[str, str]) -> bool | None:
    """Three-valued logic: None is "it depends on fields that are not known"."""
    if isinstance(node, _Restriction):
        if node.path not in known or node.operator not in ("=", "!="):
            return None
        return (known[node.path] == node.value) is (node.operator == "=")
    if isinstance(node, _Not):
        inner = _possible(node.node, known)
        return None if inner is None else not inner
    parts = [_possible(part, known) for part in node.nodes]
    decisive = isinstance(node, _Or)
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _required(node: _Node, path: str) -> frozenset[str] | None:
    if isinstance(node, _Restriction):
        return frozenset([node.value]) if (node.path, node.operator) == (path, "=") else None
    if isinstance(node, _Not):
        return None
    parts = [_required(part, path) for part in node.nodes]
    if isinstance(node, _Or):
        return None if None in parts else frozenset().union(*[part for part in parts if part is not None])
    found = [part for part in parts if part is not None]
    return frozenset.intersection(*found) if found else None

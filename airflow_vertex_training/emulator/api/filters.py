"""Filters of list requests, applied to records.

A parsed filter is compiled against a kind of record into a plain function, and can be asked what it implies,
so that a list looks only where a match can be. What one comparison means is the API's own: this module has
that of `ListCustomJobs`, `logs.query` that of `ListLogEntries`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import timestamp_pb2

from airflow_vertex_training.emulator.api.filter_grammar import (
    JOBS,
    And,
    Call,
    Dialect,
    FilterError,
    Node,
    Not,
    Or,
    Path,
    Restriction,
    Word,
    parse_tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Field", "Filter", "FilterError", "Test", "field_test", "nanoseconds", "parse"]

Test: TypeAlias = "Callable[[Any], bool]"
"""Says whether a record matches."""

_WILDCARD = "*"


@dataclass(frozen=True)
class Field:
    """What a filter needs to know of one field of a record.

    Args:
        read: Gets the field's value from a record; None where the record doesn't have it.
        parse: Turns the filter's text into a value of the same type; raises ValueError for a wrong one.
        operators: The operators that the field supports, separated by spaces.
        in_map: Whether it is a map's value: there `:` is equality, and a wildcard works with `=`, too.
    """

    read: Callable[[Any], Any]
    parse: Callable[[str], Any] = str
    operators: str = "= != :"
    in_map: bool = False


@dataclass(frozen=True)
class Filter:
    """A parsed filter; the empty text is the one that matches everything."""

    _node: Node

    def compile(self, leaf: Callable[[Restriction | Word | Call], Test]) -> Test:
        """Bind the filter to a kind of record.

        Args:
            leaf: Binds one comparison.

        Returns:
            A function that says whether a record matches.

        Raises:
            FilterError: An unknown field, an operator that it doesn't support, or a value of the wrong form.
        """
        return _compile(self._node, leaf)

    def could_match(self, known: Mapping[Path, str]) -> bool:
        """Say whether a record with these field values may match, whatever its other fields are.

        Args:
            known: Values by path; compared with `=` and `!=` only.
        """
        return _possible(self._node, known) is not False

    def required(self, path: Path) -> frozenset[str] | None:
        """Return the values of which a matching record must have one in this field; None if any will do."""
        return _required(self._node, path)

    def given(self, path: Path) -> Filter:
        """Return what is left to test of records that have one of the `required` values in this field."""
        nodes = self._node.nodes if isinstance(self._node, And) else (self._node,)
        return Filter(And(tuple(node for node in nodes if not _asks_only_for(node, path))))


@lru_cache(maxsize=1024)
def parse(text: str, dialect: Dialect = JOBS) -> Filter:
    """Parse a filter.

    Args:
        text: The filter, as it comes in a request.
        dialect: The language that it is in.

    Raises:
        FilterError: The text is not in the grammar; the message says where.
    """
    return Filter(parse_tree(text, dialect))


def field_test(fields: Callable[[Path], Field], node: Restriction | Word | Call) -> Test:
    """Bind one comparison as https://google.aip.dev/160 has it: what `Filter.compile` wants as `leaf`.

    Args:
        fields: Finds the field of a path; raises KeyError for an unknown one.
        node: The comparison.

    Raises:
        FilterError: An unknown field, an operator that it doesn't support, or a value of the wrong form.
    """
    if not isinstance(node, Restriction):
        raise FilterError(f"expected a comparison, got {node}")
    path = ".".join(node.path)
    try:
        field = fields(node.path)
    except KeyError:
        raise FilterError(f"unknown field {path!r}") from None
    if node.operator not in field.operators.split():
        raise FilterError(f"{path}: supports {field.operators}, got {node.operator!r}")
    value = node.value
    if node.operator == ":" and value.text == _WILDCARD and not value.quoted:
        absent = (None,) if field.in_map else (None, "")
        return lambda record: field.read(record) not in absent
    if _WILDCARD in value.text and (node.operator == ":" or field.in_map):
        pattern = re.compile(".*".join(re.escape(part) for part in value.text.split(_WILDCARD)), re.DOTALL)
        negated = node.operator == "!="
        return lambda record: (pattern.fullmatch(field.read(record) or "") is not None) is not negated
    if node.operator == ":" and not field.in_map:
        return lambda record: value.text in (field.read(record) or "")
    try:
        wanted = field.parse(value.text)
    except ValueError as error:
        raise FilterError(f"{path}: {error}") from error
    return _COMPARISONS[node.operator](field.read, wanted)


def nanoseconds(text: str) -> int:
    """Read a time: what `Field.parse` is for fields that hold one.

    Args:
        text: In RFC 3339, such as `2026-05-18T00:00:00Z`.

    Returns:
        Nanoseconds since 1970.

    Raises:
        ValueError: It is no such text.
    """
    timestamp = timestamp_pb2.Timestamp()
    try:
        timestamp.FromJsonString(text)
    except ValueError:
        raise ValueError(f'must be an RFC 3339 time such as "2026-05-18T00:00:00Z", got {text!r}') from None
    return timestamp.ToNanoseconds()


def _compile(node: Node, leaf: Callable[[Restriction | Word | Call], Test]) -> Test:
    if isinstance(node, Not):
        inner = _compile(node.node, leaf)
        return lambda record: not inner(record)
    if isinstance(node, And | Or):
        tests = [_compile(part, leaf) for part in node.nodes]
        if isinstance(node, And):
            return lambda record: all(test(record) for test in tests)
        return lambda record: any(test(record) for test in tests)
    return leaf(node)


_Comparison: TypeAlias = "Callable[[Callable[[Any], Any], Any], Test]"


def _ordered(compare: Callable[[Any, Any], bool]) -> _Comparison:
    def bind(read: Callable[[Any], Any], value: Any) -> Test:
        def test(record: Any) -> bool:
            found = read(record)
            return found is not None and compare(found, value)

        return test

    return bind


def _equal(read: Callable[[Any], Any], value: Any) -> Test:
    return lambda record: bool(read(record) == value)


_COMPARISONS: dict[str, _Comparison] = {
    "=": _equal,
    ":": _equal,
    "!=": lambda read, value: lambda record: bool(read(record) != value),
    "<": _ordered(lambda found, value: bool(found < value)),
    "<=": _ordered(lambda found, value: bool(found <= value)),
    ">": _ordered(lambda found, value: bool(found > value)),
    ">=": _ordered(lambda found, value: bool(found >= value)),
}


def _possible(node: Node, known: Mapping[Path, str]) -> bool | None:
    """Three-valued logic: None is "it depends on fields that are not known"."""
    if isinstance(node, Restriction):
        if node.path not in known or node.operator not in ("=", "!="):
            return None
        return (known[node.path] == node.value.text) is (node.operator == "=")
    if isinstance(node, Not):
        inner = _possible(node.node, known)
        return None if inner is None else not inner
    if isinstance(node, Word | Call):
        return None
    parts = [_possible(part, known) for part in node.nodes]
    decisive = isinstance(node, Or)
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _asks_only_for(node: Node, path: Path) -> bool:
    if isinstance(node, Or):
        return all(_asks_only_for(part, path) for part in node.nodes)
    return isinstance(node, Restriction) and (node.path, node.operator) == (path, "=")


def _required(node: Node, path: Path) -> frozenset[str] | None:
    if isinstance(node, Restriction):
        return frozenset([node.value.text]) if (node.path, node.operator) == (path, "=") else None
    if not isinstance(node, And | Or):
        return None
    parts = [_required(part, path) for part in node.nodes]
    if isinstance(node, Or):
        return None if None in parts else frozenset().union(*[part for part in parts if part is not None])
    found = [part for part in parts if part is not None]
    return frozenset.intersection(*found) if found else None

"""Filters of list requests, applied to records: jobs and log entries.

A parsed filter is compiled against a kind of record into a plain function, and can be asked what it implies,
so that a list looks only where a match can be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf import timestamp_pb2

from airflow_vertex_training.emulator.api.filter_grammar import (
    And,
    FilterError,
    Node,
    Not,
    Or,
    Restriction,
    parse_tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Field", "Filter", "FilterError", "nanoseconds", "parse"]


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
class Filter:
    """A parsed filter; the empty text is the one that matches everything."""

    _node: Node

    def compile(self, fields: Callable[[str], Field]) -> Callable[[Any], bool]:
        """Bind the filter to a kind of record.

        Args:
            fields: Finds the field of a path; raises KeyError for an unknown one.

        Returns:
            A function that says whether a record matches.

        Raises:
            FilterError: An unknown field, an operator that it doesn't support, or a value of the wrong form.
        """
        return _compile(self._node, fields)

    def could_match(self, known: Mapping[str, str]) -> bool:
        """Say whether a record with these field values may match, whatever its other fields are.

        Args:
            known: Values by path; compared with `=` and `!=` only.
        """
        return _possible(self._node, known) is not False

    def required(self, path: str) -> frozenset[str] | None:
        """Return the values of which a matching record must have one in this field; None if any will do."""
        return _required(self._node, path)


@lru_cache(maxsize=1024)
def parse(text: str) -> Filter:
    """Parse a filter.

    Args:
        text: The filter, as it comes in a request.

    Raises:
        FilterError: The text is not in the grammar; the message says where.
    """
    return Filter(parse_tree(text))


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


def _compile(node: Node, fields: Callable[[str], Field]) -> Callable[[Any], bool]:
    if isinstance(node, Restriction):
        return _compile_restriction(node, fields)
    if isinstance(node, Not):
        inner = _compile(node.node, fields)
        return lambda record: not inner(record)
    tests = [_compile(part, fields) for part in node.nodes]
    if isinstance(node, And):
        return lambda record: all(test(record) for test in tests)
    return lambda record: any(test(record) for test in tests)


def _compile_restriction(node: Restriction, fields: Callable[[str], Field]) -> Callable[[Any], bool]:
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
    # `:*` asks whether the field is there; a `*` elsewhere is a wildcard; other text is looked for inside.
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


def _possible(node: Node, known: Mapping[str, str]) -> bool | None:
    """Three-valued logic: None is "it depends on fields that are not known"."""
    if isinstance(node, Restriction):
        if node.path not in known or node.operator not in ("=", "!="):
            return None
        return (known[node.path] == node.value) is (node.operator == "=")
    if isinstance(node, Not):
        inner = _possible(node.node, known)
        return None if inner is None else not inner
    parts = [_possible(part, known) for part in node.nodes]
    decisive = isinstance(node, Or)
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _required(node: Node, path: str) -> frozenset[str] | None:
    if isinstance(node, Restriction):
        return frozenset([node.value]) if (node.path, node.operator) == (path, "=") else None
    if isinstance(node, Not):
        return None
    parts = [_required(part, path) for part in node.nodes]
    if isinstance(node, Or):
        return None if None in parts else frozenset().union(*[part for part in parts if part is not None])
    found = [part for part in parts if part is not None]
    return frozenset.intersection(*found) if found else None

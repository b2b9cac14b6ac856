"""Reads objects of the model, given as such or as dicts with the same names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.reader import Open, Reader, Said
from airflow_vertex_training.vertex.spec.rows import Part, field_like, own_rows
from airflow_vertex_training.vertex.spec.values import is_list, written_out
from airflow_vertex_training.vertex.spec.words import choices, kind

if TYPE_CHECKING:
    from collections.abc import Iterator


_AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})


def plain(value: Any) -> Any:
    """Return objects, of the model or messages of the client library, as the dicts that Airflow can render.

    Lists and dicts of other kinds become such as well. What can't be read through stays as it is: it is
    refused where it is used.
    """
    kind = type(value)
    # Most are: making each command anew costs every DAG file some time.
    if kind in _AS_THEY_ARE or (kind is list and _AS_THEY_ARE.issuperset(map(type, value))):
        return value
    try:
        return _plain(value)
    except RecursionError:
        return value


def _plain(value: Any) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Part):
        said = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))  # type: ignore[arg-type] # each Part is one
        return {name: _plain(each) for name, each in said if each is not None}
    value = of_message(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if is_list(value) else value


def of_message(value: Any) -> Any:
    """Return a message of Google's client library as a dict of what is set in it, anything else as it is."""
    kind = type(value)
    if hasattr(kind, "pb"):
        # The client library's own wrapper around it.
        value = kind.pb(value)
        kind = type(value)
    if not hasattr(kind, "ListFields"):
        return value
    if kind.DESCRIPTOR.full_name == "google.protobuf.Duration":
        return value.ToTimedelta()
    return {field.name: each for field, each in value.ListFields()}


def read_fields(
    kind_of: type[Any], value: Any, where: str, reader: Reader, prefix: str = ""
) -> dict[str, Said]:
    """Read an object, or a dict in its place.

    Args:
        kind_of: the object's class.
        value: the object, or a dict with its fields.
        where: its name in messages.
        reader: keeps what is wrong.
        prefix: put before the names, such as ``machine.``.

    Returns:
        The rows that were said, by name.
    """
    said: dict[str, Said] = {}
    rows = own_rows(kind_of)
    for name, each in _pairs(kind_of, value, where, reader):
        row = rows[name]
        at = f"{where}.{name}" if where else name
        if row.group is None:
            said[prefix + name] = reader.said(row, each, at)
        elif reader.is_open(each):
            # None of its fields is known yet.
            names = _names(row.group, f"{prefix}{name}.")
            said.update({inner: Said(Open(each), at) for inner in names})
        else:
            said.update(read_fields(row.group, each, at, reader, f"{prefix}{name}."))
    return said


def read_item(kind_of: type[Any], value: Any, where: str, reader: Reader) -> Any:
    """Read an object that is one of a list; return it, checked, or ``Open``."""
    if reader.is_open(value):
        return Open(value)
    before = len(reader.findings)
    said = {name: each.value for name, each in read_fields(kind_of, value, where, reader).items()}
    for field in dataclasses.fields(kind_of):
        if field.default is dataclasses.MISSING and said.get(field.name) is None:
            reader.wrong(f"{where}.{field.name}", "is missing")
    return kind_of(**said) if len(reader.findings) == before else Open(value)


def _pairs(kind_of: type[Any], value: Any, where: str, reader: Reader) -> Iterator[tuple[str, Any]]:
    value = written_out(value)
    if isinstance(value, kind_of):
        value = {name: getattr(value, name) for name in own_rows(kind_of)}
    if not isinstance(value, Mapping):
        reader.wrong(where, f"must be a {kind_of.__name__} or a dict, got {kind(value)}")
        return
    known = own_rows(kind_of)
    for name, each in value.items():
        if name not in known:
            right = field_like(kind_of, str(name))
            offer = f"did you mean {right!r}?" if right else f"it has {choices(known)}"
            reader.wrong(f"{where}.{name}", f"{kind_of.__name__} has no such field: {offer}")
        elif each is not None:
            yield name, each


def _names(kind_of: type[Any], prefix: str) -> Iterator[str]:
    for name, row in own_rows(kind_of).items():
        if row.group is None:
            yield prefix + name
        else:
            yield from _names(row.group, f"{prefix}{name}.")

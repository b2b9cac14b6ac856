"""What a row of the table of fields is made of.

A row stands as the metadata of its dataclass field, in `job` and `pools`: one place says a field's name,
type, check, default, place in the message and words.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.words import choices, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_vertex_training.vertex.spec.reader import Reader

    Check = Callable[[Any, str, Reader], Any]


class Part:
    """A part of a job. It shows what it says, and nothing that may be a secret."""

    def __repr__(self) -> str:
        fields = [field for field in dataclasses.fields(self) if field.repr]  # type: ignore[arg-type]
        said = ((field.name, getattr(self, field.name)) for field in fields)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in said if value)})"


@dataclass(frozen=True)
class Row:
    """One field of a job: all that is known about it.

    Args:
        message: its place in the message of its scope, dotted, in the API's own snake case.
        check: takes a value, its name in error messages and a reader; returns the value made plain.
        words: what it is, for documentation.
        default: the package's default, default none.
        argument: the operator's argument that says it, ``None`` where only an object does.
        connection: the field of a connection that may say it, default none.
        package_message: its place in a pool that runs a Python package, where that is another one.
        items: the class of its items, where it is a list of objects.
        zero_counts: whether 0 is a value of its own, not the same as none.
        name: dotted, within its scope (a job, a pool, an item of a list).
        group: the class that it stands for as a whole, where it is no field of its own.
    """

    message: str
    check: Check | None
    words: str
    default: Any = None
    argument: str | None = None
    connection: str | None = None
    package_message: str | None = None
    items: type[Any] | None = None
    zero_counts: bool = False
    name: str = ""
    group: type[Any] | None = None


def row(message: str, check: Check, words: str, **more: Any) -> Mapping[str, Any]:
    """Return the metadata of a dataclass field that is a row of the table; see ``Row``."""
    return {"row": Row(message, check, words, **more)}


def group(message: str, kind: type[Any], words: str) -> Mapping[str, Any]:
    """Return the metadata of a dataclass field whose rows are those of another class."""
    return {"row": Row(message, None, words, group=kind)}


def rows(kind: type[Any]) -> dict[str, Row]:
    """Return the rows of a scope by name, those of its groups under ``GROUP.FIELD``."""
    return {each.name: each for each in _walk(kind, "", "")}


def groups(kind: type[Any]) -> dict[str, Row]:
    """Return the groups of a scope by name, the inner ones under ``GROUP.GROUP``."""
    return {each.name: each for each in _walk_groups(kind, "")}


def own_rows(kind: type[Any]) -> dict[str, Row]:
    """Return the rows and groups that a class has as fields of its own."""
    return {each.name: each.metadata["row"] for each in dataclasses.fields(kind) if "row" in each.metadata}


def _walk(kind: type[Any], name: str, message: str) -> Iterator[Row]:
    for field, each in own_rows(kind).items():
        path, place = _joined(name, field), _joined(message, each.message)
        if each.group is None:
            yield replace(each, name=path, message=place)
        else:
            yield from _walk(each.group, path, place)


def _walk_groups(kind: type[Any], name: str) -> Iterator[Row]:
    for field, each in own_rows(kind).items():
        if each.group is not None:
            path = _joined(name, field)
            yield replace(each, name=path)
            yield from _walk_groups(each.group, path)


def _joined(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def field_like(kind: type[Any], name: str) -> str | None:
    """Return the dotted name of the field that is most like one that an object has not, or ``None``."""
    leaves = {path.rpartition(".")[2]: path for path in rows(kind)}
    known = {**leaves, **{own: own for own in own_rows(kind)}}
    right = nearest(name, known)
    return known[right] if right else None


def constructed(kind: type[Any], path: str) -> str:
    """Return how a row is written as an argument of its scope, such as ``disk=Disk(boot_disk_type=...)``."""
    inner = groups(kind)
    head, _, leaf = path.rpartition(".")
    text = f"{leaf}=..."
    while head:
        group_kind = inner[head].group
        head, _, name = head.rpartition(".")
        text = f"{name}={group_kind.__name__ if group_kind else ''}({text})"
    return text


def _offering(kind: type[Any]) -> Callable[..., None]:
    """Return a class's constructor, which says how to write a field that is not there."""
    made = kind.__init__

    @wraps(made)
    def init(self: Any, *args: Any, **fields: Any) -> None:
        try:
            made(self, *args, **fields)
        except TypeError as error:
            unknown = sorted(fields.keys() - own_rows(kind).keys())
            if not unknown:
                raise
            right = field_like(kind, unknown[0])
            offer = (
                f"did you mean {constructed(kind, right)}?" if right else f"it has {choices(own_rows(kind))}"
            )
            raise TypeError(f"{kind.__name__} has no field {unknown[0]!r}: {offer}") from error

    return init


def documented(kind: type[Any]) -> type[Any]:
    """Add a class's rows to its docstring, so that their words stand in one place, and to its errors."""
    kind.__init__ = _offering(kind)
    lines = [
        f"    {name}: {each.words}{'' if each.default is None else f', default {each.default}'}."
        for name, each in own_rows(kind).items()
    ]
    kind.__doc__ = f"{(kind.__doc__ or '').rstrip()}\n\n    Args:\n    " + "\n    ".join(lines) + "\n    "
    return kind

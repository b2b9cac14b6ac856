"""Arguments that were found right before. A DAG's tasks are alike, and all are made anew at each parse."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.values import unsendable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

_SCALARS = frozenset({str, int, float, bool, timedelta})
# Nearly any text is right in them, also as the value of a variable.
_TEXTS = frozenset({"command", "args", "env"})
_OPEN = object()
# A process that parses many DAGs must not remember them all.
_MOST = 1000

_right: set[Hashable] = set()


def shape(values: Mapping[str, Any], is_open: Callable[[Any], bool], *more: Hashable) -> Hashable | None:
    """Return all that decides whether arguments are right; ``None`` where that is too much to compare.

    Args:
        values: the arguments by name; ``None`` is not said.
        is_open: whether a value is known only when the task runs.
        more: what it depends on besides.
    """
    found: list[Hashable] = [*more]
    for name, value in values.items():
        if value is None:
            continue
        kind = type(value)
        if is_open(value):
            found.append((name, _OPEN))
        elif kind in _SCALARS:
            # 1, 1.0 and True are the same to a set, and not to a check.
            found.append((name, kind, value))
        elif name in _TEXTS and kind is list and all(map(_is_right_text, value)):
            found.append((name, kind))
        elif name in _TEXTS and kind is dict and all(map(_is_right_text, value.values())):
            found.append((name, kind, *value))
        else:
            return None
    return tuple(found)


def _is_right_text(value: Any) -> bool:
    return type(value) is str and unsendable(value) is None


def were_right(shape: Hashable | None) -> bool:
    """Whether arguments of this shape were found right before."""
    return shape is not None and shape in _right


def are_right(shape: Hashable | None) -> None:
    """Keep that arguments of this shape are right."""
    if len(_right) >= _MOST:
        forget()
    if shape is not None:
        _right.add(shape)


def forget() -> None:
    """Remember nothing that was found right."""
    _right.clear()

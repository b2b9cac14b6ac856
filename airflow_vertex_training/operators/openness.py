"""Which values are known only when a task runs: templates, and results of other tasks."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_JINJA = {"variable_start_string": "{{", "block_start_string": "{%", "comment_start_string": "{#"}
_CLOSED = frozenset({int, float, bool, dict, list, tuple, type(None)})
_LINES = ("line_statement_prefix", "line_comment_prefix")


def openness(dag: Any, files: Sequence[str] = ()) -> Callable[[Any], bool]:
    """Return the test for values that are not known yet, by the delimiters that a DAG has for its templates.

    Args:
        dag: the DAG, or ``None`` where there is none yet.
        files: endings of files whose content Airflow puts in the place of their names, default none.
    """
    own: Mapping[str, Any] = getattr(dag, "jinja_environment_kwargs", None) or {}
    marks = [str(own.get(name, mark)) for name, mark in _JINJA.items()] if own else _JINJA.values()
    lines = [str(own[name]) for name in _LINES if own.get(name)] if own else ()
    return _test(*marks, lines=tuple(lines), endings=tuple(files))


# Each operator asks for the test of its DAG.
@lru_cache(maxsize=32)
def _test(
    variable: str, block: str, comment: str, *, lines: tuple[str, ...], endings: tuple[str, ...]
) -> Callable[[Any], bool]:
    def is_open(value: Any) -> bool:
        kind = type(value)
        if kind is str or isinstance(value, str):
            return (
                variable in value
                or block in value
                or comment in value
                or (lines != () and any(mark in value for mark in lines))
                or (endings != () and value.endswith(endings))
            )
        if kind in _CLOSED:
            return False
        if issubclass(kind, os.PathLike):
            return is_open(str(value))
        # XComArg, DagParam, a mapped argument and their like; a function that Airflow calls with the context.
        return hasattr(kind, "iter_references") or hasattr(kind, "resolve") or _is_function(value)

    return is_open


def how_written(value: Any) -> str:
    """Return what is known only when a task runs as text, as a template would stand for it."""
    if isinstance(value, str):
        return value
    kind = type(value).__name__
    # Airflow shows some as objects.
    if kind == "DagParam":
        text = f"params.{value._name}"  # noqa: SLF001 - there is no other way to it
    elif kind == "MappedArgument":
        text = f"{value._key} of the mapped task group"  # noqa: SLF001 - as above
    else:
        text = getattr(value, "__name__", None) or str(value)
    return text if "{{" in text else f"{{{{ {text} }}}}"


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)

"""What an operator is told about waiting: no field of a job, and checked as those are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import checks, places, quantities
from airflow_vertex_training.vertex.spec.reader import Open
from airflow_vertex_training.vertex.spec.words import kind, shown

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.reader import Reader


def seconds(value: Any, default: float, where: str, reader: Reader) -> float:
    """Return a timedelta, number or text as seconds that can be stored; ``None`` is the default."""
    if value is None or value is default:
        return default
    plain = quantities.as_duration(value)
    if plain is None:
        reader.wrong(where, f"must be a timedelta or seconds, got {kind(value)}")
        return default
    if plain <= timedelta(0):
        reader.wrong(where, f"must be more than 0 seconds, got {shown(value)}")
        return default
    return float(plain.total_seconds())


def switch(value: Any, default: bool, where: str, reader: Reader) -> bool:  # noqa: FBT001 - a value like others
    """Return true or false, also where text says it; ``None`` is the default."""
    if value is None or value is default:
        return default
    plain = quantities.flag(value, where, reader)
    return plain if isinstance(plain, bool) else default


def connection_id(value: Any, default: str, where: str, reader: Reader) -> Any:
    """Return a connection's id, or the template that will be one; ``None`` and empty are the default."""
    if value is None or reader.is_open(value):
        return default if value is None else value
    plain = checks.text(value, where, reader)
    return plain if isinstance(plain, str) else default


def impersonation_chain(value: Any, where: str, reader: Reader) -> Any:
    """Return an account, a list of them, or the template that will be one, in forms that can be stored."""
    if value is None or reader.is_open(value):
        return value
    plain = places.accounts(value, where, reader)
    return None if isinstance(plain, Open) else plain

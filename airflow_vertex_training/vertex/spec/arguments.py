"""Reads an operator's arguments, or a template's keys, which are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import reading
from airflow_vertex_training.vertex.spec.layers import Layer, filled, same_level
from airflow_vertex_training.vertex.spec.objects import read_fields
from airflow_vertex_training.vertex.spec.pools import WorkerPool
from airflow_vertex_training.vertex.spec.reader import Open, Reader, Said
from airflow_vertex_training.vertex.spec.table import (
    CONNECTION,
    GROUPS,
    JOB,
    JOB_ARGUMENTS,
    POOL,
    POOL_ARGUMENTS,
)
from airflow_vertex_training.vertex.spec.values import is_blank, is_list, written_out
from airflow_vertex_training.vertex.spec.words import kind

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.layers import Fields


def read_arguments(values: Mapping[str, Any], reader: Reader, prefix: str = "") -> Layer:
    """Read arguments, the flat ones and those that take objects, as one layer.

    Args:
        values: the arguments by name; ``None`` is not said. Those that the table does not have are left out.
        reader: keeps what is wrong.
        prefix: put before the arguments' names in messages, default nothing.
    """
    given = {name: value for name, value in values.items() if value is not None}
    job: Fields = {
        JOB_ARGUMENTS[name]: reader.said(JOB[JOB_ARGUMENTS[name]], given[name], prefix + name)
        for name in JOB_ARGUMENTS
        if name in given
    }
    pool: Fields = {
        POOL_ARGUMENTS[name]: reader.said(POOL[POOL_ARGUMENTS[name]], given[name], prefix + name)
        for name in POOL_ARGUMENTS
        if name in given
    }
    for name in [name for name in GROUPS if name in given]:
        job = same_level(job, _group(name, given[name], prefix + name, reader), reader)
    before = len(reader.findings)
    pools = _pools(given.get("worker_pools"), f"{prefix}worker_pools", reader)
    unreadable = pools is None and len(reader.findings) > before
    unknown = unreadable or any(reader.is_open(given.get(name)) for name in ("worker_pools", "job_spec"))
    layer = Layer(job, pool, pools, unknown=unknown)
    if "job_spec" in given and not reader.is_open(given["job_spec"]):
        layer = _together(layer, reading.read(given["job_spec"], f"{prefix}job_spec", reader), reader)
    return _spread(layer, reader)


def _group(name: str, value: Any, where: str, reader: Reader) -> Fields:
    group = GROUPS[name].group
    assert group is not None  # noqa: S101 - that is what GROUPS are
    if reader.is_open(value):
        return {each: Said(Open(value), where) for each in JOB if each.startswith(f"{name}.")}
    if is_blank(value) or (isinstance(value, (dict, list, tuple)) and not value):
        return {}
    return read_fields(group, value, where, reader, f"{name}.")


def read_connection(fields: Mapping[str, Any], conn_id: str, reader: Reader) -> Layer:
    """Read a connection's own fields: what the operator's arguments of the same meaning override.

    Args:
        fields: the connection's fields by name; those that are empty say nothing.
        conn_id: the connection's id, which messages name.
        reader: keeps what is wrong.
    """
    return Layer(
        {
            name: reader.said(JOB[name], fields[field], f"connection {conn_id!r}: {field}")
            for field, name in CONNECTION.items()
            if fields.get(field) not in (None, "", {})
        }
    )


def _pools(value: Any, where: str, reader: Reader) -> list[Fields] | None:
    value = written_out(value)
    if value is None or reader.is_open(value) or is_blank(value):
        return None
    if not is_list(value):
        reader.wrong(where, f"must be a list of WorkerPool, got {kind(value)}")
        return None
    return [_pool(each, f"{where}[{index}]", reader) for index, each in enumerate(value)] or None


def _pool(value: Any, where: str, reader: Reader) -> Fields:
    value = written_out(value)
    if value is None or (isinstance(value, Mapping) and not value):
        return {}
    if not isinstance(value, (Mapping, WorkerPool)):
        if not reader.is_open(value):
            reader.wrong(where, f"must be a WorkerPool or a dict, got {kind(value)}")
        return {name: Said(Open(value), where) for name in POOL}
    return read_fields(WorkerPool, value, where, reader)


def _together(arguments: Layer, spec: Layer, reader: Reader) -> Layer:
    if arguments.pools is not None and spec.pools is not None:
        reader.wrong("worker_pools", "are in job_spec as well: keep one of the two")
    return Layer(
        same_level(arguments.job, spec.job, reader),
        arguments.pool,
        arguments.pools if arguments.pools is not None else spec.pools,
        spec.other,
        arguments.unknown or spec.unknown,
    )


def _spread(layer: Layer, reader: Reader) -> Layer:
    """Fill what the layer's pools leave open with what it says of all of them."""
    if layer.pools is None or not layer.pool:
        return layer
    pools = filled(layer.pools, lambda pool: same_level(pool, layer.pool, reader))
    return Layer(layer.job, layer.pool, pools, layer.other, layer.unknown)

"""Writes what was said about a job as arguments: the other way round than `arguments`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import message
from airflow_vertex_training.vertex.spec.layers import PACKAGE, Layer
from airflow_vertex_training.vertex.spec.pools import WorkerPool
from airflow_vertex_training.vertex.spec.reader import Open, Said
from airflow_vertex_training.vertex.spec.rows import own_rows, rows
from airflow_vertex_training.vertex.spec.table import GROUPS, JOB_ARGUMENTS, POOL_ARGUMENTS

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.layers import Fields


def without_defaults(layer: Layer) -> Layer:
    """Return a layer without what the package says anyway."""
    return dataclasses.replace(
        layer, job=_changed(layer.job, PACKAGE.job), pool=_changed(layer.pool, PACKAGE.pool)
    )


def _changed(fields: Fields, defaults: Fields) -> Fields:
    return {
        name: said
        for name, said in fields.items()
        if name not in defaults or said.value != defaults[name].value
    }


def write_arguments(layer: Layer) -> dict[str, Any]:
    """Return a layer as the arguments that say it, of plain values: text, numbers, lists and dicts.

    What is left open is as it was written.
    """
    written = {
        name: _plain(layer.pool[row].value) for name, row in POOL_ARGUMENTS.items() if row in layer.pool
    }
    job = dict(layer.job)
    for name, row in GROUPS.items():
        whole = _open_as_a_whole(row.group, job, f"{name}.")
        if whole is not None:
            written[name] = _plain(whole.value)
            job = {each: said for each, said in job.items() if said.where != whole.where}
    written.update({name: _plain(job.pop(row).value) for name, row in JOB_ARGUMENTS.items() if row in job})
    for name, row in GROUPS.items():
        if group := _group(row.group, job, f"{name}."):
            written[name] = group
    if layer.pools is not None:
        written["worker_pools"] = [_pool(pool, layer.pool, index) for index, pool in enumerate(layer.pools)]
    spec: dict[str, Any] = {}
    for place, said in layer.other.items():
        message.put(spec, place, _plain(said.value))
    return {**written, "job_spec": spec} if spec else written


def _pool(pool: Fields, flat: Fields, index: int) -> Any:
    own = {name: said for name, said in pool.items() if name not in flat or said.value != flat[name].value}
    # An empty one would skip its place.
    return _group(WorkerPool, own if own or not index else pool, "")


def _group(kind_of: Any, fields: Fields, prefix: str) -> Any:
    """Return an object as a dict; one that is open as a whole as it was written."""
    whole = _open_as_a_whole(kind_of, fields, prefix)
    if whole is not None:
        return _plain(whole.value)
    written: dict[str, Any] = {}
    for name, row in own_rows(kind_of).items():
        path = f"{prefix}{name}"
        if row.group is not None:
            if inner := _group(row.group, fields, f"{path}."):
                written[name] = inner
        elif path in fields:
            written[name] = _plain(fields[path].value)
    return written


def _open_as_a_whole(kind_of: Any, fields: Fields, prefix: str) -> Said | None:
    """Return a row of an object for which one template stands, ``None`` where there is no such."""
    table = rows(kind_of)
    said = {name: fields[f"{prefix}{name}"] for name in table if f"{prefix}{name}" in fields}
    for name, each in said.items():
        leaf = name.rpartition(".")[2]
        if isinstance(each.value, Open) and each.where.rpartition(".")[2] != leaf:
            others = [row for row in table if row not in said or said[row].where != each.where]
            # Beside it, an argument of its own may say a row.
            if all(table[row].argument for row in others):
                return each
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, Open):
        return value.value
    if isinstance(value, timedelta):
        return message.duration_text(value)
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value):
        said = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: _plain(each) for name, each in said if each is not None}
    return "" if value is None else value

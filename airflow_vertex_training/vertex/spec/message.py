"""A job as the API's own message: plain dicts, in snake case; `reading` reads them in any.

The dicts are what the JSON of the API is, and what gcloud takes as ``custom-jobs create --config``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.table import ITEMS, JOB, POOL

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.spec.pools import WorkerPool
    from airflow_vertex_training.vertex.spec.rows import Row

POOLS = "job_spec.worker_pool_specs"

OUTPUT_ONLY: Mapping[str, str] = {
    "name": "Vertex gives a job its name",
    "state": "Vertex answers it",
    "create_time": "Vertex answers it",
    "start_time": "Vertex answers it",
    "end_time": "Vertex answers it",
    "update_time": "Vertex answers it",
    "error": "Vertex answers it",
    "web_access_uris": "Vertex answers it",
    "satisfies_pzs": "Vertex answers it",
    "satisfies_pzi": "Vertex answers it",
}
"""Fields of a CustomJob that nobody can ask for, and why."""


def write(job: TrainingJob) -> dict[str, Any]:
    """Return a job as the message, in the API's snake case."""
    message: dict[str, Any] = {}
    _write_rows(JOB, job, message)
    pools = [_write_pool(pool) for pool in job.worker_pools]
    if pools:
        message.setdefault("job_spec", {})["worker_pool_specs"] = pools
    for place, value in job.other_fields.items():
        put(message, place, value)
    return message


def api_json(job: TrainingJob) -> dict[str, Any]:
    """Return a job as the API's JSON, in its camel case.

    Fields that the table does not know stay as they were written.
    """
    data: dict[str, Any] = _camel(write(dataclasses.replace(job, other_fields={})))
    for place, value in job.other_fields.items():
        put(data, camel(place), value)
    return data


def _camel(data: Any, *, names: bool = True) -> Any:
    if isinstance(data, dict):
        # The names of labels are theirs.
        return {
            camel(name) if names else name: _camel(each, names=name != "labels")
            for name, each in data.items()
        }
    return [_camel(each) for each in data] if isinstance(data, list) else data


def _write_pool(pool: WorkerPool) -> dict[str, Any]:
    message: dict[str, Any] = {}
    _write_rows(POOL, pool, message, package=bool(pool.package_uris or pool.python_module))
    return message


def _write_rows(
    table: Mapping[str, Row], source: Any, message: dict[str, Any], *, package: bool = False
) -> None:
    for name, row in table.items():
        value = value_of(source, name) if row.message else None
        if value is not None:
            place = row.package_message if package and row.package_message else row.message
            put(message, place, _encoded(value))


def value_of(source: Any, name: str) -> Any:
    """Return the value of an object's row by its dotted name, ``None`` where it has none."""
    for part in name.split("."):
        source = getattr(source, part, None)
    return source


def _encoded(value: Any) -> Any:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value):
        message: dict[str, Any] = {}
        _write_rows(ITEMS[type(value)], value, message)
        return message
    if isinstance(value, (list, tuple)):
        return [_encoded(each) for each in value]
    return value


def duration_text(value: timedelta) -> str:
    """Return a duration as the API's JSON has it, such as ``3600s`` or ``0.5s``."""
    microseconds = value // timedelta(microseconds=1)
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{seconds}.{rest:06d}s" if rest else f"{seconds}s"


_STEP = re.compile(r"([^.\[\]]+)(?:\[(\d+)\])?")


def put(message: dict[str, Any], place: str, value: Any) -> None:
    """Set a value at its place, such as ``job_spec.worker_pool_specs[0].machine_spec.machine_type``."""
    way, _, last = place.rpartition(".")
    for name, index in _STEP.findall(way):
        message = message[name][int(index)] if index else message.setdefault(name, {})
    if last == "env" and isinstance(value, Mapping):
        value = [{"name": name, "value": each} for name, each in value.items()]
    message[last] = value


@cache
def by_place(kind_of: str) -> Mapping[str, str]:
    """Return the places of a scope's rows in its message, to their names."""
    table = {"job": JOB, "pool": POOL}[kind_of]
    found = {row.message: name for name, row in table.items() if row.message}
    found.update({row.package_message: name for name, row in table.items() if row.package_message})
    return found


def snake(name: str) -> str:
    """Return ``workerPoolSpecs`` as ``worker_pool_specs``; what is in snake case already stays."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def camel(name: str) -> str:
    """Return ``worker_pool_specs`` as ``workerPoolSpecs``."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)

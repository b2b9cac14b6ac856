"""A job as the API's own message: plain dicts, written in snake case and read in any.

The dicts are what the JSON of the API is, and what gcloud takes as ``custom-jobs create --config``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec.layers import Layer
from airflow_vertex_training.vertex.spec.reader import Open, Reader, Said
from airflow_vertex_training.vertex.spec.table import ITEMS, JOB, POOL
from airflow_vertex_training.vertex.spec.words import kind, nearest

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.job import TrainingJob
    from airflow_vertex_training.vertex.spec.layers import Fields
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
def _by_place(kind_of: str) -> Mapping[str, str]:
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


def read(data: Any, where: str, reader: Reader) -> Layer:
    """Read a ``CustomJobSpec`` or ``CustomJob``, a dict in snake or camel case, or a gcloud config's content.

    What the table does not know is a warning that names the nearest known field; it goes into the message as
    it is, where the client library may know it.
    """
    if not isinstance(data, Mapping):
        reader.wrong(where, f"must be a dict with the fields of a CustomJobSpec, got {kind(data)}")
        return Layer()
    walk = _Walk(reader)
    tops = {place.partition(".")[0] for place in _by_place("job")}
    for key, value in data.items():
        at, name = f"{where}.{key}", snake(str(key))
        if name in OUTPUT_ONLY:
            reader.warn(at, f"is ignored: {OUTPUT_ONLY[name]}")
        else:
            # Whether of a job or of its spec: their fields have no name in common.
            walk.field("job", name if name in tops else f"job_spec.{name}", value, at, walk.said)
    return Layer(walk.said, {}, walk.pools, walk.other)


class _Walk:
    """A walk through a message."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.said: dict[str, Said] = {}
        self.pools: list[Fields] | None = None
        self.other: dict[str, Said] = {}

    def _pools(self, value: Any, where: str) -> None:
        if self.reader.is_open(value) or isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
            self.reader.wrong(where, f"must be a list of dicts, got {kind(value)}")
            return
        self.pools = []
        for index, pool in enumerate(value):
            said: dict[str, Said] = {}
            self.pools.append(said)
            at = f"{where}[{index}]"
            if pool is None:
                continue
            if not isinstance(pool, Mapping):
                self.reader.wrong(at, f"must be a dict with the fields of a WorkerPoolSpec, got {kind(pool)}")
                continue
            for key, each in pool.items():
                self.field("pool", snake(str(key)), each, f"{at}.{key}", said, f"{POOLS}[{index}].")

    def field(
        self, scope: str, place: str, value: Any, where: str, said: dict[str, Said], before: str = ""
    ) -> None:
        """Read one field and what is in it."""
        if value is None:
            return
        if before + place == POOLS:
            self._pools(value, where)
            return
        known = _by_place(scope)
        table = JOB if scope == "job" else POOL
        if place in known:
            row = table[known[place]]
            value = _snake_items(value) if row.items else value
            self._said(said, known[place], self.reader.said(row, value, where))
        elif not any(each.startswith(f"{place}.") for each in known):
            self._unknown(before + place, value, where, known)
        elif isinstance(value, Mapping):
            for key, each in value.items():
                self.field(scope, f"{place}.{snake(str(key))}", each, f"{where}.{key}", said, before)
        else:
            self.reader.wrong(where, f"must be a dict, got {kind(value)}")

    def _said(self, said: dict[str, Said], name: str, value: Said) -> None:
        if name in said and said[name].value != value.value:
            self.reader.wrong(value.where, f"is said differently in {said[name].where}: say it once")
        said[name] = value

    def _unknown(self, place: str, value: Any, where: str, known: Mapping[str, str]) -> None:
        right = nearest(place.rpartition(".")[2], {step for each in known for step in each.split(".")})
        offer = f": did you mean {right!r}?" if right else ""
        self.reader.warn(where, f"is no field that this package knows{offer}")
        self.other[place] = Said(value if not self.reader.is_open(value) else Open(value), where)


def _snake_items(value: Any) -> Any:
    """Return a list of the API's objects with the names of ours."""
    if not isinstance(value, (list, tuple)):
        return value
    return [
        {snake(str(key)): each for key, each in item.items()} if isinstance(item, Mapping) else item
        for item in value
    ]

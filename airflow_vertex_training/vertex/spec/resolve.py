"""From what was said to the job: layers merged, defaults added, combinations checked."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import combinations, machines
from airflow_vertex_training.vertex.spec.job import TrainingJob
from airflow_vertex_training.vertex.spec.layers import PACKAGE, Layer, filled, merge, over
from airflow_vertex_training.vertex.spec.pools import WorkerPool
from airflow_vertex_training.vertex.spec.reader import Open, Said
from airflow_vertex_training.vertex.spec.rows import own_rows
from airflow_vertex_training.vertex.spec.table import CONNECTION, JOB, MACHINE_TYPE, POOL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from airflow_vertex_training.vertex.spec.layers import Fields
    from airflow_vertex_training.vertex.spec.reader import Reader

RESERVATION_NAME = "compute.googleapis.com/reservation-name"


def complete(
    layers: Sequence[Layer], reader: Reader, own_env: Collection[str] = (), *, defaults: Layer = PACKAGE
) -> Layer:
    """Merge what was said, add defaults, and keep what does not go together.

    Args:
        layers: who is heard first comes first.
        reader: keeps what is wrong.
        own_env: names of the variables that Airflow adds to each replica's environment, default none.
        defaults: what is heard last, default the package's.

    Returns:
        All that was said, with at least one pool.
    """
    merged = reduce(merge, [*layers, defaults])
    pools = _places([_derived(pool) for pool in (merged.pools or [merged.pool])])
    complete_ = Layer(merged.job, merged.pool, pools, merged.other, merged.unknown)
    if not merged.unknown:
        combinations.check(merged.job, pools, own_env, reader)
    return complete_


def _places(pools: list[Fields]) -> list[Fields]:
    """Return pools with an empty one in the place of each without replicas, and none at the end."""
    found = [pool if not index or _has_replicas(pool) else {} for index, pool in enumerate(pools)]
    while len(found) > 1 and not found[-1]:
        found.pop()
    return found


def _has_replicas(pool: Fields) -> bool:
    return "replica_count" not in pool or pool["replica_count"].value is not None


def pending_connection() -> Layer:
    """Return a layer that says all that a connection can say, with values that are not known yet."""
    return Layer({row: Said(Open(), f"connection: {field}") for field, row in CONNECTION.items()})


def pending_all(where: str) -> Layer:
    """Return a layer that may turn out to say anything.

    Args:
        where: who says it, for messages.
    """
    job, pool = ({name: Said(Open(), f"{where}: {name}") for name in table} for table in (JOB, POOL))
    return Layer(job, pool)


def said_as_written(layer: Layer, name: str, written: Callable[[Any], str] = str) -> str | None:
    """Return a row of a job as it was written, ``None`` where nobody said it.

    Args:
        layer: what was said.
        name: the row's.
        written: how what is known only when the task runs becomes text.
    """
    said = layer.job.get(name)
    value = said.value if said else None
    value = value.value if isinstance(value, Open) else value
    return None if value is None else written(value)


def with_airflows_own(
    layer: Layer, *, env: Mapping[str, str], labels: Mapping[str, str], display_name: str
) -> Layer:
    """Return a complete layer with what Airflow adds to each job.

    Args:
        layer: from ``complete``.
        env: variables of each replica; those that were said win.
        labels: labels, which win.
        display_name: takes the place of what was said.
    """
    said = layer.job.get("labels")
    # Labels that are not known yet have no others beside them: a job without a try gets none.
    own = {**said.value, **labels} if said and isinstance(said.value, dict) else labels
    job = {
        **layer.job,
        "labels": said if said and not own else Said(own, "labels"),
        "display_name": Said(display_name, "display_name"),
    }
    variables = {"env": Said(dict(env), "env")}
    pools = filled(layer.pools or (), lambda pool: over(pool, variables))
    return Layer(job, layer.pool, pools, layer.other, layer.unknown)


def build(layer: Layer) -> TrainingJob:
    """Return a complete layer as the job. What is left open stays as it was written."""
    pools = tuple(_object(WorkerPool, pool, "") or WorkerPool() for pool in layer.pools or ())
    rows = {name: said for name, said in layer.job.items() if JOB[name].message}
    job = _object(TrainingJob, rows, "", worker_pools=pools)
    other = {place: said.value for place, said in layer.other.items()}
    return TrainingJob(**job, other_fields=other)


def _derived(pool: Fields) -> Fields:
    """Add what follows from what was said: a disk type that fits, the key of a reservation's name."""
    if not pool:
        return pool
    result = dict(pool)
    machine_type, disk = pool.get(MACHINE_TYPE), "disk.boot_disk_type"
    name = machine_type.value if machine_type else None
    if disk not in pool and isinstance(name, str) and machines.boots_from_pd_ssd(name):
        result[disk] = Said("pd-ssd", "boot_disk_type")
    affinity = "machine.reservation_affinity"
    kind, key = pool.get(f"{affinity}.reservation_affinity_type"), f"{affinity}.key"
    if key not in pool and kind and kind.value == "SPECIFIC_RESERVATION":
        result[key] = Said(RESERVATION_NAME, f"{affinity}.key")
    return result


def _object(kind_of: type[Any], fields: Fields, prefix: str, **more: Any) -> Any:
    """Return an object of what was said of it; the arguments of one for a job; ``None`` where nothing was."""
    values: dict[str, Any] = {}
    for name, row in own_rows(kind_of).items():
        path = f"{prefix}{name}"
        if row.group is not None:
            inner = _object(row.group, fields, f"{path}.")
            if inner is not None:
                values[name] = inner
        elif path in fields:
            value = _value(fields[path].value)
            # 0, empty and False are what the message's fields are without a value.
            if value or (row.zero_counts and value is not None):
                values[name] = value
    if kind_of is TrainingJob:
        return {**values, **more}
    return kind_of(**values) if values else None


def _value(value: Any) -> Any:
    if isinstance(value, Open):
        return value.value
    if isinstance(value, dict):
        return {key: _value(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(_value(each) for each in value)
    return value

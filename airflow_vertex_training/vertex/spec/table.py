"""The one table of fields: what a job can say, by scope and by argument.

A row is the metadata of a dataclass field of `job`, `pools` or `machine`; here they are found by name. What
an operator or a connection says besides, and no job carries, has its rows here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import checks, places
from airflow_vertex_training.vertex.spec.job import TrainingJob
from airflow_vertex_training.vertex.spec.pools import WorkerPool
from airflow_vertex_training.vertex.spec.rows import Row, constructed, groups, rows
from airflow_vertex_training.vertex.spec.words import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS: Mapping[str, Row] = MappingProxyType(
    {
        row.name: row
        for row in (
            Row(
                "", places.region, "where the job runs", argument="region", connection="region", name="region"
            ),
            Row(
                "",
                places.project,
                "whose job it is",
                argument="project_id",
                connection="project",
                name="project_id",
            ),
            Row(
                "",
                checks.named(r"[^./\\][^/\\]*", "the file's name without its ending"),
                "the job template that says what is not said here",
                argument="job_template",
                connection="job_template",
                name="job_template",
            ),
        )
    }
)
"""What is said beside the job: where it runs, and who says more of it."""

JOB: Mapping[str, Row] = MappingProxyType({**rows(TrainingJob), **SETTINGS})
"""Rows of a job by dotted name, such as ``scheduling.timeout``."""

POOL: Mapping[str, Row] = MappingProxyType(rows(WorkerPool))
"""Rows of a worker pool by dotted name, such as ``machine.machine_type``."""

ITEMS: Mapping[type[Any], Mapping[str, Row]] = MappingProxyType(
    {row.items: rows(row.items) for row in (*JOB.values(), *POOL.values()) if row.items}
)
"""Rows of objects that stand in lists, by their class."""

GROUPS: Mapping[str, Row] = MappingProxyType(
    {name: row for name, row in groups(TrainingJob).items() if "." not in name}
)
"""Arguments of the operator that take an object with several rows of a job, such as ``scheduling``."""

JOB_ARGUMENTS: Mapping[str, str] = MappingProxyType(
    {row.argument: name for name, row in JOB.items() if row.argument}
)
"""Arguments of the operator that say a row of the job."""

POOL_ARGUMENTS: Mapping[str, str] = MappingProxyType(
    {row.argument: name for name, row in POOL.items() if row.argument}
)
"""Arguments of the operator that say a row of its worker pools."""

ARGUMENTS = (*POOL_ARGUMENTS, *JOB_ARGUMENTS, *GROUPS, "worker_pools", "job_spec")
"""All arguments of the operator that say something of the job or where it runs."""

CONNECTION: Mapping[str, str] = MappingProxyType(
    {row.connection: name for name, row in JOB.items() if row.connection}
)
"""Fields of a connection to the rows that they say."""

MERGED = frozenset({"labels", "env"})
"""Rows that several may say: their keys come together."""

MACHINE_TYPE = "machine.machine_type"

MACHINE = tuple(name for name in POOL if name.startswith("machine."))
"""All rows of a pool's machine."""

UNITS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({MACHINE_TYPE}), frozenset(MACHINE)),
    (
        frozenset({"network", "psc_interface_config.network_attachment"}),
        frozenset(
            {"network", "reserved_ip_ranges"}
            | {name for name in JOB if name.startswith("psc_interface_config.")}
        ),
    ),
    (frozenset({"tracking.experiment"}), frozenset({"tracking.experiment", "tracking.experiment_run"})),
    (frozenset({"scheduling.strategy"}), frozenset({"scheduling.strategy", "scheduling.max_wait_duration"})),
)
"""Rows that belong together: who says one of the first says all of the second anew."""


def default_words(name: str, row: Row) -> str:
    """Return how messages name a row that nobody said."""
    return row.argument or name


ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "base_output_dir": "base_output_directory=...",
        "conn_id": "gcp_conn_id=...",
        "container_uri": "image=...",
        "credentials": "gcp_conn_id=...",
        "custom_job": "job_spec=...",
        "environment_variables": "env=...",
        "gcp_credentials": "gcp_conn_id=...",
        "job_watch_poll_interval": "poll_interval=...",
        "location": "region=...",
        "maximum_run_time_hours": "maximum_run_time=timedelta(hours=...)",
        "name": "display_name=...",
        "service_account_name": "service_account=...",
        "spot": "scheduling=Scheduling(strategy='SPOT')",
        "staging_bucket": "base_output_directory=...",
        "training_encryption_spec_key_name": "kms_key_name=...",
    }
)
"""What other systems' operators call an argument, to how it is written here."""


def how_to_say(name: str) -> str | None:
    """Return how to write what somebody tried as an argument that is not there, or ``None``.

    Args:
        name: the argument's name, such as ``replica_count`` or ``imageUri``.
    """
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    known = {argument: f"{argument}=..." for argument in ARGUMENTS}
    for scope, kind, rows_ in (
        ("worker_pools=[WorkerPool({})]", WorkerPool, POOL),
        ("{}", TrainingJob, JOB),
    ):
        for path, row in rows_.items():
            leaf = path.rpartition(".")[2]
            known.setdefault(leaf, scope.format(constructed(kind, path)))
            api = row.message.rpartition(".")[2]
            if api:
                known.setdefault(api, f"{row.argument}=..." if row.argument else known[leaf])
    right = nearest(name, known)
    return known[right] if right else None

"""Fields of a `CustomJobSpec` that the emulator checks, keeps and shows, and does nothing else with.

Machines, accelerators, disks and the service account are not in here: they are in every job, and the
emulator's documentation says once what becomes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_vertex_training.emulator.api.messages import CustomJobSpec, WorkerPoolSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["OF_JOB", "OF_POOL", "found"]

OF_JOB = (
    *("persistent_resource_id", "network", "reserved_ip_ranges", "psc_interface_config"),
    *("protected_artifact_location_id", "enable_web_access", "enable_dashboard_access"),
    *("experiment", "experiment_run", "models"),
)
"""Fields of a `CustomJobSpec`."""

OF_POOL = ("nfs_mounts", "lustre_mounts", "machine_spec.reservation_affinity")
"""Fields of a `WorkerPoolSpec`."""


def found(spec: Message) -> list[str]:
    """Return the fields without effect that a job's spec has, by their paths.

    Args:
        spec: A `CustomJobSpec`.
    """
    fields = [f"job_spec.{name}" for name, is_set in _OF_JOB if is_set(spec)]
    for number, pool in enumerate(spec.worker_pool_specs):
        prefix = f"job_spec.worker_pool_specs[{number}]"
        fields += [f"{prefix}.{name}" for name, is_set in _OF_POOL if is_set(pool)]
    return fields


def _checks(kind: Any, paths: Sequence[str]) -> list[tuple[str, Callable[[Message], bool]]]:
    """Return each path with what says whether a message has it: made once, for this runs for each new job.

    A field that this version of the client library lacks is left out.
    """
    checks = []
    for path in paths:
        holder, _, name = path.rpartition(".")
        fields = kind.DESCRIPTOR.fields_by_name
        if holder:
            fields = fields[holder].message_type.fields_by_name
        if name in fields:
            checks.append((path, _check(holder, name, has_presence=fields[name].has_presence)))
    return checks


def _check(holder: str, name: str, *, has_presence: bool) -> Callable[[Message], bool]:
    def is_set(message: Message) -> bool:
        if holder:
            message = getattr(message, holder)
        return message.HasField(name) if has_presence else bool(getattr(message, name))

    return is_set


_OF_JOB = _checks(CustomJobSpec, OF_JOB)
_OF_POOL = _checks(WorkerPoolSpec, OF_POOL)

"""Fields of a `CustomJobSpec` that the emulator checks, keeps and shows, and does nothing else with.

Machines, accelerators, disks and the service account are not in here: they are in every job, and the
emulator's documentation says once what becomes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    fields = [f"job_spec.{name}" for name in OF_JOB if _is_set(spec, name)]
    for number, pool in enumerate(spec.worker_pool_specs):
        fields += [f"job_spec.worker_pool_specs[{number}].{name}" for name in OF_POOL if _is_set(pool, name)]
    return fields


def _is_set(message: Message, path: str) -> bool:
    """Say whether a field has a value; one that this version of the client library lacks has none."""
    name, _, rest = path.partition(".")
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        return False
    if rest:
        return message.HasField(name) and _is_set(getattr(message, name), rest)
    return message.HasField(name) if field.has_presence else bool(getattr(message, name))

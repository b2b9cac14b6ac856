"""How calls of `CreateCustomJob` are made: a valid job, and what is different in it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

from google.cloud import aiplatform_v1

from tests.emulator.calls.world import Call, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.emulator.calls.world import World

DOCS = "https://cloud.google.com/vertex-ai/docs"
TAKEN = "taken"
POOL = "job_spec.worker_pool_specs[0]"

CPU = {"machine_type": "n1-standard-4"}
L4 = {"machine_type": "g2-standard-8", "accelerator_type": "NVIDIA_L4", "accelerator_count": 1}
T4 = {"machine_type": "n1-standard-8", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
V5E = {"machine_type": "ct5lp-hightpu-4t", "tpu_topology": "2x2"}
CONTAINER = {"image_uri": "us-docker.pkg.dev/acme/trainers/calls:1", "command": ["true"]}
WORKERS = {"machine_spec": CPU, "replica_count": 2, "container_spec": CONTAINER}

Create: TypeAlias = tuple[str, dict[str, Any], Any, str]
"""What is asked, how it differs from a valid job, the answer, and its source."""


def wrong(field: str, text: str = "") -> Refused:
    """Return the answer that names a wrong field."""
    return Refused(f"Field: {field}; Message: {text}")


def machine(**fields: Any) -> dict[str, Any]:
    """Return a job on a machine with these fields."""
    return {"pool.machine_spec": fields}


def scheduled(spec: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a job on a machine, scheduled with these fields."""
    return {"pool.machine_spec": spec, "spec.scheduling": fields}


def _job(changes: dict[str, Any]) -> aiplatform_v1.CustomJob:
    """Return a valid job with some fields replaced, of the job, its spec, its pool or the container."""
    if changes.get("job", ...) is None:
        return aiplatform_v1.CustomJob()
    container: dict[str, Any] = deepcopy(CONTAINER)
    pool: dict[str, Any] = {"machine_spec": CPU, "replica_count": 1, "container_spec": container}
    spec: dict[str, Any] = {"worker_pool_specs": [pool, *changes.get("pools", ())]}
    levels: dict[str, dict[str, Any]] = {
        "job": {"display_name": "job", "job_spec": spec},
        "spec": spec,
        "pool": pool,
        "container": container,
    }
    for path, value in changes.items():
        level, _, field = path.partition(".")
        if field:
            levels[level][field] = value
    return aiplatform_v1.CustomJob(levels["job"])


def _creating(changes: dict[str, Any]) -> Callable[[World], str]:
    def create(world: World) -> str:
        world.jobs.create_custom_job(parent=world.parent(world.empty), custom_job=_job(changes))
        return TAKEN

    return create


def calls(creates: Sequence[Create]) -> list[Call]:
    """Return the calls that make these jobs."""
    return [
        Call(f"create: {name}", _creating(changes), expected, source)
        for name, changes, expected, source in creates
    ]

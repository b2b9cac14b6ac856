"""Which worker pools are refused, and in which words: machine, disk, mounts, and what runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from google.cloud.aiplatform_v1.types import accelerator_type, reservation_affinity

from airflow_vertex_training.emulator.api import machines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_vertex_training.emulator.api.messages import Message

__all__ = ["BUCKET", "Problem", "check_pool", "machine_problem"]

Problem: TypeAlias = tuple[str, str]
"""A field's path and what is wrong with it."""

_REQUIRED = "Required field is not set."
_MAX_ENV = 100
_MAX_PACKAGES = 100
_MAX_ARGS = 100_000
_DISK_TYPES = ("", "pd-ssd", "pd-standard", "hyperdisk-balanced")
_DISK_GB = range(100, 64_001)
BUCKET = re.compile(r"(gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/.*)?|file:///.+)", re.DOTALL)
"""Where an object or a folder lies: in a bucket, or on this machine."""

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# https://cloud.google.com/vertex-ai/docs/training/containers-overview: no other registry.
_REGISTRY = re.compile(r"([a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io|(index\.|registry-1\.)?docker\.io)")
_RESERVATION = re.compile(r"projects/[^/]+/zones/[^/]+/reservations/[^/]+")
_AFFINITY = reservation_affinity.ReservationAffinity.Type
_ACCELERATORS = accelerator_type.AcceleratorType
_NEEDS_RESERVATION = "a4x"


def check_pool(pool: Message, field: str, *, chief: bool) -> Iterator[Problem]:
    """Return what is wrong with a worker pool.

    Args:
        pool: The `WorkerPoolSpec`.
        field: Its path.
        chief: Whether it is the first.
    """
    yield from _machine(pool.machine_spec, f"{field}.machine_spec")
    if chief and pool.replica_count != 1:
        yield f"{field}.replica_count", f"Must be 1 for the first worker pool, got {pool.replica_count}."
    elif pool.replica_count < 1:
        yield f"{field}.replica_count", f"Must be 1 or more, got {pool.replica_count}."
    yield from _disk(pool.disk_spec, f"{field}.disk_spec")
    for index, mount in enumerate(pool.nfs_mounts):
        yield from _missing(mount, f"{field}.nfs_mounts[{index}]", "server", "path", "mount_point")
        if mount.path and not mount.path.startswith("/"):
            yield f"{field}.nfs_mounts[{index}].path", f"Must start with '/', got {mount.path!r}."
    for index, mount in enumerate(pool.lustre_mounts):
        names = ("instance_ip", "volume_handle", "filesystem", "mount_point")
        yield from _missing(mount, f"{field}.lustre_mounts[{index}]", *names)
    if pool.HasField("python_package_spec"):
        yield from _python_package(pool.python_package_spec, f"{field}.python_package_spec")
    elif pool.HasField("container_spec"):
        yield from _container(pool.container_spec, f"{field}.container_spec")
    else:
        yield f"{field}.container_spec", "Required field is not set: it or python_package_spec."


def machine_problem(machine: Message, *, refuse_unknown: bool) -> str | None:
    """Return what Vertex says of a machine that it doesn't have, or that takes no such accelerator.

    The words are those of https://github.com/GoogleCloudPlatform/vertex-ai-samples/issues/213: no field is
    named.

    Args:
        machine: The `MachineSpec`.
        refuse_unknown: Whether a machine type of a family that the tables don't know is refused.
    """
    name = machine.machine_type
    if name not in machines.LISTED:
        if machines.known_family(name) or refuse_unknown:
            return f'Machine type "{name}" is not supported.'
        return None
    if not machine.accelerator_type:
        return None
    accelerator = _ACCELERATORS(machine.accelerator_type).name
    counts = machines.accelerators(name).get(accelerator)
    if counts is None:
        return f'Accelerator "{accelerator}" is not supported for machine type "{name}".'
    if machine.accelerator_count not in counts:
        some = ", ".join(map(str, counts[:5])) + (" and so on" if counts[5:] else "")
        return (
            f'Accelerator count {machine.accelerator_count} of "{accelerator}" is not supported for machine '
            f'type "{name}", which takes {some}.'
        )
    return None


def _machine(machine: Message, field: str) -> Iterator[Problem]:
    name = machine.machine_type
    if not name:
        yield f"{field}.machine_type", "Machine type is not specified."
    if machine.accelerator_type not in list(_ACCELERATORS):
        yield f"{field}.accelerator_type", f"Invalid value: {machine.accelerator_type}."
    if bool(machine.accelerator_type) != bool(machine.accelerator_count) or machine.accelerator_count < 0:
        text = "Both `accelerator_type` and `accelerator_count` should be specified or none."
        yield f"{field}.accelerator_type", text
    if machine.gpu_partition_size and machine.accelerator_count != 1:
        count = machine.accelerator_count
        yield f"{field}.accelerator_count", f"Must be 1 with gpu_partition_size, got {count}."
    topologies = machines.TOPOLOGIES.get(name)
    if topologies is not None and machine.tpu_topology not in topologies:
        problem = f"Must be one of {', '.join(topologies)} with {name}, got {machine.tpu_topology!r}."
        yield f"{field}.tpu_topology", problem
    if name == "cloud-tpu" and not machine.accelerator_type:
        yield f"{field}.accelerator_type", "Must be TPU_V2 or TPU_V3 with cloud-tpu."
    yield from _reservation(machine, f"{field}.reservation_affinity")


def _reservation(machine: Message, field: str) -> Iterator[Problem]:
    """https://cloud.google.com/vertex-ai/docs/training/use-reservations."""
    affinity = machine.reservation_affinity
    if not machine.HasField("reservation_affinity"):
        if machines.family(machine.machine_type) == _NEEDS_RESERVATION:
            yield field, f"Required with {machine.machine_type}."
        return
    if affinity.reservation_affinity_type == _AFFINITY.TYPE_UNSPECIFIED:
        yield f"{field}.reservation_affinity_type", _REQUIRED
    if affinity.reservation_affinity_type == _AFFINITY.SPECIFIC_RESERVATION:
        yield from _missing(affinity, field, "key", "values")
        for value in affinity.values:
            if _RESERVATION.fullmatch(value) is None:
                problem = f"Must be projects/PROJECT/zones/ZONE/reservations/RESERVATION, got {value!r}."
                yield f"{field}.values", problem


def _disk(disk: Message, field: str) -> Iterator[Problem]:
    if disk.boot_disk_type not in _DISK_TYPES:
        problem = f"Must be pd-ssd, pd-standard or hyperdisk-balanced, got {disk.boot_disk_type!r}."
        yield f"{field}.boot_disk_type", problem
    if disk.boot_disk_size_gb and disk.boot_disk_size_gb not in _DISK_GB:
        problem = f"Must be {_DISK_GB[0]} to {_DISK_GB[-1]} GB, got {disk.boot_disk_size_gb}."
        yield f"{field}.boot_disk_size_gb", problem


def _missing(message: Message, field: str, *names: str) -> Iterator[Problem]:
    for name in names:
        if not getattr(message, name):
            yield f"{field}.{name}", _REQUIRED


def _container(container: Message, field: str) -> Iterator[Problem]:
    yield from _image(container.image_uri, f"{field}.image_uri")
    yield from _arguments(container, field)


def _python_package(package: Message, field: str) -> Iterator[Problem]:
    yield from _missing(package, field, "executor_image_uri", "package_uris", "python_module")
    if len(package.package_uris) > _MAX_PACKAGES:
        problem = f"At most {_MAX_PACKAGES} package URIs are allowed, got {len(package.package_uris)}."
        yield f"{field}.package_uris", problem
    for uri in package.package_uris:
        if BUCKET.fullmatch(uri) is None:
            problem = "Must be gs://BUCKET/PATH (the emulator also takes file:///PATH)"
            yield f"{field}.package_uris", f"{problem}, got {uri!r}."
    yield from _arguments(package, field)


def _image(uri: str, field: str) -> Iterator[Problem]:
    if not uri:
        yield field, _REQUIRED
        return
    host, slash, _ = uri.partition("/")
    is_host = bool(slash) and ("." in host or ":" in host or host == "localhost")
    if is_host and _REGISTRY.fullmatch(host) is None:
        yield field, f"Must be in Artifact Registry, Container Registry or Docker Hub, got {uri!r}."


def _arguments(task: Message, field: str) -> Iterator[Problem]:
    length = sum(map(len, task.args))
    if length > _MAX_ARGS:
        yield f"{field}.args", f"At most {_MAX_ARGS} characters are allowed in all, got {length}."
    if len(task.env) > _MAX_ENV:
        yield f"{field}.env", f"At most {_MAX_ENV} environment variables are allowed, got {len(task.env)}."
    names = [variable.name for variable in task.env]
    if len(names) != len(set(names)):
        yield f"{field}.env", "EnvVar names must be unique."
    for name in names:
        if _ENV_NAME.fullmatch(name) is None:
            yield f"{field}.env", f"EnvVar names must be C identifiers, got {name!r}."

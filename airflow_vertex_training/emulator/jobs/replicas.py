"""The machines of a job, and where they find each other."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_vertex_training.emulator.api.messages import Message
    from airflow_vertex_training.emulator.jobs.store import Job

__all__ = ["Replica", "cluster_addresses", "replicas"]


@dataclass(frozen=True)
class Replica:
    """One machine of a job.

    Args:
        pool: The index of its worker pool.
        index: Its index in there.
        spec: The pool's `WorkerPoolSpec`.
    """

    pool: int
    index: int
    spec: Message

    @property
    def name(self) -> str:
        """What Vertex calls it, such as `workerpool0-0`."""
        return f"workerpool{self.pool}-{self.index}"

    @property
    def package(self) -> Message | None:
        """The `PythonPackageSpec` that it runs; None where it runs a container."""
        return self.spec.python_package_spec if self.spec.HasField("python_package_spec") else None

    @property
    def task(self) -> Message:
        """The `PythonPackageSpec` or `ContainerSpec` that it runs: both have `args` and `env`."""
        return self.package or self.spec.container_spec

    @property
    def image_uri(self) -> str:
        """Its image."""
        package = self.package
        return str(package.executor_image_uri if package else self.spec.container_spec.image_uri)


def replicas(job: Job) -> list[Replica]:
    """Return a job's replicas; the first is the chief."""
    return [
        Replica(pool_index, index, pool)
        for pool_index, pool in enumerate(job.message.job_spec.worker_pool_specs)
        for index in range(pool.replica_count)
    ]


def cluster_addresses(members: Sequence[Replica]) -> dict[str, str]:
    """Find a free local port for each replica.

    The ports are free now; that they still are when a replica binds its own can't be promised.

    Args:
        members: The job's replicas.

    Returns:
        `localhost:PORT` by replica name.
    """
    with ExitStack() as stack:
        addresses = {}
        for member in members:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            addresses[member.name] = f"localhost:{probe.getsockname()[1]}"
        return addresses

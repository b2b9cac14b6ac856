"""What the replicas of a worker pool run, and on what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.spec import checks, images, quantities
from airflow_vertex_training.vertex.spec.machine import Disk, Machine
from airflow_vertex_training.vertex.spec.rows import Part, documented, group, row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ADDRESS = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class NfsMount(Part):
    """A folder of an NFS server.

    https://cloud.google.com/vertex-ai/docs/training/train-nfs-share
    """

    server: str = field(
        metadata=row(
            "server", checks.named(_ADDRESS, "an address such as '10.0.0.2'"), "IP address of the server"
        )
    )
    path: str = field(
        metadata=row("path", checks.named(r"/.*", "a path that starts with '/'"), "folder that it exports")
    )
    mount_point: str = field(
        metadata=row(
            "mount_point",
            checks.named(r"[^/].*", "a name: it is mounted at /mnt/nfs/NAME"),
            "it is mounted at ``/mnt/nfs/MOUNT_POINT``",
        )
    )


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class LustreMount(Part):
    """A file system of Managed Lustre."""

    instance_ip: str = field(
        metadata=row(
            "instance_ip",
            checks.named(_ADDRESS, "an address such as '10.0.0.2'"),
            "IP address of the instance",
        )
    )
    volume_handle: str = field(metadata=row("volume_handle", checks.text, "identifier of the volume"))
    filesystem: str = field(metadata=row("filesystem", checks.text, "name of the file system"))
    mount_point: str = field(
        metadata=row(
            "mount_point",
            checks.named(r"[^/].*", "a name: it is mounted at /mnt/lustre/NAME"),
            "it is mounted at ``/mnt/lustre/MOUNT_POINT``",
        )
    )


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class WorkerPool(Part):
    """Replicas that run the same on machines of the same type.

    A job's pools have their meaning by their place: the first holds the one primary replica, the second the
    workers, the third parameter servers or reducers, the fourth evaluators. An empty pool skips a place.
    https://cloud.google.com/vertex-ai/docs/training/distributed-training

    What a pool leaves open, the operator's own arguments fill. A pool runs a container, or a Python package:
    see ``WorkerPool.python_package``.
    """

    image: str | None = field(
        default=None,
        metadata=row(
            "container_spec.image_uri",
            images.image,
            "container image with its registry; for a Python package, the one that runs it",
            argument="image",
            package_message="python_package_spec.executor_image_uri",
        ),
    )
    command: Sequence[str] | None = field(
        default=None,
        metadata=row(
            "container_spec.command",
            checks.command,
            "replaces the image's entry point",
            argument="command",
        ),
    )
    args: Sequence[Any] | None = field(
        default=None,
        metadata=row(
            "container_spec.args",
            checks.texts,
            "arguments of the command or package",
            argument="args",
            package_message="python_package_spec.args",
        ),
    )
    env: Mapping[str, Any] | None = field(
        default=None,
        repr=False,  # may hold secrets
        metadata=row(
            "container_spec.env",
            checks.env,
            "environment variables, 100 at most with Airflow's own",
            argument="env",
            package_message="python_package_spec.env",
        ),
    )
    package_uris: Sequence[str] | None = field(
        default=None,
        metadata=row(
            "python_package_spec.package_uris",
            checks.list_of(
                checks.named(r"gs://[^/\s]+/\S+|file:///\S+", "gs://BUCKET/PACKAGE.tar.gz"), at_most=100
            ),
            "``gs://`` files of a Python package and what it needs, 100 at most",
        ),
    )
    python_module: str | None = field(
        default=None,
        metadata=row(
            "python_package_spec.python_module",
            checks.named(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "a dotted name such as 'trainer.task'"),
            "the module of the package that is run",
        ),
    )
    machine: Machine | None = field(
        default=None, metadata=group("machine_spec", Machine, "the machine of each replica")
    )
    disk: Disk | None = field(default=None, metadata=group("disk_spec", Disk, "its boot disk"))
    replica_count: int | str | None = field(
        default=None,
        metadata=row(
            "replica_count",
            quantities.count(1, 100_000),
            "how many there are; the first pool has one",
            default=1,
        ),
    )
    nfs_mounts: Sequence[NfsMount] | None = field(
        default=None,
        metadata=row("nfs_mounts", checks.items(NfsMount), "folders of NFS servers to mount", items=NfsMount),
    )
    lustre_mounts: Sequence[LustreMount] | None = field(
        default=None,
        metadata=row(
            "lustre_mounts", checks.items(LustreMount), "Lustre file systems to mount", items=LustreMount
        ),
    )

    @classmethod
    def python_package(
        cls, *, image: str, package_uris: Sequence[str], python_module: str, **more: Any
    ) -> WorkerPool:
        """Return a pool that runs a Python package in one of Google's images.

        Args:
            image: one of https://cloud.google.com/vertex-ai/docs/training/pre-built-containers.
            package_uris: ``gs://`` files of the package and what it needs.
            python_module: the module that is run.
            **more: the other fields, such as ``args``, ``env``, ``machine``.
        """
        return cls(image=image, package_uris=package_uris, python_module=python_module, **more)

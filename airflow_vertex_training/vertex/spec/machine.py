"""The machine that a replica runs on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.spec import checks, machines, quantities
from airflow_vertex_training.vertex.spec.rows import Part, documented, group, row

if TYPE_CHECKING:
    from collections.abc import Sequence

DISK_TYPES = "'pd-ssd', 'pd-standard' or 'hyperdisk-balanced'"


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class ReservationAffinity(Part):
    """Whether a machine comes out of a reservation.

    https://cloud.google.com/vertex-ai/docs/training/use-reservations
    """

    reservation_affinity_type: str | None = field(
        default=None,
        metadata=row(
            "reservation_affinity_type",
            checks.one_of(machines.RESERVATION_TYPES, "'SPECIFIC_RESERVATION'"),
            "``NO_RESERVATION``, ``ANY_RESERVATION`` or ``SPECIFIC_RESERVATION``",
        ),
    )
    key: str | None = field(
        default=None,
        metadata=row(
            "key",
            checks.text,
            "label key of the reservation; with ``SPECIFIC_RESERVATION`` the default is "
            "``compute.googleapis.com/reservation-name``",
        ),
    )
    values: Sequence[str] | None = field(
        default=None,
        metadata=row(
            "values",
            checks.list_of(
                checks.named(
                    r"projects/[^/\s]+/zones/[^/\s]+/reservations/[^/\s]+",
                    "projects/P/zones/Z/reservations/R",
                ),
                at_most=100,
            ),
            "reservations, ``projects/P/zones/Z/reservations/R`` each",
        ),
    )


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class Machine(Part):
    """The machine of each replica of a pool.

    https://cloud.google.com/vertex-ai/docs/training/configure-compute
    """

    machine_type: str | None = field(
        default=None,
        metadata=row(
            "machine_type",
            checks.named(r"[a-z][a-z0-9-]{0,62}", "a machine type such as 'n1-standard-4'"),
            "Compute Engine machine type",
            default="n1-standard-4",
            argument="machine_type",
        ),
    )
    accelerator_type: str | None = field(
        default=None,
        metadata=row(
            "accelerator_type",
            checks.one_of(machines.ACCELERATOR_TYPES, "a type such as 'NVIDIA_L4'", strict=False),
            "such as ``NVIDIA_L4``; needs ``accelerator_count``",
            argument="accelerator_type",
        ),
    )
    accelerator_count: int | str | None = field(
        default=None,
        metadata=row(
            "accelerator_count",
            quantities.count(1, 100_000),
            "accelerators on each machine; needs ``accelerator_type``",
            argument="accelerator_count",
        ),
    )
    gpu_partition_size: str | None = field(
        default=None,
        metadata=row(
            "gpu_partition_size",
            checks.named(r"[0-9]+g\.[0-9]+gb", "a size such as '1g.10gb'"),
            "size of the parts that a GPU is split into, such as ``1g.10gb``",
        ),
    )
    tpu_topology: str | None = field(
        default=None,
        metadata=row(
            "tpu_topology",
            checks.named(r"[0-9]+(x[0-9]+){1,2}", "a topology such as '2x4'"),
            "how TPU chips are arranged, such as ``2x4``",
        ),
    )
    reservation_affinity: ReservationAffinity | None = field(
        default=None,
        metadata=group("reservation_affinity", ReservationAffinity, "whether it comes out of a reservation"),
    )


@documented
@dataclass(frozen=True, kw_only=True, repr=False)
class Disk(Part):
    """The boot disk of each machine of a pool."""

    boot_disk_type: str | None = field(
        default=None,
        metadata=row(
            "boot_disk_type",
            checks.one_of({name: number for number, name in enumerate(machines.DISK_TYPES, 1)}, DISK_TYPES),
            "``pd-ssd``, ``pd-standard`` or ``hyperdisk-balanced``; default the machine type's own",
            argument="boot_disk_type",
        ),
    )
    boot_disk_size_gb: int | str | None = field(
        default=None,
        metadata=row(
            "boot_disk_size_gb",
            quantities.count(100, 64_000, " GB"),
            "in GB, 100 to 64,000",
            default=100,
            argument="boot_disk_size_gb",
        ),
    )

"""Whether a machine takes the accelerators, topology and disk that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_vertex_training.vertex.spec import machines
from airflow_vertex_training.vertex.spec.reader import Open
from airflow_vertex_training.vertex.spec.table import MACHINE_TYPE
from airflow_vertex_training.vertex.spec.words import choices

if TYPE_CHECKING:
    from airflow_vertex_training.vertex.spec.view import View

TYPE = "machine.accelerator_type"
COUNT = "machine.accelerator_count"
TOPOLOGY = "machine.tpu_topology"
PARTITION = "machine.gpu_partition_size"
DISK = "disk.boot_disk_type"


def check_machine(pool: View) -> None:
    """Keep what does not fit the machine of a pool."""
    machine_type = pool.get(MACHINE_TYPE)
    if machine_type is None:
        pool.wrong(MACHINE_TYPE, "is missing: name one such as 'n1-standard-4'")
        return
    if pool.known(TYPE, COUNT):
        _pair(pool)
    if isinstance(machine_type, Open):
        return
    takes = machines.accelerators_of(machine_type)
    if takes is None:
        pool.warn(
            MACHINE_TYPE,
            f"{machine_type!r} is not in this package's table: Vertex AI decides whether it fits",
        )
    elif pool.known(TYPE):
        _accelerators(pool, machine_type, takes)
    _topology(pool, machine_type)
    disk = pool.get(DISK)
    if disk in ("pd-ssd", "pd-standard") and machines.refuses_persistent_disks(machine_type):
        pool.wrong(
            DISK, f"{machine_type} does not boot from {disk}: write 'hyperdisk-balanced' or leave it out"
        )


def _pair(pool: View) -> None:
    accelerator, count = pool.get(TYPE), pool.get(COUNT)
    if accelerator and not count:
        pool.wrong(COUNT, f"must be at least 1 with accelerator_type {accelerator!r}")
    if count and not accelerator:
        pool.wrong(TYPE, f"is missing, such as 'NVIDIA_L4', with accelerator_count={count}")
    if pool.given(PARTITION) and count and count != 1:
        pool.wrong(COUNT, f"must be 1 with gpu_partition_size, got {count}")


def _accelerators(pool: View, machine_type: str, takes: machines.Takes) -> None:
    accelerator, count = pool.get(TYPE), pool.get(COUNT)
    if accelerator is None:
        if count is None and machines.needs_accelerator(machine_type):
            name, counts = next(iter(takes.items()))
            pool.wrong(
                TYPE, f"is missing: write {name!r} with accelerator_count={counts[0]} for {machine_type}"
            )
        return
    if accelerator not in takes:
        if accelerator in machines.ACCELERATOR_TYPES:
            right = f"it takes {choices(takes)}" if takes else "it takes none"
            pool.wrong(
                TYPE, f"{accelerator} does not fit {machine_type}; {right}{_instead(accelerator, takes)}"
            )
        return
    if count and pool.known(COUNT) and count not in takes[accelerator]:
        fitting = takes[accelerator]
        shown = choices(fitting) if len(fitting) < _MANY else "8, 32 and multiples of 32"
        do = "does" if len(fitting) == 1 else "do"
        pool.wrong(COUNT, f"{count} {accelerator} do not fit {machine_type}; {shown} {do}")


# More counts than a sentence should list.
_MANY = 6


def _instead(accelerator: str, takes: machines.Takes) -> str:
    built_in = [name for name, (found, _) in machines.BUILT_IN.items() if found == accelerator]
    if built_in:
        return f" ({accelerator} comes with {built_in[0]})"
    if not takes and accelerator.startswith("NVIDIA_TESLA_"):
        return f" ({accelerator} comes with N1 machines)"
    return ""


def _topology(pool: View, machine_type: str) -> None:
    if not pool.known(TOPOLOGY):
        return
    topology, right = pool.get(TOPOLOGY), machines.TPU_TOPOLOGIES.get(machine_type)
    if right is None:
        if topology and machines.accelerators_of(machine_type) is not None:
            pool.wrong(TOPOLOGY, f"{machine_type} takes no topology: leave it out")
    elif topology is None:
        pool.wrong(TOPOLOGY, f"is missing: {machine_type} takes {choices(right)}")
    elif topology not in right:
        pool.wrong(
            TOPOLOGY,
            f"{topology} does not fit {machine_type}; {choices(right)} {'does' if len(right) == 1 else 'do'}",
        )

"""Calls of `CreateCustomJob` that are about machines, accelerators and disks."""

from __future__ import annotations

from typing import Any

from tests.emulator.calls.creating import (
    DOCS,
    L4,
    POOL,
    T4,
    TAKEN,
    V5E,
    WORKERS,
    Create,
    calls,
    machine,
    wrong,
)
from tests.emulator.calls.world import UNDOCUMENTED, Refused, proto

__all__ = ["CALLS"]

MACHINES = f"{DOCS}/training/configure-compute"
SEEN_PAIR = "seen: https://github.com/prefect-archive/prefect-gcp/issues/175"
SEEN_MACHINE = "seen: https://github.com/GoogleCloudPlatform/vertex-ai-samples/issues/213"
TPU = {"machine_type": "cloud-tpu", "accelerator_type": "TPU_V3", "accelerator_count": 8}


def gpus(machine_type: str, kind: str, count: int) -> dict[str, Any]:
    return machine(machine_type=machine_type, accelerator_type=kind, accelerator_count=count)


CREATES: list[Create] = [
    ("an accelerator without a count",
     machine(machine_type="n1-standard-8", accelerator_type="NVIDIA_TESLA_T4"),
     wrong(f"{POOL}.machine_spec.accelerator_type",
     "Both `accelerator_type` and `accelerator_count` should be"
            " specified or none."), SEEN_PAIR),
    ("a count without an accelerator", machine(machine_type="n1-standard-8", accelerator_count=1),
     wrong(f"{POOL}.machine_spec.accelerator_type"), SEEN_PAIR),
    ("n1-standard-2", machine(machine_type="n1-standard-2"), Refused('Machine type "n1-standard-2" is not'),
     MACHINES),
    ("e2-standard-4", machine(machine_type="e2-standard-4"), TAKEN, MACHINES),
    ("m1-megamem-96", machine(machine_type="m1-megamem-96"), TAKEN, MACHINES),
    ("c2-standard-30", machine(machine_type="c2-standard-30"), TAKEN, MACHINES),
    ("n1-typo-4", machine(machine_type="n1-typo-4"), Refused('Machine type "n1-typo-4" is not supported'),
     MACHINES),
    ("a family of tomorrow", machine(machine_type="z9-standard-4"), TAKEN, UNDOCUMENTED),
    ("a T4 on N1", {"pool.machine_spec": T4}, TAKEN, MACHINES),
    ("a K80", gpus("n1-standard-4", "NVIDIA_TESLA_K80", 1),
     Refused('Accelerator "NVIDIA_TESLA_K80" is not supported for machine type "n1-standard-4"'),
     SEEN_MACHINE),
    ("a T4 on E2", gpus("e2-standard-8", "NVIDIA_TESLA_T4", 1), Refused("is not supported for machine"),
     MACHINES),
    ("a T4 on 32 vCPUs", gpus("n1-standard-32", "NVIDIA_TESLA_T4", 1), Refused("which takes 2, 4"),
     MACHINES),
    ("4 T4 on 96 vCPUs", gpus("n1-standard-96", "NVIDIA_TESLA_T4", 4), TAKEN, MACHINES),
    ("3 T4", gpus("n1-standard-8", "NVIDIA_TESLA_T4", 3), Refused("which takes 1, 2, 4"), MACHINES),
    ("a V100 on 16 vCPUs", gpus("n1-highmem-16", "NVIDIA_TESLA_V100", 1), Refused("takes 2, 4, 8"),
     MACHINES),
    ("4 P100 on n1-highcpu-64", gpus("n1-highcpu-64", "NVIDIA_TESLA_P100", 4), TAKEN, MACHINES),
    ("4 P100 on n1-standard-64", gpus("n1-standard-64", "NVIDIA_TESLA_P100", 4), Refused("not supported"),
     MACHINES),
    ("an L4 on G2", {"pool.machine_spec": L4}, TAKEN, MACHINES),
    ("2 L4 on a machine with one", gpus("g2-standard-8", "NVIDIA_L4", 2), Refused("which takes 1."),
     MACHINES),
    ("8 L4 on g2-standard-96", gpus("g2-standard-96", "NVIDIA_L4", 8), TAKEN, MACHINES),
    ("an A100 on A2", gpus("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1), TAKEN, MACHINES),
    ("an A100 of 80 GB on A2 highgpu", gpus("a2-highgpu-1g", "NVIDIA_A100_80GB", 1), Refused("not supp"),
     MACHINES),
    ("8 H200 on A3 ultra", gpus("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8), TAKEN, MACHINES),
    ("8 B200 on A4", gpus("a4-highgpu-8g", "NVIDIA_B200", 8), TAKEN, MACHINES),
    ("A4X without a reservation", gpus("a4x-highgpu-4g", "NVIDIA_GB200", 4),
     wrong(f"{POOL}.machine_spec.reservation_affinity", "Required"), MACHINES),
    ("a GPU machine without its GPUs", machine(machine_type="a2-highgpu-1g"), TAKEN, UNDOCUMENTED),
    ("a persistent disk on A3 ultra", {
        **gpus("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8), "pool.disk_spec": {"boot_disk_type": "pd-ssd"}},
     TAKEN, UNDOCUMENTED),
    ("a partition with two GPUs", machine(**{**T4, "accelerator_count": 2}, gpu_partition_size="1g.10gb"),
     wrong(f"{POOL}.machine_spec.accelerator_count"), proto("MachineSpec.gpu_partition_size")),
    ("a cloud-tpu with 8 cores", {"pool.machine_spec": TPU}, TAKEN, MACHINES),
    ("a cloud-tpu with 64 cores", {"pool.machine_spec": {**TPU, "accelerator_count": 64}}, TAKEN, MACHINES),
    ("a cloud-tpu with 16", {"pool.machine_spec": {**TPU, "accelerator_count": 16}}, Refused("8, 32, 64"),
     MACHINES),
    ("a cloud-tpu alone", machine(machine_type="cloud-tpu"),
     wrong(f"{POOL}.machine_spec.accelerator_type"), MACHINES),
    ("a TPU v5e with a topology", {"pool.machine_spec": V5E}, TAKEN, MACHINES),
    ("a TPU v5e without", machine(machine_type="ct5lp-hightpu-4t"),
     wrong(f"{POOL}.machine_spec.tpu_topology"), MACHINES),
    ("a topology that the machine hasn't", machine(machine_type="ct5lp-hightpu-1t", tpu_topology="2x2"),
     wrong(f"{POOL}.machine_spec.tpu_topology", "Must be one of 1x1"), MACHINES),
    ("TPUs and a second pool", {"pool.machine_spec": V5E, "pools": [WORKERS]},
     wrong("job_spec.worker_pool_specs", "A job with TPUs"), MACHINES),
    ("100 GB of disk", {"pool.disk_spec": {"boot_disk_size_gb": 100}}, TAKEN, MACHINES),
    ("64,000 GB", {"pool.disk_spec": {"boot_disk_size_gb": 64_000}}, TAKEN, MACHINES),
    ("99 GB", {"pool.disk_spec": {"boot_disk_size_gb": 99}}, wrong(f"{POOL}.disk_spec.boot_disk_size_gb"),
     MACHINES),
    ("64,001 GB", {"pool.disk_spec": {"boot_disk_size_gb": 64_001}},
     wrong(f"{POOL}.disk_spec.boot_disk_size_gb"), MACHINES),
    ("a pd-standard disk", {"pool.disk_spec": {"boot_disk_type": "pd-standard"}}, TAKEN,
     proto("DiskSpec.boot_disk_type")),
    ("a hyperdisk", {"pool.disk_spec": {"boot_disk_type": "hyperdisk-balanced"}}, TAKEN,
     proto("DiskSpec.boot_disk_type")),
    ("another disk", {"pool.disk_spec": {"boot_disk_type": "pd-extreme"}},
     wrong(f"{POOL}.disk_spec.boot_disk_type"),
     proto("DiskSpec.boot_disk_type")),
]  # fmt: skip

CALLS = calls(CREATES)

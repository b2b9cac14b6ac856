"""The machines that training can run on, and what may be attached to them.

https://cloud.google.com/vertex-ai/docs/training/configure-compute, as read in 2026-11. Google adds families
faster than anyone releases: what is refused for certain is only what these tables know.
"""

from __future__ import annotations

import math

__all__ = ["LISTED", "TOPOLOGIES", "accelerators", "family", "is_pod", "is_tpu", "known_family"]

_CPU_SIZES: dict[str, tuple[int, ...]] = {
    "e2-standard": (4, 8, 16, 32),
    "e2-highmem": (2, 4, 8, 16),
    "e2-highcpu": (16, 32),
    "n2-standard": (4, 8, 16, 32, 48, 64, 80),
    "n2-highmem": (2, 4, 8, 16, 32, 48, 64, 80),
    "n2-highcpu": (16, 32, 48, 64, 80),
    "n4-standard": (2, 4, 8, 16, 32, 48, 64, 80),
    "n4-highmem": (2, 4, 8, 16, 32, 48, 64, 80),
    "n4-highcpu": (2, 4, 8, 16, 32, 48, 64, 80),
    "n1-standard": (4, 8, 16, 32, 64, 96),
    "n1-highmem": (2, 4, 8, 16, 32, 64, 96),
    "n1-highcpu": (16, 32, 64, 96),
    "c2-standard": (4, 8, 16, 30, 60),
    "m1-ultramem": (40, 80, 160),
    "m1-megamem": (96,),
}
_CPU_TYPES = frozenset(f"{series}-{size}" for series, sizes in _CPU_SIZES.items() for size in sizes)

# The GPUs that these machines are sold with: all of them, and no other.
_BUILT_IN: dict[str, tuple[str, int]] = {
    **{f"a2-highgpu-{count}g": ("NVIDIA_TESLA_A100", count) for count in (1, 2, 4, 8)},
    "a2-megagpu-16g": ("NVIDIA_TESLA_A100", 16),
    **{f"a2-ultragpu-{count}g": ("NVIDIA_A100_80GB", count) for count in (1, 2, 4, 8)},
    **{f"a3-highgpu-{count}g": ("NVIDIA_H100_80GB", count) for count in (1, 2, 4, 8)},
    "a3-megagpu-8g": ("NVIDIA_H100_MEGA_80GB", 8),
    "a3-ultragpu-8g": ("NVIDIA_H200_141GB", 8),
    "a4-highgpu-8g": ("NVIDIA_B200", 8),
    "a4x-highgpu-4g": ("NVIDIA_GB200", 4),
    **{f"g2-standard-{vcpus}": ("NVIDIA_L4", 1) for vcpus in (4, 8, 12, 16, 32)},
    **{f"g2-standard-{vcpus}": ("NVIDIA_L4", vcpus // 12) for vcpus in (24, 48, 96)},
    **{f"g4-standard-{vcpus}": ("NVIDIA_RTX_PRO_6000", vcpus // 48) for vcpus in (48, 96, 192, 384)},
}

# By the greatest number of vCPUs to which they apply.
_SMALL_GPUS = {16: (1, 2, 4), 32: (2, 4), 96: (4,)}
_N1_GPUS: dict[str, dict[int, tuple[int, ...]]] = {
    "NVIDIA_TESLA_P4": _SMALL_GPUS,
    "NVIDIA_TESLA_T4": _SMALL_GPUS,
    "NVIDIA_TESLA_P100": _SMALL_GPUS,
    "NVIDIA_TESLA_V100": {8: (1, 2, 4, 8), 16: (2, 4, 8), 32: (4, 8), 96: (8,)},
}
_P100_VCPUS = 32
_P100_LARGE = "n1-highcpu-64"

_CLOUD_TPU = "cloud-tpu"
_ONE_HOST_CORES = 8
_TPU_CORES = {
    "TPU_V2": (_ONE_HOST_CORES, *range(32, 513, 32)),
    "TPU_V3": (_ONE_HOST_CORES, *range(32, 2049, 32)),
}
_ONE_CHIP, _EIGHT_CHIPS = ("1x1",), ("2x4",)
_FOUR_CHIPS = ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")

TOPOLOGIES: dict[str, tuple[str, ...]] = {
    "ct5lp-hightpu-1t": _ONE_CHIP,
    "ct5lp-hightpu-4t": _FOUR_CHIPS,
    "ct5lp-hightpu-8t": _EIGHT_CHIPS,
    "ct6e-standard-1t": _ONE_CHIP,
    "ct6e-standard-4t": _FOUR_CHIPS,
    "ct6e-standard-8t": _EIGHT_CHIPS,
    "tpu7x-standard-4t": (
        *("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4"),
        *("4x4x8", "4x8x8", "8x8x8", "8x8x16"),
    ),
}
"""The topologies of each TPU machine that takes one."""

LISTED = _CPU_TYPES | _BUILT_IN.keys() | TOPOLOGIES.keys() | {_CLOUD_TPU}
"""All machine types that training can run on, as far as the docs say."""


def family(machine_type: str) -> str:
    """Return the part of a machine type's name that says its family, such as `n1`."""
    return machine_type.partition("-")[0]


_FAMILIES = frozenset(family(name) for name in LISTED)


def known_family(machine_type: str) -> bool:
    """Say whether the docs list any machine of this one's family."""
    return family(machine_type) in _FAMILIES


def is_tpu(machine_type: str) -> bool:
    """Say whether a machine type has TPUs."""
    return machine_type == _CLOUD_TPU or machine_type in TOPOLOGIES


def is_pod(machine_type: str, accelerator_count: int, topology: str) -> bool:
    """Say whether TPUs are on more than one host: more cores, or more chips, than a machine has.

    Args:
        machine_type: A machine type.
        accelerator_count: Cores of a `cloud-tpu`.
        topology: Of the other machines with TPUs: its sides' product is the number of chips.
    """
    if machine_type == _CLOUD_TPU:
        return accelerator_count > _ONE_HOST_CORES
    if topology not in TOPOLOGIES.get(machine_type, ()):
        return False
    return math.prod(map(int, topology.split("x"))) > int(machine_type.rpartition("-")[2].rstrip("t"))


def accelerators(machine_type: str) -> dict[str, tuple[int, ...]]:
    """Return which accelerators a listed machine type takes, and how many of each."""
    if machine_type in _BUILT_IN:
        name, count = _BUILT_IN[machine_type]
        return {name: (count,)}
    if machine_type == _CLOUD_TPU:
        return _TPU_CORES
    if family(machine_type) != "n1":
        return {}
    vcpus = int(machine_type.rpartition("-")[2])
    found = {}
    for name, by_size in _N1_GPUS.items():
        if name == "NVIDIA_TESLA_P100" and vcpus > _P100_VCPUS and machine_type != _P100_LARGE:
            continue
        found[name] = next(counts for largest, counts in by_size.items() if vcpus <= largest)
    return found

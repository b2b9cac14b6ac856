"""Which machine takes which accelerators, as plain data.

From https://cloud.google.com/vertex-ai/docs/training/configure-compute, read in November 2026. Google adds
types faster than anybody releases: what is not in here is not wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Counts = tuple[int, ...]
Takes = Mapping[str, Counts]

ACCELERATOR_TYPES: Mapping[str, int] = {
    "ACCELERATOR_TYPE_UNSPECIFIED": 0,
    "NVIDIA_TESLA_K80": 1,
    "NVIDIA_TESLA_P100": 2,
    "NVIDIA_TESLA_V100": 3,
    "NVIDIA_TESLA_P4": 4,
    "NVIDIA_TESLA_T4": 5,
    "TPU_V2": 6,
    "TPU_V3": 7,
    "NVIDIA_TESLA_A100": 8,
    "NVIDIA_A100_80GB": 9,
    "TPU_V4_POD": 10,
    "NVIDIA_L4": 11,
    "TPU_V5_LITEPOD": 12,
    "NVIDIA_H100_80GB": 13,
    "NVIDIA_H100_MEGA_80GB": 14,
    "NVIDIA_H200_141GB": 15,
    "NVIDIA_B200": 16,
    "NVIDIA_GB200": 17,
    "NVIDIA_RTX_PRO_6000": 18,
}
"""The API's names and numbers for accelerators."""

STRATEGIES: Mapping[str, int] = {
    "STRATEGY_UNSPECIFIED": 0,
    "ON_DEMAND": 1,
    "LOW_COST": 2,
    "STANDARD": 3,
    "SPOT": 4,
    "FLEX_START": 6,
}
"""The API's names and numbers for scheduling strategies."""

RESERVATION_TYPES: Mapping[str, int] = {
    "TYPE_UNSPECIFIED": 0,
    "NO_RESERVATION": 1,
    "ANY_RESERVATION": 2,
    "SPECIFIC_RESERVATION": 3,
}
"""The API's names and numbers for kinds of reservation affinity."""

BUILT_IN: Mapping[str, tuple[str, int]] = {
    **{f"a2-highgpu-{n}g": ("NVIDIA_TESLA_A100", n) for n in (1, 2, 4, 8)},
    "a2-megagpu-16g": ("NVIDIA_TESLA_A100", 16),
    **{f"a2-ultragpu-{n}g": ("NVIDIA_A100_80GB", n) for n in (1, 2, 4, 8)},
    **{f"a3-highgpu-{n}g": ("NVIDIA_H100_80GB", n) for n in (1, 2, 4, 8)},
    "a3-megagpu-8g": ("NVIDIA_H100_MEGA_80GB", 8),
    "a3-ultragpu-8g": ("NVIDIA_H200_141GB", 8),
    "a4-highgpu-8g": ("NVIDIA_B200", 8),
    "a4x-highgpu-4g": ("NVIDIA_GB200", 4),
    **{f"g2-standard-{vcpus}": ("NVIDIA_L4", 1) for vcpus in (4, 8, 12, 16, 32)},
    "g2-standard-24": ("NVIDIA_L4", 2),
    "g2-standard-48": ("NVIDIA_L4", 4),
    "g2-standard-96": ("NVIDIA_L4", 8),
    "g4-standard-48": ("NVIDIA_RTX_PRO_6000", 1),
    "g4-standard-96": ("NVIDIA_RTX_PRO_6000", 2),
    "g4-standard-192": ("NVIDIA_RTX_PRO_6000", 4),
    "g4-standard-384": ("NVIDIA_RTX_PRO_6000", 8),
}
"""Machines that have their accelerators built in: one type, one count."""

TPU_TYPES: Mapping[str, Counts] = {
    "TPU_V2": (8, *range(32, 513, 32)),
    "TPU_V3": (8, *range(32, 2049, 32)),
}
"""TPUs of the machine ``cloud-tpu``, and how many cores may be asked for."""

TPU_TOPOLOGIES: Mapping[str, tuple[str, ...]] = {
    "ct5lp-hightpu-1t": ("1x1",),
    "ct5lp-hightpu-4t": ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
    "ct5lp-hightpu-8t": ("2x4",),
    "ct6e-standard-1t": ("1x1",),
    "ct6e-standard-4t": ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
    "ct6e-standard-8t": ("2x4",),
    "tpu7x-standard-4t": (
        "2x2x1",
        "2x2x2",
        "2x2x4",
        "2x4x4",
        "4x4x4",
        "4x4x8",
        "4x8x8",
        "8x8x8",
        "8x8x16",
    ),
}
"""TPU machines, which take a topology in the place of accelerators."""

FLEX_START_ACCELERATORS = frozenset(
    {
        "NVIDIA_L4",
        "NVIDIA_TESLA_A100",
        "NVIDIA_A100_80GB",
        "NVIDIA_H100_80GB",
        "NVIDIA_H100_MEGA_80GB",
        "NVIDIA_H200_141GB",
        "NVIDIA_B200",
    }
)
"""What FLEX_START is there for: https://cloud.google.com/vertex-ai/docs/training/schedule-jobs-dws"""

RESERVATION_REQUIRED = frozenset({"a4x-highgpu-4g"})

DISK_TYPES = ("pd-ssd", "pd-standard", "hyperdisk-balanced")

# vCPUs of an N1 machine to how many of an accelerator it takes.
_P4_T4: Mapping[int, Counts] = {
    **dict.fromkeys((2, 4, 8, 16), (1, 2, 4)),
    32: (2, 4),
    64: (4,),
    96: (4,),
}
_V100: Mapping[int, Counts] = {
    **dict.fromkeys((2, 4, 8), (1, 2, 4, 8)),
    16: (2, 4, 8),
    32: (4, 8),
    64: (8,),
    96: (8,),
}
_N1 = re.compile(r"n1-(standard|highmem|highcpu)-(2|4|8|16|32|64|96)")
_WITHOUT = re.compile(r"(e2|n2|n4|c2|m1)-[a-z0-9-]+")
_BOOTS_FROM_HYPERDISK = re.compile(r"(a3-ultragpu|a4)-.+")
_BOOTS_FROM_PD_SSD = re.compile(r"(n1|n2|e2|c2|m1|a2|g2)-.+|a3-(high|mega)gpu-.+")


def accelerators_of(machine_type: str) -> Takes | None:
    """Return which accelerators a machine takes, and how many; ``None`` where the machine is not known."""
    if machine_type in BUILT_IN:
        accelerator, count = BUILT_IN[machine_type]
        return {accelerator: (count,)}
    if n1 := _N1.fullmatch(machine_type):
        return _of_n1(n1[1], int(n1[2]))
    if machine_type == "cloud-tpu":
        return TPU_TYPES
    if machine_type in TPU_TOPOLOGIES or _WITHOUT.fullmatch(machine_type):
        return {}
    return None


def needs_accelerator(machine_type: str) -> bool:
    """Whether a machine is not there without its accelerators."""
    return machine_type in BUILT_IN or machine_type == "cloud-tpu"


def is_tpu(machine_type: str) -> bool:
    """Whether a machine is one with TPUs."""
    return machine_type == "cloud-tpu" or machine_type in TPU_TOPOLOGIES


def is_tpu_pod(machine_type: str, accelerator_count: int | None, topology: str | None) -> bool:
    """Whether a machine is one of several hosts, a slice of a TPU Pod."""
    if machine_type == "cloud-tpu":
        return (accelerator_count or 0) > min(TPU_TYPES["TPU_V2"])
    if machine_type not in TPU_TOPOLOGIES or not topology:
        return False
    chips = 1
    for side in topology.split("x"):
        chips *= int(side)
    on_one_host = int(machine_type.rpartition("-")[2].removesuffix("t"))
    return chips > on_one_host


def boots_from_pd_ssd(machine_type: str) -> bool:
    """Whether ``pd-ssd`` is known to be the machine's own default boot disk."""
    return _BOOTS_FROM_PD_SSD.fullmatch(machine_type) is not None


def refuses_persistent_disks(machine_type: str) -> bool:
    """Whether a machine is known to boot from a Hyperdisk only."""
    return _BOOTS_FROM_HYPERDISK.fullmatch(machine_type) is not None


def _of_n1(kind: str, vcpus: int) -> Takes:
    found = {"NVIDIA_TESLA_P4": _P4_T4[vcpus], "NVIDIA_TESLA_T4": _P4_T4[vcpus]}
    found["NVIDIA_TESLA_V100"] = _V100[vcpus]
    if vcpus < 64 or (kind, vcpus) == ("highcpu", 64):  # noqa: PLR2004 - Google's table
        found["NVIDIA_TESLA_P100"] = _P4_T4[vcpus]
    return found

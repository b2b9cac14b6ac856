"""Google's tables of machines: each row, right and wrong."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import aiplatform_v1

from airflow_vertex_training.vertex.spec import machines, message
from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.resolve import complete
from airflow_vertex_training.vertex.spec.templates import JobTemplate

N1 = ("n1-standard-", "n1-highmem-", "n1-highcpu-")

# https://cloud.google.com/vertex-ai/docs/training/configure-compute, read in November 2026.
FIXED = [
    *((f"a2-highgpu-{n}g", "NVIDIA_TESLA_A100", n) for n in (1, 2, 4, 8)),
    ("a2-megagpu-16g", "NVIDIA_TESLA_A100", 16),
    *((f"a2-ultragpu-{n}g", "NVIDIA_A100_80GB", n) for n in (1, 2, 4, 8)),
    *((f"a3-highgpu-{n}g", "NVIDIA_H100_80GB", n) for n in (1, 2, 4, 8)),
    ("a3-megagpu-8g", "NVIDIA_H100_MEGA_80GB", 8),
    ("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8),
    ("a4-highgpu-8g", "NVIDIA_B200", 8),
    *((f"g2-standard-{vcpus}", "NVIDIA_L4", 1) for vcpus in (4, 8, 12, 16, 32)),
    ("g2-standard-24", "NVIDIA_L4", 2),
    ("g2-standard-48", "NVIDIA_L4", 4),
    ("g2-standard-96", "NVIDIA_L4", 8),
    ("g4-standard-48", "NVIDIA_RTX_PRO_6000", 1),
    ("g4-standard-96", "NVIDIA_RTX_PRO_6000", 2),
    ("g4-standard-192", "NVIDIA_RTX_PRO_6000", 4),
    ("g4-standard-384", "NVIDIA_RTX_PRO_6000", 8),
]
CHOSEN = [
    *(
        (f"{kind}{vcpus}", gpu, counts)
        for gpu in ("NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_P100")
        for vcpus, counts in ((4, (1, 2, 4)), (8, (1, 2, 4)), (16, (1, 2, 4)), (32, (2, 4)))
        for kind in N1
    ),
    *(
        (f"{kind}{vcpus}", gpu, (4,))
        for gpu in ("NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4")
        for vcpus in (64, 96)
        for kind in N1
    ),
    ("n1-highcpu-64", "NVIDIA_TESLA_P100", (4,)),
    *((f"{kind}{vcpus}", "NVIDIA_TESLA_V100", (1, 2, 4, 8)) for vcpus in (4, 8) for kind in N1),
    *((f"{kind}16", "NVIDIA_TESLA_V100", (2, 4, 8)) for kind in N1),
    *((f"{kind}32", "NVIDIA_TESLA_V100", (4, 8)) for kind in N1),
    *((f"{kind}{vcpus}", "NVIDIA_TESLA_V100", (8,)) for vcpus in (64, 96) for kind in N1),
]
TOPOLOGIES = [
    ("ct5lp-hightpu-1t", "1x1"),
    ("ct5lp-hightpu-8t", "2x4"),
    ("ct6e-standard-1t", "1x1"),
    ("ct6e-standard-8t", "2x4"),
    *(
        (machine, topology)
        for machine in ("ct5lp-hightpu-4t", "ct6e-standard-4t")
        for topology in ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
    ),
    *(
        ("tpu7x-standard-4t", topology)
        for topology in ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8", "8x8x16")
    ),
]


def found(**machine: Any) -> list[str]:
    """Return what is wrong with a job on such a machine."""
    reader = Reader()
    topology = machine.pop("tpu_topology", None)
    pools = {"worker_pools": [{"machine": {"tpu_topology": topology}}]} if topology else {}
    complete([read_arguments({"image": "gcr.io/a/b", **machine, **pools}, reader)], reader)
    return [str(finding) for finding in reader.findings]


@pytest.mark.parametrize(("machine", "gpu", "count"), FIXED, ids=[row[0] for row in FIXED])
def test_a_machine_with_its_own_accelerators(machine: str, gpu: str, count: int) -> None:
    """It takes its own type and count, and neither less nor another nor none."""
    assert found(machine_type=machine, accelerator_type=gpu, accelerator_count=count) == []
    (wrong,) = found(machine_type=machine, accelerator_type=gpu, accelerator_count=count + 1)
    assert wrong == f"accelerator_count: {count + 1} {gpu} do not fit {machine}; {count} does"
    (wrong,) = found(machine_type=machine, accelerator_type="NVIDIA_TESLA_T4", accelerator_count=count)
    assert wrong.startswith(f"accelerator_type: NVIDIA_TESLA_T4 does not fit {machine}; it takes {gpu}")
    (wrong,) = found(machine_type=machine)
    assert (
        wrong == f"accelerator_type: is missing: write {gpu!r} with accelerator_count={count} for {machine}"
    )


def test_a4x_needs_a_reservation() -> None:
    """A machine that is there by reservation only says so."""
    arguments: dict[str, Any] = {"accelerator_type": "NVIDIA_GB200", "accelerator_count": 4}
    (wrong,) = found(machine_type="a4x-highgpu-4g", **arguments)
    assert wrong.endswith(
        "reservation_affinity_type: is missing: a4x-highgpu-4g is there by reservation only"
    )


@pytest.mark.parametrize(
    ("machine", "gpu", "counts"), CHOSEN, ids=[f"{machine}-{gpu}" for machine, gpu, _ in CHOSEN]
)
def test_a_machine_that_takes_some(machine: str, gpu: str, counts: tuple[int, ...]) -> None:
    """N1 takes these counts of an accelerator and no other."""
    for count in range(1, 10):
        wrong = found(machine_type=machine, accelerator_type=gpu, accelerator_count=count)
        assert bool(wrong) is (count not in counts)
        assert all(
            each.startswith(f"accelerator_count: {count} {gpu} do not fit {machine}; ") for each in wrong
        )
    assert found(machine_type=machine) == []


@pytest.mark.parametrize("machine", ["n1-standard-64", "n1-highmem-64", "n1-standard-96", "n1-highcpu-96"])
def test_a_machine_too_large_for_a_p100(machine: str) -> None:
    """The largest N1 take no P100, but for one."""
    (wrong,) = found(machine_type=machine, accelerator_type="NVIDIA_TESLA_P100", accelerator_count=4)
    assert wrong.startswith(
        f"accelerator_type: NVIDIA_TESLA_P100 does not fit {machine}; it takes NVIDIA_TESLA_P4"
    )


@pytest.mark.parametrize(
    "machine", ["e2-standard-4", "n2-highmem-8", "n4-standard-2", "c2-standard-60", "m1-ultramem-40"]
)
def test_a_machine_that_takes_none(machine: str) -> None:
    """CPU machines take no accelerator, and the message says what has it."""
    assert found(machine_type=machine) == []
    (wrong,) = found(machine_type=machine, accelerator_type="NVIDIA_TESLA_T4", accelerator_count=1)
    assert wrong.endswith(f"does not fit {machine}; it takes none (NVIDIA_TESLA_T4 comes with N1 machines)")
    (wrong,) = found(machine_type=machine, accelerator_type="NVIDIA_L4", accelerator_count=1)
    assert wrong.endswith(f"does not fit {machine}; it takes none (NVIDIA_L4 comes with g2-standard-4)")


@pytest.mark.parametrize("count", [8, 32, 64, 512])
@pytest.mark.parametrize("tpu", ["TPU_V2", "TPU_V3"])
def test_cloud_tpu(tpu: str, count: int) -> None:
    """TPUs v2 and v3 come by 8 cores, or by 32 and multiples."""
    assert found(machine_type="cloud-tpu", accelerator_type=tpu, accelerator_count=count) == []
    for wrong_count in (1, 16, 33):
        (wrong,) = found(machine_type="cloud-tpu", accelerator_type=tpu, accelerator_count=wrong_count)
        assert wrong.endswith(f"{wrong_count} {tpu} do not fit cloud-tpu; 8, 32 and multiples of 32 do")


@pytest.mark.parametrize(("machine", "topology"), TOPOLOGIES)
def test_topologies(machine: str, topology: str) -> None:
    """Newer TPUs take a topology of their list, and no accelerator."""
    assert found(machine_type=machine, tpu_topology=topology) == []
    (wrong,) = found(machine_type=machine, tpu_topology="3x5")
    assert f"tpu_topology: 3x5 does not fit {machine}; " in wrong
    (wrong,) = found(machine_type=machine)
    assert wrong.startswith(f"worker_pools[0].machine.tpu_topology: is missing: {machine} takes ")
    wrongs = found(
        machine_type=machine, tpu_topology=topology, accelerator_type="TPU_V3", accelerator_count=8
    )
    assert any("TPU_V3 does not fit" in each for each in wrongs)


def test_a_topology_is_for_tpus() -> None:
    """A machine without TPUs takes no topology."""
    (wrong,) = found(machine_type="n1-standard-4", tpu_topology="2x2")
    assert wrong.endswith("n1-standard-4 takes no topology: leave it out")


WRONG = [
    *((machine, gpu, count + 1, "Count") for machine, gpu, count in FIXED),
    *((machine, "NVIDIA_TESLA_K80", count, "Type") for machine, _, count in FIXED),
    *((machine, gpu, counts[-1] + 1, "Count") for machine, gpu, counts in CHOSEN),
    ("e2-standard-4", "NVIDIA_L4", 1, "Type"),
    ("cloud-tpu", "TPU_V2", 16, "Count"),
    ("ct5lp-hightpu-1t", "TPU_V3", 8, "Type"),
]


@pytest.mark.parametrize(
    ("machine", "gpu", "count", "at"), WRONG, ids=[f"{row[0]}-{row[1]}-{row[2]}" for row in WRONG]
)
def test_it_is_the_same_wherever_it_is_said(machine: str, gpu: str, count: int, at: str) -> None:
    """Pools, a spec and a job template are told of by their own paths, in the same words as arguments are."""
    said = {"machine_type": machine, "accelerator_type": gpu, "accelerator_count": count}
    topology = {name: each[0] for name, each in machines.TPU_TOPOLOGIES.items()}.get(machine)
    pool = {**said, **({"tpu_topology": topology} if topology else {})}
    api = {message.camel(name): value for name, value in pool.items()}
    image = {"image": "gcr.io/a/b"}
    # A job on TPUs has one pool.
    index = 0 if machines.is_tpu(machine) else 1
    ways: list[tuple[str, Any]] = [
        (
            f"worker_pools[{index}].machine.accelerator_{at.lower()}",
            {**image, "worker_pools": [*[{}] * index, {"machine": pool}]},
        ),
        (
            f"job_spec.workerPoolSpecs[0].machineSpec.accelerator{at}",
            {**image, "job_spec": {"workerPoolSpecs": [{"machineSpec": api}]}},
        ),
    ]
    problems = set()
    for place, arguments in ways:
        reader = Reader()
        complete([read_arguments(arguments, reader)], reader)
        (finding,) = reader.findings
        assert finding.field == place
        reader = Reader()
        JobTemplate("gpu", arguments=arguments).check(reader)
        (of_template,) = reader.findings
        assert of_template.field == f"job template 'gpu': {place}"
        problems |= {finding.problem, of_template.problem}
    assert len(problems) == 1


def test_what_is_known_is_checked() -> None:
    """Where one of a machine's values is a template, the others are still held against each other."""
    reader = Reader(lambda value: isinstance(value, str) and "{{" in value)
    for said, wrong in (
        (
            {
                "machine_type": "e2-standard-4",
                "accelerator_type": "NVIDIA_L4",
                "accelerator_count": "{{ n }}",
            },
            "type",
        ),
        (
            {"machine_type": "g2-standard-4", "accelerator_type": "{{ t }}", "accelerator_count": "{{ n }}"},
            "",
        ),
        ({"machine_type": "{{ m }}", "accelerator_type": "NVIDIA_L4"}, "count"),
        ({"machine_type": "{{ m }}", "accelerator_type": "NVIDIA_L4", "accelerator_count": 7}, ""),
        (
            {
                "machine_type": "g2-standard-4",
                "accelerator_type": "NVIDIA_L4",
                "accelerator_count": "{{ n }}",
            },
            "",
        ),
    ):
        reader.findings.clear()
        complete([read_arguments({"image": "gcr.io/a/b", **said}, reader)], reader)
        assert [finding.field for finding in reader.findings] == ([f"accelerator_{wrong}"] if wrong else [])


@pytest.mark.parametrize("machine", ["a3-ultragpu-8g", "a4-highgpu-8g"])
def test_a_machine_that_boots_from_hyperdisk(machine: str) -> None:
    """A disk that such a machine can't boot from is refused; where none is named, Vertex chooses."""
    gpu, count = machines.BUILT_IN[machine]
    said: dict[str, Any] = {"machine_type": machine, "accelerator_type": gpu, "accelerator_count": count}
    (wrong,) = found(**said, boot_disk_type="pd-ssd")
    assert wrong.startswith(
        f"boot_disk_type: {machine} does not boot from pd-ssd: write 'hyperdisk-balanced'"
    )
    reader = Reader()
    layer = complete([read_arguments({"image": "gcr.io/a/b", **said}, reader)], reader)
    assert layer.pools is not None
    assert "disk.boot_disk_type" not in layer.pools[0]


@pytest.mark.parametrize(
    ("ours", "clients"),
    [
        (machines.ACCELERATOR_TYPES, aiplatform_v1.AcceleratorType),
        (machines.STRATEGIES, aiplatform_v1.Scheduling.Strategy),
        (machines.RESERVATION_TYPES, aiplatform_v1.ReservationAffinity.Type),
    ],
    ids=["accelerators", "strategies", "reservations"],
)
def test_names_and_numbers_are_the_clients(ours: Any, clients: Any) -> None:
    """The names that we know are those of the installed client library."""
    assert dict(ours) == {each.name: each.value for each in clients}

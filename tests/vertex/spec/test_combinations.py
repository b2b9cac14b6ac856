"""What does not go together is told before it costs anything; what does passes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_vertex_training.vertex.naming.identity import OWN_LABELS
from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.resolve import complete

NETWORK = "projects/1234/global/networks/default"
T4: dict[str, Any] = {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
L4: dict[str, Any] = {
    "machine_type": "g2-standard-8",
    "accelerator_type": "NVIDIA_L4",
    "accelerator_count": 1,
}
A100: dict[str, Any] = {
    "machine_type": "a2-highgpu-2g",
    "accelerator_type": "NVIDIA_TESLA_A100",
    "accelerator_count": 2,
}
FLEX = {"scheduling": {"strategy": "FLEX_START"}}
TENSORBOARD = {"tracking": {"tensorboard": "projects/p/locations/us-central1/tensorboards/1"}}
EXPERIMENT = "projects/p/locations/us-central1/metadataStores/default/contexts/digits"
RESERVED = {
    "reservation_affinity": {
        "reservation_affinity_type": "SPECIFIC_RESERVATION",
        "values": ["projects/p/zones/us-central1-a/reservations/r"],
    }
}


def reserved(**more: Any) -> dict[str, Any]:
    """Return arguments for a reserved machine with an L4."""
    return {"worker_pools": [{"machine": {**L4, **RESERVED}}], **more}


def found(arguments: dict[str, Any], own_env: tuple[str, ...] = ()) -> list[str]:
    """Return what is wrong with a job."""
    reader = Reader()
    complete([read_arguments({"image": "gcr.io/a/b", **arguments}, reader)], reader, own_env)
    return [str(finding) for finding in reader.findings]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"image": ""}, "image: is missing: name the container image, such as"),
    ({"worker_pools": [{"replica_count": 1}] * 5}, "worker_pools: has 5 pools: 4 at most"),
    (
        {"worker_pools": [{"replica_count": 3}]},
        "worker_pools[0].replica_count: must be 1 for the first pool, which ho",
    ),
    (
        {"worker_pools": [{"python_module": "a"}]},
        "worker_pools[0].package_uris: is missing: a Python package needs it",
    ),
    (
        {"worker_pools": [{"package_uris": ["gs://a/b"]}]},
        "worker_pools[0].python_module: is missing: a Python package",
    ),
    (
        {"command": ["a"], "worker_pools": [{"package_uris": ["gs://a/b"], "python_module": "a"}]},
        "command: does not go with a Python package: its python_module is what runs",
    ),
    (
        {"worker_pools": [{"replica_count": 1}, {"machine": {**T4, "accelerator_count": 3}}]},
        "worker_pools[1].machine.accelerator_count: 3 NVIDIA_TESLA_T4 do not fit n1-standard-4; 1, 2 or 4 do",
    ),
    ({"machine_type": ""}, "machine_type: is missing: name one such as 'n1-standard-4'"),
    ({"accelerator_type": "NVIDIA_TESLA_T4"}, "accelerator_count: must be at least 1 with accelerator_type"),
    ({"accelerator_count": 1}, "accelerator_type: is missing, such as 'NVIDIA_L4', with accelerator_count=1"),
    (
        {"accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 0},
        "accelerator_count: must be at least 1 with",
    ),
    (
        {"worker_pools": [{"machine": {**A100, "gpu_partition_size": "1g.5gb"}}]},
        "worker_pools[0].machine.accelerator_count: must be 1 with gpu_partition_size, got 2",
    ),
    (
        {"machine_type": "ct6e-standard-1t", "worker_pools": [{"machine": {"tpu_topology": "1x1"}}] * 2},
        "worker_pools: a job on TPUs (ct6e-standard-1t) has one pool, got 2",
    ),
    (
        {
            "scheduling": {"strategy": "SPOT"},
            "machine_type": "cloud-tpu",
            "accelerator_type": "TPU_V3",
            "accelerator_count": 32,
        },
        "scheduling.strategy: SPOT is not there for TPU Pods (machine_type)",
    ),
    (
        {
            "scheduling": {"strategy": "SPOT"},
            "worker_pools": [{"machine": {"machine_type": "ct6e-standard-4t", "tpu_topology": "4x4"}}],
        },
        "scheduling.strategy: SPOT is not there for TPU Pods (worker_pools[0].machine.machine_type)",
    ),
    ({**FLEX, **L4, "maximum_run_time": 700_000}, "maximum_run_time: must be at most 7 days with FLEX_START"),
    ({**FLEX}, "accelerator_type: FLEX_START is there for NVIDIA_A100_80GB, NVIDIA_B200, "),
    ({**FLEX, **T4}, "accelerator_type: FLEX_START is there for "),
    (
        {**FLEX, "worker_pools": [{"machine": L4}, {"machine": {**L4, "machine_type": "g2-standard-4"}}]},
        "worker_pools[1].machine.machine_type: FLEX_START needs the same machines in all pools",
    ),
    (
        reserved(**FLEX),
        "worker_pools[0].machine.reservation_affinity.reservation_affinity_type: does not go with FLEX_START",
    ),
    (
        reserved(persistent_resource_id="mine"),
        "worker_pools[0].machine.reservation_affinity.reservation_affinity_type: does not go with p",
    ),
    (
        {
            "worker_pools": [
                {"machine": {"reservation_affinity": {"reservation_affinity_type": "SPECIFIC_RESERVATION"}}}
            ]
        },
        "worker_pools[0].machine.reservation_affinity.values: is missing: SPECIFIC_RESERVATION names one",
    ),
    (
        {
            "worker_pools": [
                {
                    "machine": {
                        "reservation_affinity": {
                            **RESERVED["reservation_affinity"],
                            "reservation_affinity_type": "",
                        }
                    }
                }
            ]
        },
        "worker_pools[0].machine.reservation_affinity.reservation_affinity_type: must be 'SPEC",
    ),
    (
        {"scheduling": {"max_wait_duration": 60}},
        "scheduling.max_wait_duration: is read with strategy FLEX_START only",
    ),
    (
        {"scheduling": {"max_wait_duration": 0}},
        "scheduling.max_wait_duration: is read with strategy FLEX_START only",
    ),
    (
        {"network": NETWORK, "psc_interface_config": {"network_attachment": "a"}},
        "network: does not go with psc_interface_config.network_attachment: keep one of the two",
    ),
    ({"reserved_ip_ranges": ["a"]}, "reserved_ip_ranges: lie in a VPC network; set network as well"),
    (
        {**TENSORBOARD, "service_account": "a@b.c"},
        "base_output_directory: is missing: tracking.tensorboard needs it",
    ),
    (
        {**TENSORBOARD, "base_output_directory": "gs://abc"},
        "service_account: is missing: tracking.tensorboard needs",
    ),
    (
        {
            **TENSORBOARD,
            "region": "europe-west4",
            "service_account": "a@b.c",
            "base_output_directory": "gs://abc",
        },
        "tracking.tensorboard: lies in us-central1, the job in europe-west4: use one of the job's region",
    ),
    (
        {"region": "europe-west4", "kms_key_name": "projects/p/locations/global/keyRings/r/cryptoKeys/k"},
        "kms_key_name: lies in global, the job in europe-west4",
    ),
    (
        {"tracking": {"experiment_run": f"{EXPERIMENT}-1"}},
        "tracking.experiment: is missing: tracking.experiment_run",
    ),
    (
        {
            "tracking": {
                "experiment": EXPERIMENT,
                "experiment_run": "projects/p/locations/l/metadataStores/a/contexts/b",
            }
        },
        f"tracking.experiment_run: must be the experiment's name with more: write {EXPERIMENT}-RUN",
    ),
    (
        {"labels": {f"k{number}": "x" for number in range(52)}},
        f"labels: 52 given, {len(OWN_LABELS)} are Airflow's, 64 at most",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG, ids=[f"{n}-{row[1].split(':')[0]}" for n, row in enumerate(WRONG)]
)
def test_what_does_not_go_together(arguments: dict[str, Any], message: str) -> None:
    """Each rule has one message, which names the field and what would be right."""
    (wrong,) = found(arguments)
    assert wrong.startswith(message)


RIGHT: list[dict[str, Any]] = [
    {},
    {"worker_pools": [{}, {"replica_count": 2}]},
    {"worker_pools": [{"replica_count": 1}, {}, {"replica_count": 3}]},
    {"worker_pools": [{"package_uris": ["gs://a/b.tar.gz"], "python_module": "a.b"}]},
    {**FLEX, **L4, "maximum_run_time": 604_800},
    {**L4, "scheduling": {"strategy": "FLEX_START", "max_wait_duration": 0}},
    reserved(),
    {"scheduling": {"strategy": "SPOT", "restart_job_on_worker_restart": True}},
    {**TENSORBOARD, "region": "us-central1", "service_account": "a@b.c", "base_output_directory": "gs://abc"},
    {"tracking": {"experiment": EXPERIMENT, "experiment_run": f"{EXPERIMENT}-1"}},
    {"network": NETWORK, "reserved_ip_ranges": ["a"]},
    {
        "scheduling": {"strategy": "SPOT"},
        "machine_type": "cloud-tpu",
        "accelerator_type": "TPU_V3",
        "accelerator_count": 8,
    },
    {"labels": {f"k{number}": "x" for number in range(64 - len(OWN_LABELS))}},
    {"env": {f"A{number}": "" for number in range(100)}},
    {"accelerator_count": 0},
    {"accelerator_type": "ACCELERATOR_TYPE_UNSPECIFIED", "accelerator_count": 0},
    {"machine_type": "z9-standard-4", "accelerator_type": "NVIDIA_L99", "accelerator_count": 3},
]


@pytest.mark.parametrize("arguments", RIGHT, ids=[str(n) for n in range(len(RIGHT))])
def test_what_goes_together(arguments: dict[str, Any]) -> None:
    """What Vertex takes is not refused."""
    assert found(arguments) == []


def test_airflows_own_variables_count() -> None:
    """Variables that Airflow adds are counted, those that the user has as well only once."""
    own = ("AIRFLOW_CTX_DAG_ID", "AIRFLOW_CTX_TASK_ID")
    env = {f"A{number}": "" for number in range(98)}
    assert found({"env": env}, own) == []
    assert found({"env": {**env, "B": ""}}, own) == ["env: 99 given, 2 are Airflow's, 100 at most"]
    assert found({"env": {**env, own[0]: "", own[1]: ""}}, own) == []


WARNED: list[tuple[dict[str, Any], str]] = [
    ({"machine_type": "z9-standard-4"}, "machine_type: 'z9-standard-4' is not in this package's table"),
    (
        {"scheduling": {"strategy": "ON_DEMAND"}},
        "scheduling.strategy: ON_DEMAND is an old name: write STANDARD",
    ),
    (
        {"scheduling": {"disable_retries": True, "restart_job_on_worker_restart": True}},
        "scheduling.restart_job_on_worker_restart: has no effect: disable_retries is on",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"), WARNED, ids=[message.split(":")[0] for _, message in WARNED]
)
def test_what_is_warned_of(arguments: dict[str, Any], message: str) -> None:
    """What may be a mistake passes, with a word."""
    reader = Reader()
    complete([read_arguments({"image": "gcr.io/a/b", **arguments}, reader)], reader)
    assert reader.findings == []
    (warning,) = reader.warnings
    assert str(warning).startswith(message)


@pytest.mark.parametrize(
    "arguments",
    [
        {"accelerator_count": "{{ n }}", "machine_type": "a2-highgpu-1g"},
        {"machine_type": "{{ m }}", "accelerator_type": "NVIDIA_L4", "accelerator_count": 3},
        {**FLEX, "accelerator_type": "{{ a }}", "accelerator_count": 1, "machine_type": "g2-standard-8"},
        {"scheduling": {"strategy": "{{ s }}", "max_wait_duration": 60}},
        {
            **TENSORBOARD,
            "service_account": "{{ s }}",
            "base_output_directory": "{{ o }}",
            "region": "{{ r }}",
        },
        {"worker_pools": [{"replica_count": "{{ n }}"}]},
        {"image": "{{ i }}", "labels": {"a": "{{ l }}"}, "env": {"A": "{{ e }}"}},
        {"reserved_ip_ranges": ["a"], "network": "{{ n }}"},
    ],
)
def test_what_is_not_known_yet_is_left_alone(arguments: dict[str, Any]) -> None:
    """A combination is checked where every value in it is known."""
    reader = Reader(lambda value: isinstance(value, str) and "{{" in value)
    complete([read_arguments({"image": "gcr.io/a/b", **arguments}, reader)], reader)
    assert reader.findings == []

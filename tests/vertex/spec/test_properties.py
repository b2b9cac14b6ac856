"""What holds of every job: one that passes the checks is one that Vertex takes, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_vertex_training.emulator.control.process import launch
from airflow_vertex_training.vertex.api import endpoint, protos
from airflow_vertex_training.vertex.spec.arguments import read_arguments
from airflow_vertex_training.vertex.spec.message import value_of
from airflow_vertex_training.vertex.spec.reader import Reader
from airflow_vertex_training.vertex.spec.table import ARGUMENTS, JOB, POOL
from tests.vertex.conftest import job_of
from tests.vertex.spec.any_jobs import CONTEXT, HERE, REGION, valid_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.aiplatform_v1.services.job_service import JobServiceClient


@pytest.fixture(scope="module")
def client() -> Iterator[JobServiceClient]:
    """A client of an emulator whose jobs never leave the queue."""
    with launch("--queue-seconds", "3600") as emulator:
        where = endpoint.Endpoint(emulator.address, is_emulator=True)
        with endpoint.open_client(where, AnonymousCredentials()) as opened:
            yield opened


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(arguments=valid_jobs)
def test_what_passes_the_checks_is_taken(client: JobServiceClient, arguments: dict[str, Any]) -> None:
    """A job that we find nothing wrong with is one that the API takes, and its message says all of it."""
    job = job_of(**arguments)
    custom_job = protos.to_custom_job(job)
    assert protos.from_custom_job(custom_job) == job
    client.create_custom_job(parent=HERE, custom_job=custom_job, timeout=30)


FULL: dict[str, Any] = {
    "display_name": "digits",
    "labels": {"team": "vision"},
    "region": REGION,
    "worker_pools": [
        {
            "image": "gcr.io/acme/a",
            "command": ["a"],
            "args": ["b"],
            "env": {"A": "1"},
            "machine": {
                "machine_type": "a3-highgpu-1g",
                "accelerator_type": "NVIDIA_H100_80GB",
                "accelerator_count": 1,
                "gpu_partition_size": "1g.10gb",
                "reservation_affinity": {
                    "reservation_affinity_type": "SPECIFIC_RESERVATION",
                    "values": ["projects/acme/zones/us-central1-a/reservations/r"],
                },
            },
            "nfs_mounts": [{"server": "10.0.0.2", "path": "/a", "mount_point": "b"}],
            "lustre_mounts": [
                {"instance_ip": "10.0.0.2", "volume_handle": "v", "filesystem": "f", "mount_point": "b"}
            ],
        },
        {"image": "gcr.io/acme/a", "package_uris": ["gs://acme/a.tar.gz"], "python_module": "a"},
    ],
    "scheduling": {"strategy": "SPOT", "restart_job_on_worker_restart": True, "disable_retries": True},
    "service_account": "a@acme.iam.gserviceaccount.com",
    "network": "projects/1234/global/networks/default",
    "reserved_ip_ranges": ["range"],
    "base_output_directory": "gs://acme/models",
    "tracking": {
        "tensorboard": f"{HERE}/tensorboards/1",
        "experiment": CONTEXT,
        "experiment_run": f"{CONTEXT}-1",
    },
    "access": {"enable_web_access": True, "enable_dashboard_access": True},
    "kms_key_name": f"{HERE}/keyRings/r/cryptoKeys/k",
    "protected_artifact_location_id": "us-east1",
    "models": [f"{HERE}/models/digits@1"],
}
OTHER: dict[str, Any] = {
    "image": "gcr.io/acme/a",
    "command": ["a"],
    "region": REGION,
    "persistent_resource_id": "mine",
    "psc_interface_config": {
        "network_attachment": "attachment",
        "dns_peering_configs": [{"domain": "acme.corp.", "target_project": "acme", "target_network": "a"}],
    },
    "scheduling": {"strategy": "FLEX_START", "max_wait_duration": 0},
    "machine_type": "g2-standard-8",
    "accelerator_type": "NVIDIA_L4",
    "accelerator_count": 1,
    "display_name": "other",
}
TPU: dict[str, Any] = {
    "image": "gcr.io/acme/a",
    "command": ["a"],
    "region": REGION,
    "display_name": "tpu",
    "worker_pools": [{"machine": {"machine_type": "ct6e-standard-4t", "tpu_topology": "2x2"}}],
}


def test_every_row_reaches_the_api_and_comes_back(client: JobServiceClient) -> None:
    """Three jobs say every row of the table between them; the API takes them, and answers the same."""
    unsaid = {name for name, row in {**JOB, **POOL}.items() if row.message}
    for arguments in (FULL, OTHER, TPU):
        job = job_of(**arguments)
        answer = client.create_custom_job(parent=HERE, custom_job=protos.to_custom_job(job), timeout=30)
        assert protos.from_custom_job(client.get_custom_job(name=answer.name, timeout=30)) == job
        for part in (job, *job.worker_pools):
            unsaid -= {name for name in unsaid if value_of(part, name) is not None}
    assert unsaid == set()


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=5)
    | st.decimals()
    | st.fractions()
    | st.datetimes()
    | st.timedeltas()
    | st.builds(object)
    | st.uuids()
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(
            st.sampled_from([*POOL, *JOB, "machine", "disk", "worker_pool_specs", "job_spec", "a"])
            | st.text(max_size=5)
            | st.integers(),
            inner,
            max_size=3,
        )
        | st.sets(st.text(max_size=3), max_size=2)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(ARGUMENTS), anything, max_size=4))
def test_anything_is_read_or_told_of(arguments: dict[str, Any]) -> None:
    """Whatever is given, reading it raises nothing: what is wrong is a finding by its name."""
    reader = Reader()
    read_arguments(arguments, reader)
    for finding in (*reader.findings, *reader.warnings):
        assert finding.field.startswith(tuple(arguments))
        assert finding.problem

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.job_service.transports import JobServiceGrpcTransport
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_vertex_training.emulator.control.process import EmulatorProcess


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[[str], aiplatform_v1.JobServiceClient]]:
    """Make Google's own job client for an address."""
    channels = []

    def make(address: str) -> aiplatform_v1.JobServiceClient:
        channels.append(grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]))
        return aiplatform_v1.JobServiceClient(transport=JobServiceGrpcTransport(channel=channels[-1]))

    yield make
    for channel in channels:
        channel.close()


@pytest.fixture(scope="session")
def client(
    emulator: EmulatorProcess, connect: Callable[[str], aiplatform_v1.JobServiceClient]
) -> aiplatform_v1.JobServiceClient:
    """Google's own job client, for the session's emulator."""
    return connect(emulator.address)


@pytest.fixture(scope="session")
def log_client(emulator: EmulatorProcess) -> Iterator[LoggingServiceV2Client]:
    """Google's own log client, for the session's emulator."""
    with grpc.insecure_channel(emulator.address) as channel:
        yield LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel))


@pytest.fixture
def parent(project: str) -> str:
    """A location of the test's own."""
    return f"projects/{project}/locations/us-central1"


@pytest.fixture(scope="session")
def make_job() -> Callable[..., aiplatform_v1.CustomJob]:
    """Make a valid job that runs a command on one machine."""

    def make(*command: str, spec: dict[str, Any] | None = None, **fields: Any) -> aiplatform_v1.CustomJob:
        pool = {
            "machine_spec": {"machine_type": "n1-standard-4"},
            "replica_count": 1,
            "container_spec": {"image_uri": "us-docker.pkg.dev/acme/x/y:1", "command": list(command)},
        }
        job_spec = {"worker_pool_specs": [pool], **(spec or {})}
        return aiplatform_v1.CustomJob({"display_name": "job", "job_spec": job_spec, **fields})

    return make

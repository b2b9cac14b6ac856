from __future__ import annotations

import grpc

from airflow_vertex_training.emulator.api.messages import (
    CreateCustomJobRequest,
    CustomJob,
    GetCustomJobRequest,
    JobState,
)
from airflow_vertex_training.emulator.config import EmulatorConfig
from airflow_vertex_training.emulator.server import Emulator

SERVICE = "/google.cloud.aiplatform.v1.JobService"


async def test_emulator_serves_inside_an_event_loop(make_job):
    """`async with Emulator(...)` serves at its address, and ends its jobs' processes with the block."""
    config = EmulatorConfig(queue_seconds=0, provision_seconds=0)
    async with Emulator(config) as emulator, grpc.aio.insecure_channel(emulator.address) as channel:
        create = channel.unary_unary(
            f"{SERVICE}/CreateCustomJob",
            request_serializer=CreateCustomJobRequest.SerializeToString,
            response_deserializer=CustomJob.FromString,
        )
        get = channel.unary_unary(
            f"{SERVICE}/GetCustomJob",
            request_serializer=GetCustomJobRequest.SerializeToString,
            response_deserializer=CustomJob.FromString,
        )
        message = type(make_job()).pb(make_job("echo", "hello"))
        request = CreateCustomJobRequest(parent="projects/p/locations/us-central1", custom_job=message)
        job = await create(request)
        while job.state != JobState.JOB_STATE_SUCCEEDED:
            await emulator.store.changes.wait()
            job = await get(GetCustomJobRequest(name=job.name))
        storage = emulator.storage
        assert storage.is_dir()
    assert not storage.exists()

from __future__ import annotations

import stat
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import empty_pb2

from airflow_vertex_training.emulator.api.messages import (
    CancelCustomJobRequest,
    CreateCustomJobRequest,
    CustomJob,
    GetCustomJobRequest,
    JobState,
)
from airflow_vertex_training.emulator.api.names import Location
from airflow_vertex_training.emulator.config import EmulatorConfig
from airflow_vertex_training.emulator.server import Emulator

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = "/google.cloud.aiplatform.v1.JobService"
REGION = Location("p", "us-central1")


async def test_emulator_serves_inside_an_event_loop(make_job):
    """`async with Emulator(...)` serves at its address, and ends its jobs' processes with the block."""
    config = EmulatorConfig(queue_seconds=0, provision_seconds=0, any_image=True)
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


async def test_first_answer_may_be_to_a_cancel(make_job, tmp_path):
    """From its first answer on, an emulator with kept jobs does what is asked with them: no job lies idle."""
    config = EmulatorConfig(state_file=tmp_path / "state.sqlite", queue_seconds=600)
    async with Emulator(config) as first:
        (job,) = first.lifecycle.create(REGION, [type(make_job()).pb(make_job("true"))])

    class Hasty(Emulator):
        """Calls itself as soon as it serves."""

        async def resume_serving(self) -> None:
            await super().resume_serving()
            async with grpc.aio.insecure_channel(self.address) as channel:
                cancel = channel.unary_unary(
                    f"{SERVICE}/CancelCustomJob",
                    request_serializer=CancelCustomJobRequest.SerializeToString,
                    response_deserializer=empty_pb2.Empty.FromString,
                )
                await cancel(CancelCustomJobRequest(name=str(job.name)))

    async with Hasty(config) as second:
        kept = second.store.get(job.name)
        assert kept is not None
        while not kept.final:
            await second.store.changes.wait()
        assert kept.state == JobState.JOB_STATE_CANCELLED


async def test_error_delay_holds_over_a_restart(make_job, tmp_path):
    """With `error_delay_seconds` a job ends without an error; an emulator started anew still sets it."""
    config = EmulatorConfig(
        state_file=tmp_path / "state.sqlite",
        queue_seconds=0,
        provision_seconds=0,
        error_delay_seconds=1,
        any_image=True,
    )
    async with Emulator(config) as first:
        (job,) = first.lifecycle.create(REGION, [type(make_job()).pb(make_job("sh", "-c", "exit 3"))])
        while not job.final:
            await first.store.changes.wait()
        assert not job.message.HasField("error")
        past = time.time_ns()

    async with Emulator(config) as second:
        kept = second.store.get(job.name)
        assert kept is not None
        while not kept.message.error.code:
            await second.store.changes.wait()
        assert "non-zero status of 3" in kept.message.error.message
        assert kept.message.update_time.ToNanoseconds() - kept.message.end_time.ToNanoseconds() >= 1e9
        before = kept.as_of(past)
        assert before is not None
        assert (before.state, before.HasField("error")) == (JobState.JOB_STATE_FAILED, False)
        assert before.end_time == kept.message.end_time


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


async def test_kept_state_is_its_owners_alone(make_job, tmp_path):
    """Nobody else may read the state file or its siblings, also where it was readable before."""
    file = tmp_path / "state.sqlite"
    file.touch(mode=0o644)
    async with Emulator(EmulatorConfig(state_file=file)) as emulator:
        emulator.lifecycle.create(REGION, [type(make_job()).pb(make_job("true"))])
        kept = sorted(tmp_path.iterdir())
        assert [each.name for each in kept] == ["state.sqlite", "state.sqlite-wal"]
        assert {_mode(each) for each in kept} == {0o600}


async def test_state_belongs_to_one_emulator(tmp_path):
    """A second emulator with the same state file is refused: it would run the first one's jobs again."""
    file = tmp_path / "state.sqlite"
    async with Emulator(EmulatorConfig(state_file=file)):
        with pytest.raises(ValueError, match=r"^state_file: another emulator uses .*state\.sqlite: end that"):
            Emulator(EmulatorConfig(state_file=file))
    async with Emulator(EmulatorConfig(state_file=file)):
        pass


def test_state_of_another_version_is_refused(tmp_path):
    """A state file that another version wrote is refused with what to do, instead of being misread."""
    import sqlite3

    file = tmp_path / "state.sqlite"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE jobs (sequence INTEGER)")
    database.close()
    with pytest.raises(ValueError, match=r"another version .* remove it"):
        Emulator(EmulatorConfig(state_file=file))

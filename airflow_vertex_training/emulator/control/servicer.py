"""The emulator's own service: faults, counters, quotas, and a look behind the scenes, for tests.

It has a port of its own, so that it can be reached while the API's connections are cut. Requests and answers
are JSON. A method that waits (`wait_fault`, `wait_job`) has the client's deadline as its end.
"""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from airflow_vertex_training.emulator.api.errors import ApiError
from airflow_vertex_training.emulator.api.messages import CustomJob, JobState
from airflow_vertex_training.emulator.api.names import JobName, Location, parse_job_name
from airflow_vertex_training.emulator.config import QuotaLimits
from airflow_vertex_training.emulator.control.faults import Fault
from airflow_vertex_training.emulator.jobs.runner import SIMULATED_IMAGE
from airflow_vertex_training.emulator.logs.logbook import SERVICE, severity_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from airflow_vertex_training.emulator.jobs.store import Job
    from airflow_vertex_training.emulator.server import Emulator

__all__ = ["SERVICE_NAME", "ControlServicer"]

SERVICE_NAME = "airflow_vertex_training.emulator.Control"

_Context = grpc.aio.ServicerContext[bytes, bytes]


class ControlServicer:
    """Each public method is an RPC: named values in, a JSON value out.

    Args:
        emulator: What is controlled.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """Return gRPC's handlers by method name."""
        methods: list[Callable[..., Awaitable[Any]]] = [
            self.add_fault,
            self.clear_faults,
            self.wait_fault,
            self.release_fault,
            self.counts,
            self.set_quotas,
            self.set_project_number,
            self.jobs,
            self.wait_job,
            self.cancel_jobs,
            self.log_lines,
            self.wait_line,
            self.write_log,
            self.preempt,
            self.create_simulated,
            self.pause_serving,
            self.resume_serving,
        ]
        return {method.__name__: grpc.unary_unary_rpc_method_handler(_json_rpc(method)) for method in methods}

    async def add_fault(self, fault: Mapping[str, Any]) -> str:
        """Put a fault in force; return its id."""
        made = Fault.from_dict(fault)
        known = sorted(method for methods in self._emulator.services.values() for method in methods)
        if made.method not in ("*", *known):
            raise ValueError(f"method: must be * or one of {', '.join(known)}, got {made.method!r}")
        return self._emulator.faults.add(made)

    async def clear_faults(self, project: str) -> None:
        """Take a project's faults out of force, and release what they hold."""
        self._emulator.faults.clear(project)

    async def wait_fault(self, fault_id: str, times: int) -> None:
        """Wait until a fault has struck so often."""
        await self._emulator.faults.find(fault_id).wait_reached(times)

    async def release_fault(self, fault_id: str) -> None:
        """Let go what a `hold` fault holds, now and later."""
        self._emulator.faults.find(fault_id).released.set()

    async def counts(self, project: str) -> dict[str, Any]:
        """Return a project's requests by method and outcome, and its number of connections."""
        gate = self._emulator.gate
        return {"requests": gate.counts(project), "connections": gate.connections(project)}

    async def set_quotas(self, project: str, limits: Mapping[str, Any] | None) -> None:
        """Give a project quotas of its own; None enforces none."""
        self._emulator.quotas.set_limits(project, None if limits is None else QuotaLimits(**limits))

    async def set_project_number(self, project: str, number: str) -> None:
        """Make answers name the project by its number."""
        self._emulator.projects.set_number(project, number)

    async def jobs(self, project: str, region: str | None) -> list[dict[str, Any]]:
        """Return a project's jobs, oldest first."""
        found = [
            job
            for job in self._emulator.store.all()
            if job.location.project == project and region in (None, job.location.region)
        ]
        return [_describe(job) for job in sorted(found, key=lambda job: job.sequence)]

    async def wait_job(self, name: str, states: Sequence[str]) -> dict[str, Any]:
        """Wait until a job is, or has been, in one of these states."""
        unknown = [state for state in states if state not in JobState.__members__]
        if isinstance(states, str) or unknown:
            raise ValueError(f"states: must be a list of names such as JOB_STATE_RUNNING, got {states!r}")
        wanted = {int(JobState[state]) for state in states}
        job = self._job(name)
        while not any(state in wanted for state, _ in job.history):
            await self._emulator.store.changes.wait()
        return _describe(job)

    async def cancel_jobs(self, project: str) -> None:
        """Start cancelling all of a project's jobs that have not ended."""
        for job in self._emulator.store.all():
            if job.location.project == project and not job.final:
                self._emulator.lifecycle.cancel(job)

    async def log_lines(self, name: str, task_name: str | None) -> list[dict[str, Any]]:
        """Return a job's log; without a task name that of all replicas, but not Vertex's own lines."""
        job = self._job(name)
        return [
            {
                "task_name": entry.task_name,
                "severity": severity_name(entry.severity),
                "text": entry.text,
                "nanoseconds": entry.nanoseconds,
            }
            for entry in self._emulator.log.of_job(job.location.project, job.job_id)
            if (entry.task_name != SERVICE if task_name is None else entry.task_name == task_name)
        ]

    async def wait_line(self, name: str, text: str) -> str:
        """Wait until a replica of a job has printed a line that contains a text; return the line."""
        job = self._job(name)
        while True:
            for entry in self._emulator.log.of_job(job.location.project, job.job_id):
                if entry.task_name != SERVICE and text in entry.text:
                    return entry.text
            await self._emulator.log.changes.wait()

    async def write_log(self, project: str, lines: Sequence[tuple[str, str, str, str, float]]) -> None:
        """Write lines into jobs' logs; some of them come late."""
        now = time.time_ns()
        for job_id, task_name, line, severity, late_seconds in lines:
            write = partial(
                self._emulator.log.write_line, project, job_id, task_name, line, severity, written=now
            )
            if late_seconds:
                asyncio.get_running_loop().call_later(late_seconds, write)
            else:
                write()

    async def preempt(self, name: str, replica: str) -> bool:
        """Take a running replica away, as the infrastructure does; return whether there was one."""
        return self._emulator.lifecycle.preempt(self._job(name), replica)

    async def create_simulated(
        self,
        project: str,
        region: str,
        count: int,
        display_name: str,
        labels: Mapping[str, str],
        run_seconds: float,
        spread_seconds: float,
        exit_status: int,
    ) -> list[str]:
        """Make many jobs that run by the clock; return their names."""
        messages = []
        for number in range(count):
            message = CustomJob(display_name=f"{display_name}-{number}", labels=labels)
            pool = message.job_spec.worker_pool_specs.add(replica_count=1)
            pool.machine_spec.machine_type = "n1-standard-4"
            pool.container_spec.image_uri = SIMULATED_IMAGE
            pool.container_spec.command.append("simulate")
            seconds = run_seconds + spread_seconds * number / count
            pool.container_spec.args.extend((str(seconds), str(exit_status)))
            messages.append(message)
        jobs = self._emulator.lifecycle.create(Location(project, region), messages)
        return [job.message.name for job in jobs]

    async def pause_serving(self) -> None:
        """Cut the API's connections and refuses new ones."""
        await self._emulator.pause_serving()

    async def resume_serving(self) -> None:
        """Serve the API again, at the same address."""
        await self._emulator.resume_serving()

    def _job(self, text: str) -> Job:
        name = parse_job_name(text)
        location = self._emulator.projects.canonical(name.location)
        job = self._emulator.store.get(JobName(location, name.job_id))
        if job is None:
            raise ApiError(grpc.StatusCode.NOT_FOUND, f"The CustomJob does not exist: {text}")
        return job


def _describe(job: Job) -> dict[str, Any]:
    """What a test wants to know of a job; the environment is left out, it may hold secrets."""
    message = job.message
    return {
        "name": message.name,
        "job_id": job.job_id,
        "project": job.location.project,
        "region": job.location.region,
        "display_name": message.display_name,
        "labels": dict(message.labels),
        "state": job.state_name,
        "error_code": message.error.code,
        "error_message": message.error.message,
        "history": [{"state": JobState(state).name, "nanoseconds": since} for state, since in job.history],
    }


def _json_rpc(method: Callable[..., Awaitable[Any]]) -> Callable[[bytes, _Context], Awaitable[bytes]]:
    async def serve(request: bytes, context: _Context) -> bytes:
        try:
            return json.dumps(await method(**json.loads(request))).encode()
        except ApiError as error:
            await context.abort(error.code, error.message)
        except (KeyError, TypeError, ValueError) as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{type(error).__name__}: {error}")

    return serve

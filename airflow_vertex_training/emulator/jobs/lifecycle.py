"""What becomes of a job: QUEUED, PENDING, RUNNING, and an end.

Each job is one asyncio task that mostly sleeps, so thousands cost little. After a restart of the emulator
(with a state file) every job goes on where it was: a queued or pending one waits out its time; a running one
has lost its processes with the emulator, and gets new ones, as Vertex restarts workers after a fault of its
infrastructure; its start time and its timeout stay. One that was being cancelled is CANCELLED.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import grpc

from airflow_vertex_training.emulator.api.errors import ApiError
from airflow_vertex_training.emulator.api.messages import CustomJob, JobState, Message
from airflow_vertex_training.emulator.control.faults import STOCKOUT, ActiveFault, FaultBook, Target
from airflow_vertex_training.emulator.jobs.runner import ReplicaFailure, ReplicaLost, Run, Runner
from airflow_vertex_training.emulator.jobs.store import FINAL_STATES, Job, JobStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_vertex_training.emulator.api.names import Location, Projects
    from airflow_vertex_training.emulator.config import EmulatorConfig
    from airflow_vertex_training.emulator.logs.logbook import LogBook

__all__ = ["Lifecycle"]

_LOGGER = logging.getLogger(__name__)

_DEFAULT_TIMEOUT_SECONDS = 7 * 24 * 3600.0

# google.rpc.Code
_CANCELLED = 1
_INVALID_ARGUMENT = 3
_INTERNAL = 13


class Lifecycle:
    """Moves jobs through their states.

    Args:
        store: The jobs.
        log: Their logs: Vertex writes to them too.
        runner: Runs their processes.
        faults: Faults that strike jobs.
        projects: For the projects' numbers.
        config: How long jobs queue and are provisioned.
    """

    def __init__(
        self,
        store: JobStore,
        log: LogBook,
        runner: Runner,
        faults: FaultBook,
        projects: Projects,
        config: EmulatorConfig,
    ) -> None:
        self._store = store
        self._log = log
        self._runner = runner
        self._faults = faults
        self._projects = projects
        self._config = config
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._runs: dict[Job, Run] = {}
        self._late_errors: dict[Job, ActiveFault] = {}

    def create(self, location: Location, messages: Sequence[Message]) -> list[Job]:
        """Make jobs and set them going.

        Args:
            location: Where; with the project's id.
            messages: Valid `CustomJob` messages; what is output only in them is set anew.
        """
        jobs = []
        for sequence, message in enumerate(messages, self._store.last_sequence + 1):
            # Like Vertex's: up to 19 digits, and no order in them.
            job = Job(sequence, location, str(random.randrange(10**15, 2**63)), CustomJob())
            job.message.CopyFrom(message)
            for output_only in ("start_time", "end_time", "create_time", "update_time", "error"):
                job.message.ClearField(output_only)
            job.message.name = str(job.name._replace(location=self._projects.answered(location)))
            job.enter(JobState.JOB_STATE_QUEUED)
            jobs.append(job)
        self._store.add(jobs)
        for job in jobs:
            self._go(job)
        return jobs

    def resume(self) -> None:
        """Set all jobs going again that have not ended, or still lack their error."""
        for job in self._store.all():
            if not job.final or job.late_error is not None:
                self._go(job)

    async def close(self) -> None:
        """End all jobs' processes; the jobs stay as they are."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cancel(self, job: Job) -> None:
        """Cancel a job. It is CANCELLED once its processes have ended.

        Raises:
            ApiError: FAILED_PRECONDITION: the job has ended. Google documents nothing about that case; this
                is the answer that takes a client more care.
        """
        if job.final:
            raise ApiError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"The CustomJob {job.message.name!r} can't be canceled: it is in state {job.state_name}.",
            )
        if job.state == JobState.JOB_STATE_CANCELLING:
            return
        self._enter(job, JobState.JOB_STATE_CANCELLING)
        self._write(job, "Job is being cancelled.")
        self._tasks[job].cancel()

    def preempt(self, job: Job, replica: str) -> bool:
        """Take a running replica away; it is restarted. Returns whether there was one."""
        run = self._runs.get(job)
        return run is not None and run.preempt(replica)

    def _go(self, job: Job) -> None:
        task = asyncio.create_task(self._live(job), name=f"job {job.job_id}")
        self._tasks[job] = task
        task.add_done_callback(lambda _: self._tasks.pop(job, None))

    async def _live(self, job: Job) -> None:
        if not job.final:
            await self._bring_to_end(job)
        if job.late_error is not None:
            await self._tell_error(job)

    async def _bring_to_end(self, job: Job) -> None:
        try:
            if job.state == JobState.JOB_STATE_CANCELLING:
                self._finish(job, JobState.JOB_STATE_CANCELLED, _CANCELLED, "CANCELED")
            elif await self._provision(job):
                await self._run(job)
        except asyncio.CancelledError:
            if job.state != JobState.JOB_STATE_CANCELLING:
                raise  # the emulator ends, the job does not
            self._finish(job, JobState.JOB_STATE_CANCELLED, _CANCELLED, "CANCELED")
        except Exception:
            _LOGGER.exception("The emulator could not run %s", job.name)
            self._finish(job, JobState.JOB_STATE_FAILED, _INTERNAL, "Internal error occurred.")

    async def _provision(self, job: Job) -> bool:
        """Take a job as far as RUNNING; return whether it got there."""
        if job.state == JobState.JOB_STATE_QUEUED:
            await self._wait_in_state(job, self._config.queue_seconds)
            await self._queue_on_request(job)
            self._enter(job, JobState.JOB_STATE_PENDING)
            self._write(job, "Waiting for job to be provisioned.")
        if job.state == JobState.JOB_STATE_PENDING:
            await self._wait_in_state(job, self._config.provision_seconds)
            struck = self._faults.take("provision", self._target(job))
            if struck is not None:
                fault = struck.fault
                text = fault.message or STOCKOUT.format(region=job.location.region)
                self._finish(job, JobState.JOB_STATE_FAILED, fault.status.value[0], text)
                return False
            self._enter(job, JobState.JOB_STATE_RUNNING)
            self._write(job, "Job is running.")
        return True

    async def _queue_on_request(self, job: Job) -> None:
        struck = self._faults.take("queue", self._target(job))
        if struck is not None:
            await struck.wait_over()

    async def _tell_error(self, job: Job) -> None:
        """Set the error of a job that has ended, when it is time."""
        struck = self._late_errors.pop(job, None)
        if struck is None:
            await self._wait_in_state(job, self._config.error_delay_seconds)
        else:
            await struck.wait_over()
        job.tell_error()
        if self._store.get(job.name) is job:  # it may have been deleted meanwhile
            self._store.save(job)

    async def _wait_in_state(self, job: Job, seconds: float) -> None:
        passed = (time.time_ns() - job.history[-1][1]) / 1e9
        if seconds > passed:
            await asyncio.sleep(seconds - passed)

    async def _run(self, job: Job) -> None:
        scheduling = job.message.job_spec.scheduling
        allowed = _DEFAULT_TIMEOUT_SECONDS
        if scheduling.HasField("timeout"):
            allowed = scheduling.timeout.ToNanoseconds() / 1e9
        ran = (time.time_ns() - job.message.start_time.ToNanoseconds()) / 1e9
        whole_job = scheduling.restart_job_on_worker_restart and not scheduling.disable_retries
        run = self._runs[job] = Run(restart_job=whole_job)
        preemptor = asyncio.create_task(self._preempt_on_request(job, run))
        try:
            number = self._projects.number(job.location.project)
            await asyncio.wait_for(self._runner.run(job, run, number), allowed - ran)
        except asyncio.TimeoutError:
            text = f"The job exceeded its timeout (scheduling.timeout) of {allowed:g} seconds."
            self._finish(job, JobState.JOB_STATE_CANCELLED, _CANCELLED, text)
        except ReplicaFailure as failure:
            self._finish(job, JobState.JOB_STATE_FAILED, _INVALID_ARGUMENT, self._failure_text(job, failure))
        except ReplicaLost:
            text = "Internal error occurred for the current attempt."
            self._finish(job, JobState.JOB_STATE_FAILED, _INTERNAL, text)
        else:
            self._finish(job, JobState.JOB_STATE_SUCCEEDED)
        finally:
            del self._runs[job]
            preemptor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await preemptor

    async def _preempt_on_request(self, job: Job, run: Run) -> None:
        while True:
            struck = self._faults.take("run", self._target(job))
            if struck is None:
                return
            await asyncio.sleep(struck.fault.seconds)
            await run.wait_started(struck.fault.replica)
            run.preempt(struck.fault.replica)

    def _failure_text(self, job: Job, failure: ReplicaFailure) -> str:
        """Vertex's words, with its link to the log."""
        project = self._projects.number(job.location.project)
        query = quote(f'resource.type="ml_job"\nresource.labels.job_id="{job.job_id}"', safe="")
        link = (
            f"https://console.cloud.google.com/logs/viewer?project={project}"
            f"&resource=ml_job%2Fjob_id%2F{job.job_id}&advancedFilter={query}"
        )
        return (
            f"The replica {failure.replica} exited with a non-zero status of {failure.status}. "
            f"To find out more about why your job exited please check the logs: {link}"
        )

    def _finish(self, job: Job, state: int, code: int = 0, text: str = "") -> None:
        if state == JobState.JOB_STATE_SUCCEEDED:
            self._write(job, "Job completed successfully.")
        else:
            self._write(job, f"Job {'failed' if code != _CANCELLED else 'cancelled'}. {text}", "ERROR")
        if code:
            job.late_error = (code, text)
            struck = self._faults.take("error", self._target(job))
            if struck is not None:
                self._late_errors[job] = struck
            elif not self._config.error_delay_seconds:
                job.tell_error()
        self._enter(job, state)

    def _enter(self, job: Job, state: int) -> None:
        if job.state == JobState.JOB_STATE_CANCELLING and state not in FINAL_STATES:
            # asyncio drops a cancellation that comes in the same moment as what was waited for.
            raise asyncio.CancelledError
        job.enter(state)
        self._store.save(job)

    def _write(self, job: Job, text: str, severity: str = "INFO") -> None:
        self._log.write_service(job.location.project, job.job_id, text, severity)

    def _target(self, job: Job) -> Target:
        message = job.message
        return Target(
            job.location.project,
            job.location.region,
            display_name=message.display_name,
            labels=dict(message.labels),
        )

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
import time
from typing import TYPE_CHECKING

import grpc

from airflow_vertex_training.emulator.api.errors import ApiError
from airflow_vertex_training.emulator.api.messages import JobState, Message
from airflow_vertex_training.emulator.control.faults import STOCKOUT, ActiveFault, FaultBook, Target
from airflow_vertex_training.emulator.jobs import scheduling, without_effect
from airflow_vertex_training.emulator.jobs.failures import (
    CannotRun,
    ReplicaFailure,
    ReplicaLost,
    failure_text,
)
from airflow_vertex_training.emulator.jobs.machine import Run
from airflow_vertex_training.emulator.jobs.replicas import replicas
from airflow_vertex_training.emulator.jobs.store import FINAL_STATES, Job, JobStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_vertex_training.emulator.api.names import Location, Projects
    from airflow_vertex_training.emulator.config import EmulatorConfig
    from airflow_vertex_training.emulator.jobs.runner import Runner
    from airflow_vertex_training.emulator.jobs.terminal import Terminal
    from airflow_vertex_training.emulator.logs.logbook import LogBook

__all__ = ["Lifecycle"]

_LOGGER = logging.getLogger(__name__)

# Vertex's addresses are not documented; nobody answers at this one, for there is no shell here.
_SHELL = "https://{}-{}.interactive-shell.invalid/"

# google.rpc.Code
_CANCELLED = 1
_INVALID_ARGUMENT = 3
_RESOURCE_EXHAUSTED = 8
_INTERNAL = 13


class Lifecycle:
    """Moves jobs through their states.

    Args:
        store: The jobs.
        log: Their logs: Vertex writes to them too.
        runner: Runs their processes.
        faults: Faults that strike jobs.
        projects: For the projects' numbers.
        terminal: Is told of each state.
        config: How long jobs queue and are provisioned.

    Attributes:
        page: Makes the address of a job's page of the job's name; empty where there is none.
    """

    def __init__(
        self,
        store: JobStore,
        log: LogBook,
        runner: Runner,
        faults: FaultBook,
        projects: Projects,
        terminal: Terminal,
        config: EmulatorConfig,
    ) -> None:
        self._store = store
        self._log = log
        self._runner = runner
        self._faults = faults
        self._projects = projects
        self._terminal = terminal
        self._config = config
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._runs: dict[Job, Run] = {}
        self._late_errors: dict[Job, ActiveFault] = {}
        self.page: Callable[[str], str] = lambda _: ""

    def create(self, location: Location, messages: Sequence[Message]) -> list[Job]:
        """Make jobs and set them going.

        Args:
            location: Where; with the project's id.
            messages: Valid `CustomJob` messages; what is output only in them is set anew.
        """
        jobs = []
        for sequence, message in enumerate(messages, self._store.last_sequence + 1):
            job = Job.new(sequence, location, message)
            job.message.name = str(job.name._replace(location=self._projects.answered(location)))
            job.enter(JobState.JOB_STATE_QUEUED)
            jobs.append(job)
        self._store.add(jobs)
        for job in jobs:
            self._terminal.state(job)
            if fields := without_effect.found(job.message.job_spec):
                text = f"The emulator keeps these fields, but they have no effect here: {', '.join(fields)}."
                self._write(job, text, "WARNING")
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

    def remove(self, job: Job) -> None:
        """Forget a job that has ended, and its log."""
        self._store.remove(job)
        self._log.forget(job.location.project, job.job_id)

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
            elif await self._provision_in_time(job):
                await self._run(job)
        except CannotRun as problem:
            self._finish(job, JobState.JOB_STATE_FAILED, _INVALID_ARGUMENT, str(problem))
        except asyncio.CancelledError:
            if job.state != JobState.JOB_STATE_CANCELLING:
                raise  # the emulator ends, the job does not
            self._finish(job, JobState.JOB_STATE_CANCELLED, _CANCELLED, "CANCELED")
        except Exception:
            _LOGGER.exception("The emulator could not run %s", job.name)
            self._finish(job, JobState.JOB_STATE_FAILED, _INTERNAL, "Internal error occurred.")

    async def _provision_in_time(self, job: Job) -> bool:
        """Take a job as far as RUNNING; return whether it got there."""
        limit = scheduling.seconds_to_wait(job)
        if limit is None:
            return await self._provision(job)
        try:
            return await asyncio.wait_for(self._provision(job), limit)
        except asyncio.TimeoutError:
            # Google says that the job waits no longer, not how it ends.
            text = STOCKOUT.format(region=job.location.region)
            self._finish(job, JobState.JOB_STATE_FAILED, _RESOURCE_EXHAUSTED, text)
            return False

    async def _provision(self, job: Job) -> bool:
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
            self._runner.check(job)
            if job.message.job_spec.enable_web_access:
                for replica in replicas(job):
                    job.message.web_access_uris[replica.name] = _SHELL.format(replica.name, job.job_id)
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
        allowed, left = scheduling.seconds_to_run(job)
        asked = job.message.job_spec.scheduling
        whole_job = asked.restart_job_on_worker_restart and not asked.disable_retries
        run = self._runs[job] = Run(restart_job=whole_job)
        strikes = asyncio.create_task(self._strike_on_request(job, run))
        try:
            number = self._projects.number(job.location.project)
            await asyncio.wait_for(self._runner.run(job, run, number), left)
        except asyncio.TimeoutError:
            text = f"The job exceeded its timeout (scheduling.timeout) of {allowed:g} seconds."
            self._finish(job, JobState.JOB_STATE_CANCELLED, _CANCELLED, text)
        except ReplicaFailure as failure:
            number = self._projects.number(job.location.project)
            text = failure_text(failure, number, job.job_id, self.page(job.message.name))
            self._finish(job, JobState.JOB_STATE_FAILED, _INVALID_ARGUMENT, text)
        except ReplicaLost:
            text = "Internal error occurred for the current attempt."
            self._finish(job, JobState.JOB_STATE_FAILED, _INTERNAL, text)
        else:
            self._finish(job, JobState.JOB_STATE_SUCCEEDED)
        finally:
            del self._runs[job]
            strikes.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await strikes

    async def _strike_on_request(self, job: Job, run: Run) -> None:
        while True:
            struck = self._faults.take("run", self._target(job))
            if struck is None:
                return
            await asyncio.sleep(struck.fault.seconds)
            await run.wait_started(struck.fault.replica)
            if struck.fault.kind == "preempt":
                run.preempt(struck.fault.replica)
            else:
                run.run_out_of_memory(struck.fault.replica)

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
        self._terminal.state(job)

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

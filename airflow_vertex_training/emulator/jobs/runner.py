"""Runs a job's replicas as local processes: starts them, waits for them, ends them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.jobs import packages, watchdog
from airflow_vertex_training.emulator.jobs.environment import Program, Surroundings, program
from airflow_vertex_training.emulator.jobs.failures import ReplicaFailure, ReplicaLost, last_traceback
from airflow_vertex_training.emulator.jobs.machine import Machine, Run
from airflow_vertex_training.emulator.jobs.memory import MemoryGuard
from airflow_vertex_training.emulator.jobs.replicas import Replica, cluster_addresses, replicas

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.jobs.images import Image, Images
    from airflow_vertex_training.emulator.jobs.storage import Storage
    from airflow_vertex_training.emulator.jobs.store import Job
    from airflow_vertex_training.emulator.jobs.terminal import Terminal
    from airflow_vertex_training.emulator.logs.logbook import LogBook

__all__ = ["SIMULATED_IMAGE", "Runner"]

_NO_COMMAND, _NO_PERMISSION = 127, 126
"""What Docker and shells exit with where there is no such command, and where it can't be executed."""

_MAX_RESTARTS = 5
"""How often Vertex restarts a worker after a fault of the infrastructure."""

SIMULATED_IMAGE = "gcr.io/vertex-ai-emulator/simulated"
"""A job of this image runs by the clock: `command=["simulate"]`, `args=[SECONDS, EXIT_STATUS]`."""


class Runner:
    """Starts and ends the processes of all jobs.

    Args:
        log: Where the replicas' lines go.
        terminal: Is told of them, too.
        storage: Where buckets lie.
        images: What is known of images.
        stop_grace_seconds: From SIGTERM to SIGKILL.
        memory_limit_bytes: How much memory a replica may take; None is no limit.
    """

    def __init__(
        self,
        log: LogBook,
        terminal: Terminal,
        storage: Storage,
        images: Images,
        *,
        stop_grace_seconds: float,
        memory_limit_bytes: int | None,
    ) -> None:
        self._log = log
        self._terminal = terminal
        self._storage = storage
        self._images = images
        self._grace = stop_grace_seconds
        self._memory = MemoryGuard(memory_limit_bytes)
        self._watchdog: subprocess.Popen[str] | None = None
        self._work_folder = Path(tempfile.mkdtemp(prefix="vertex-emulator-jobs-"))

    def close(self) -> None:
        """Remove what the runner made. The jobs' processes must have ended."""
        if self._watchdog is not None:
            self._watchdog.communicate()
            self._watchdog = None
        shutil.rmtree(self._work_folder, ignore_errors=True)

    def check(self, job: Job) -> None:
        """Find a job's images, as a machine does before it runs one.

        Raises:
            CannotRun: Nothing is known of one.
        """
        for replica in replicas(job):
            if replica.image_uri != SIMULATED_IMAGE:
                self._image(replica)

    async def run(self, job: Job, run: Run, project_number: str) -> None:
        """Run a job to its end. When it is cancelled, it ends the processes first.

        The chief's end is the job's end, as on Vertex: the other replicas are ended then. If another replica
        fails before, the job has failed too.

        Args:
            job: The job.
            run: Is filled with the job's processes.
            project_number: The project's number, for the environment.

        Raises:
            CannotRun: It is not known how to run a replica.
            ReplicaFailure: A replica ended with another status than 0.
            ReplicaLost: A replica was lost too often.
        """
        members = replicas(job)
        if members[0].image_uri == SIMULATED_IMAGE:
            await _simulate(members[0])
            return
        around = Surroundings(job, cluster_addresses(members), project_number, self._storage)
        tasks: list[asyncio.Task[None]] = []
        for member in members:
            work = self._replica(around, run, member)
            tasks.append(asyncio.create_task(work, name=f"{job.job_id} {member.name}"))
        try:
            pending = set(tasks)
            while tasks[0] in pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _replica(self, around: Surroundings, run: Run, replica: Replica) -> None:
        job = around.job
        for _ in range(1 + _MAX_RESTARTS):
            machine = await self._start(around, replica)
            run.enter(replica.name, machine)
            self._memory.add(machine)
            try:
                await machine.process.wait()
            finally:
                self._memory.remove(machine)
                run.leave(replica.name)
                await machine.end(self._grace)
                self._tell_watchdog(f"-{machine.process.pid}")
            if not machine.preempted:
                break
            if job.message.job_spec.scheduling.disable_retries:
                raise ReplicaLost
            restarted = f"{replica.name} was lost to a fault of the infrastructure and is restarted."
            self._log.write_service(job.location.project, job.job_id, restarted, "WARNING")
        else:
            raise ReplicaLost
        if machine.status != 0:
            raise _failure(replica, machine)

    async def _start(self, around: Surroundings, replica: Replica) -> Machine:
        job = around.job
        folder = Path(tempfile.mkdtemp(prefix=f"{job.job_id}-{replica.name}-", dir=self._work_folder))

        def write(line: str, severity: str) -> None:
            self._log.write_line(job.location.project, job.job_id, replica.name, line, severity)
            self._terminal.line(job, replica.name, line)

        try:
            what = await self._program(around, replica, folder)
            self._terminal.started(job, replica.name, what)
            try:
                machine = await Machine.start(what, folder, write)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                problem = f"{what.command[0]!r} can't be started in {what.folder}: {reason}"
                write(problem, "ERROR")
                status = _NO_COMMAND if isinstance(error, FileNotFoundError) else _NO_PERMISSION
                # As Docker says where a container's program is not there.
                raise ReplicaFailure(replica.name, status, f"ContainerCannotRun. {problem}") from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._tell_watchdog(f"+{machine.process.pid}")
        return machine

    async def _program(self, around: Surroundings, replica: Replica, folder: Path) -> Program:
        paths: list[Path] = []
        if replica.package:
            files = [self._storage.local(uri) for uri in replica.package.package_uris]
            paths = await asyncio.to_thread(packages.unpack, files, folder / "packages")
        return program(around, replica, self._image(replica), folder, paths)

    def _image(self, replica: Replica) -> Image:
        return self._images.find(replica.image_uri, is_executor=replica.package is not None)

    def _tell_watchdog(self, line: str) -> None:
        if self._watchdog is None:
            # -I and -S: it needs nothing but the standard library, and has to be up quickly.
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(watchdog.__file__)), str(self._work_folder)],
                stdin=subprocess.PIPE,
                text=True,
                bufsize=1,
                start_new_session=True,
            )
        with suppress(
            BrokenPipeError
        ):  # somebody killed the watchdog: only the guard against a SIGKILL is gone
            print(line, file=self._watchdog.stdin, flush=True)


def _failure(replica: Replica, machine: Machine) -> ReplicaFailure:
    traceback = last_traceback(list(machine.errors))
    reason = f"Error. \n{traceback}" if traceback and not machine.out_of_memory else ""
    return ReplicaFailure(replica.name, machine.status, reason, machine.out_of_memory)


async def _simulate(chief: Replica) -> None:
    """Run no process; `args` are the seconds that it takes and the exit status."""
    seconds, status = [*chief.task.args, "0"][:2]
    await asyncio.sleep(float(seconds))
    if status != "0":
        raise ReplicaFailure(chief.name, int(status))

"""Runs a job's replicas as local processes: starts them, reads what they print, ends them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.jobs import environment, watchdog
from airflow_vertex_training.emulator.jobs.changes import Changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_vertex_training.emulator.jobs.environment import Replica, Storage
    from airflow_vertex_training.emulator.jobs.store import Job
    from airflow_vertex_training.emulator.logs.logbook import LogBook

__all__ = ["SIMULATED_IMAGE", "ReplicaFailure", "ReplicaLost", "Run", "Runner"]

_CHUNK = 65_536
_LONGEST_LINE = 200_000
"""Cloud Logging takes entries of up to 256 KB; a longer line is cut into several."""

_DRAIN_SECONDS = 2.0

_CANNOT_START = 127
"""What a shell exits with when there is no such command."""

_MAX_RESTARTS = 5
"""How often Vertex restarts a worker after a fault of the infrastructure."""

SIMULATED_IMAGE = "gcr.io/vertex-ai-emulator/simulated"
"""A job of this image runs by the clock: `command=["simulate"]`, `args=[SECONDS, EXIT_STATUS]`."""


class ReplicaFailure(Exception):  # noqa: N818 - what happens to a replica is no error of the emulator
    """A replica ended with another status than 0.

    Args:
        replica: Its name.
        status: Its exit status, as a container has it: 128 and the signal's number where a signal ended it.
    """

    def __init__(self, replica: str, status: int) -> None:
        super().__init__(f"{replica} exited with status {status}")
        self.replica = replica
        self.status = status


class ReplicaLost(Exception):  # noqa: N818 - as above
    """A replica was lost to a fault of the infrastructure, and is not restarted any more."""


@dataclass(eq=False)
class _Machine:
    """A replica at work."""

    process: asyncio.subprocess.Process
    folder: Path
    readers: list[asyncio.Task[None]]
    preempted: bool = False


@dataclass(eq=False)
class Run:
    """A job's processes, while it runs.

    Args:
        restart_job: Whether the loss of one replica restarts all.
    """

    restart_job: bool = False
    _machines: dict[str, _Machine] = field(default_factory=dict)
    _started: Changes = field(default_factory=Changes)

    def enter(self, replica: str, machine: _Machine) -> None:
        """Note that a replica has been started."""
        self._machines[replica] = machine
        self._started.notify()

    def leave(self, replica: str) -> None:
        """Note that a replica has ended."""
        del self._machines[replica]

    async def wait_started(self, replica: str) -> None:
        """Wait until a replica is at work."""
        while replica not in self._machines:
            await self._started.wait()

    def preempt(self, replica: str) -> bool:
        """Kill a replica as a fault of the infrastructure does; the runner starts it again.

        Args:
            replica: Its name.

        Returns:
            Whether there was such a process.
        """
        if replica not in self._machines:
            return False
        for name, machine in self._machines.items():
            if name == replica or self.restart_job:
                machine.preempted = True
                _signal_group(machine.process.pid, signal.SIGKILL)
        return True


class Runner:
    """Starts and ends the processes of all jobs.

    Args:
        log: Where the replicas' lines go.
        storage: Where buckets lie.
        images: Which local folder stands for which image.
        stop_grace_seconds: From SIGTERM to SIGKILL.
    """

    def __init__(
        self, log: LogBook, storage: Storage, images: Mapping[str, Path], stop_grace_seconds: float
    ) -> None:
        self._log = log
        self._storage = storage
        self._images = images
        self._grace = stop_grace_seconds
        self._watchdog: subprocess.Popen[str] | None = None
        self._work_folder = Path(tempfile.mkdtemp(prefix="vertex-emulator-jobs-"))

    def close(self) -> None:
        """Remove what the runner made. The jobs' processes must have ended."""
        if self._watchdog is not None:
            self._watchdog.communicate()
            self._watchdog = None
        shutil.rmtree(self._work_folder, ignore_errors=True)

    async def run(self, job: Job, run: Run, project_number: str) -> None:
        """Run a job to its end. When it is cancelled, it ends the processes first.

        The chief's end is the job's end, as on Vertex: the other replicas are ended then. If another replica
        fails before, the job has failed too.

        Args:
            job: The job.
            run: Is filled with the job's processes.
            project_number: The project's number, for the environment.

        Raises:
            ReplicaFailure: A replica ended with another status than 0.
            ReplicaLost: A replica was lost too often.
        """
        members = environment.replicas(job)
        if members[0].container.image_uri == SIMULATED_IMAGE:
            await _simulate(members[0])
            return
        addresses = environment.cluster_addresses(members)
        tasks: list[asyncio.Task[None]] = []
        for member in members:
            variables = environment.environment(job, member, addresses, self._storage, project_number)
            work = self._replica(job, run, member, variables)
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

    async def _replica(self, job: Job, run: Run, replica: Replica, variables: Mapping[str, str]) -> None:
        for _ in range(1 + _MAX_RESTARTS):
            machine = await self._start(job, replica, variables)
            run.enter(replica.name, machine)
            try:
                status = await machine.process.wait()
            finally:
                run.leave(replica.name)
                await self._end(machine)
            if not machine.preempted:
                break
            if job.message.job_spec.scheduling.disable_retries:
                raise ReplicaLost
            restarted = f"{replica.name} was lost to a fault of the infrastructure and is restarted."
            self._log.write_service(job.location.project, job.job_id, restarted, "WARNING")
        else:
            raise ReplicaLost
        if status != 0:
            raise ReplicaFailure(replica.name, 128 - status if status < 0 else status)

    async def _start(self, job: Job, replica: Replica, variables: Mapping[str, str]) -> _Machine:
        folder = Path(tempfile.mkdtemp(prefix=f"{job.job_id}-{replica.name}-", dir=self._work_folder))
        program, *arguments = environment.command(replica, self._storage)
        try:
            # A session of its own is a process group of its own: it can be ended with all that it started.
            process = await asyncio.create_subprocess_exec(
                program,
                *arguments,
                cwd=self._images.get(replica.container.image_uri, folder),
                env=variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._write(job, replica, f"failed to start {program!r}: {error.strerror}", "ERROR")
            shutil.rmtree(folder, ignore_errors=True)
            raise ReplicaFailure(replica.name, _CANNOT_START) from error
        self._tell_watchdog(f"+{process.pid}")
        readers = [
            asyncio.create_task(self._read(job, replica, stream, severity))
            for stream, severity in ((process.stdout, "INFO"), (process.stderr, "ERROR"))
            if stream is not None
        ]
        return _Machine(process, folder, readers)

    async def _end(self, machine: _Machine) -> None:
        """End what is left of a replica, as a container ends with its first process."""
        group = machine.process.pid
        try:
            if machine.process.returncode is None:
                _signal_group(group, signal.SIGTERM)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(machine.process.wait(), self._grace)
        finally:
            _signal_group(group, signal.SIGKILL)
        await machine.process.wait()
        self._tell_watchdog(f"-{group}")
        # A process that left its group can hold the pipes open: what it prints is not waited for.
        _, unfinished = await asyncio.wait(machine.readers, timeout=_DRAIN_SECONDS)
        for reader in unfinished:
            reader.cancel()
        shutil.rmtree(machine.folder, ignore_errors=True)

    async def _read(self, job: Job, replica: Replica, stream: asyncio.StreamReader, severity: str) -> None:
        rest = b""
        while chunk := await stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._write(job, replica, line.decode(errors="replace").rstrip("\r"), severity)
        if rest:
            self._write(job, replica, rest.decode(errors="replace"), severity)

    def _write(self, job: Job, replica: Replica, line: str, severity: str) -> None:
        self._log.write_line(job.location.project, job.job_id, replica.name, line, severity)

    def _tell_watchdog(self, line: str) -> None:
        if self._watchdog is None:
            # -I and -S: it needs nothing but the standard library, and has to be up quickly.
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(watchdog.__file__))],
                stdin=subprocess.PIPE,
                text=True,
                bufsize=1,
                start_new_session=True,
            )
        with suppress(
            BrokenPipeError
        ):  # somebody killed the watchdog: only the guard against a SIGKILL is gone
            print(line, file=self._watchdog.stdin, flush=True)


async def _simulate(chief: Replica) -> None:
    """Run no process; `args` are the seconds that it takes and the exit status."""
    seconds, status = [*chief.container.args, "0"][:2]
    await asyncio.sleep(float(seconds))
    if status != "0":
        raise ReplicaFailure(chief.name, int(status))


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(
        ProcessLookupError, PermissionError
    ):  # PermissionError: macOS's answer for a group of zombies
        os.killpg(group, number)

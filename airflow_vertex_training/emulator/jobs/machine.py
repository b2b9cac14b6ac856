"""A replica at work: a process group, what it prints, and its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.jobs.changes import Changes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_vertex_training.emulator.jobs.environment import Program

__all__ = ["Machine", "Run"]

_CHUNK = 65_536
_LONGEST_LINE = 200_000
"""Cloud Logging takes entries of up to 256 KB; a longer line is cut into several."""

_KEPT_LINES = 200
"""Enough for a traceback."""

_DRAIN_SECONDS = 2.0


@dataclass(eq=False)
class Machine:
    """A replica at work.

    Args:
        process: Its first process, the leader of a session of its own.
        folder: Its own folder, removed at its end.
        write: Takes its lines: text and severity.
    """

    process: asyncio.subprocess.Process
    folder: Path
    write: Callable[[str, str], None]
    preempted: bool = False
    out_of_memory: bool = False
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))
    _readers: list[asyncio.Task[None]] = field(default_factory=list)

    @classmethod
    async def start(cls, program: Program, folder: Path, write: Callable[[str, str], None]) -> Machine:
        """Start a program.

        Raises:
            OSError: It can't be started.
        """
        # A session of its own is a process group of its own: it can be ended with all that it started.
        process = await asyncio.create_subprocess_exec(
            *program.command,
            cwd=program.folder,
            env=program.variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        machine = cls(process, folder, write)
        for stream, severity in ((process.stdout, "INFO"), (process.stderr, "ERROR")):
            if stream is not None:
                machine._readers.append(asyncio.create_task(machine._read(stream, severity)))
        return machine

    @property
    def status(self) -> int:
        """Its exit status, as a container has it: 128 and the signal's number where a signal ended it."""
        status = self.process.returncode or 0
        return 128 - status if status < 0 else status

    def kill(self) -> None:
        """Kill its processes."""
        self._signal(signal.SIGKILL)

    async def end(self, grace: float) -> None:
        """End what is left of it, as a container ends with its first process.

        Args:
            grace: From SIGTERM to SIGKILL, in seconds.
        """
        try:
            if self.process.returncode is None:
                self._signal(signal.SIGTERM)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.process.wait(), grace)
        finally:
            self.kill()
        await self.process.wait()
        # A process that left its group can hold the pipes open: what it prints is not waited for.
        _, unfinished = await asyncio.wait(self._readers, timeout=_DRAIN_SECONDS)
        for reader in unfinished:
            reader.cancel()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(
            ProcessLookupError, PermissionError
        ):  # PermissionError: macOS's answer for a group of zombies
            os.killpg(self.process.pid, number)

    async def _read(self, stream: asyncio.StreamReader, severity: str) -> None:
        rest = b""
        while chunk := await stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._take(line, severity)
        if rest:
            self._take(rest, severity)

    def _take(self, line: bytes, severity: str) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        if severity == "ERROR":
            self.errors.append(text)
        self.write(text, severity)


@dataclass(eq=False)
class Run:
    """A job's processes, while it runs.

    Args:
        restart_job: Whether the loss of one replica restarts all.
    """

    restart_job: bool = False
    _machines: dict[str, Machine] = field(default_factory=dict)
    _started: Changes = field(default_factory=Changes)

    def enter(self, replica: str, machine: Machine) -> None:
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
                machine.kill()
        return True

    def run_out_of_memory(self, replica: str) -> None:
        """Kill a replica as the kernel does where a machine has no memory left."""
        machine = self._machines.get(replica)
        if machine is not None:
            machine.out_of_memory = True
            machine.kill()

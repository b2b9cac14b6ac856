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
from airflow_vertex_training.emulator.jobs.watchdog import kill_strays

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_vertex_training.emulator.jobs.environment import Program

__all__ = ["Machine", "Run"]

_CHUNK = 65_536
_LONGEST_LINE = 200_000
"""Cloud Logging takes entries of up to 256 KB; a longer line is cut into several."""

_LINES_AT_ONCE = 100
"""After so many lines others have their turn: a replica that prints without end delays no request."""

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
            ValueError: The system takes no such argument or variable.
        """
        outputs: list[_Output] = []
        try:
            outputs = [await _Output.open(severity) for severity in ("INFO", "ERROR")]
            # A session of its own is a process group of its own: it can be ended with all that it started.
            process = await asyncio.create_subprocess_exec(
                *program.command,
                cwd=program.folder,
                env=program.variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=outputs[0].end,
                stderr=outputs[1].end,
                start_new_session=True,
            )
        except BaseException:
            for output in outputs:
                output.transport.close()
            raise
        finally:
            for output in outputs:
                os.close(output.end)
        machine = cls(process, folder, write)
        machine._readers += [asyncio.create_task(machine._read(output)) for output in outputs]
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
        await asyncio.to_thread(kill_strays, str(self.folder))
        # Where strays can't be found, they can hold the pipes open: what they print is not waited for.
        _, unfinished = await asyncio.wait(self._readers, timeout=_DRAIN_SECONDS)
        for reader in unfinished:
            reader.cancel()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(
            ProcessLookupError, PermissionError
        ):  # PermissionError: macOS's answer for a group of zombies
            os.killpg(self.process.pid, number)

    async def _read(self, output: _Output) -> None:
        rest = b""
        try:
            while chunk := await output.stream.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for number, line in enumerate(lines, 1):
                    self._take(line, output.severity)
                    if not number % _LINES_AT_ONCE:
                        await asyncio.sleep(0)
            if rest:
                self._take(rest, output.severity)
        finally:
            output.transport.close()

    def _take(self, line: bytes, severity: str) -> None:
        for start in range(0, len(line) or 1, _LONGEST_LINE):
            text = line[start : start + _LONGEST_LINE].decode(errors="replace").rstrip("\r")
            if severity == "ERROR":
                self.errors.append(text)
            self.write(text, severity)


@dataclass(frozen=True)
class _Output:
    """A pipe that a replica prints to.

    asyncio's own pipes won't do: before Python 3.13 the wait for a process is also one for its pipes, and a
    process that the first one leaves behind holds them open.

    Args:
        severity: Of what is printed.
        stream: Reads it.
        transport: Of the end that is read.
        end: The descriptor that is printed to.
    """

    severity: str
    stream: asyncio.StreamReader
    transport: asyncio.BaseTransport
    end: int

    @classmethod
    async def open(cls, severity: str) -> _Output:
        """Make a pipe.

        Raises:
            OSError: Too many files are open.
        """
        reading, end = os.pipe()
        stream = asyncio.StreamReader(limit=_CHUNK)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", buffering=0)
        )
        return cls(severity, stream, transport, end)


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

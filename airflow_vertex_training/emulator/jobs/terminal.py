"""What the emulator says on its terminal of each job: its states, what it runs and where, and its lines."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import threading
from typing import TYPE_CHECKING

from airflow_vertex_training.emulator.jobs.failures import LINK_TO_LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.emulator.jobs.environment import Program
    from airflow_vertex_training.emulator.jobs.store import Job

__all__ = ["Terminal", "Writer"]

_MAX_WAITING = 10_000
_CLOSE_SECONDS = 2.0


class Terminal:
    """Tells what becomes of the jobs.

    Args:
        write: Takes a line; None says nothing.
    """

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write

    def state(self, job: Job) -> None:
        """Say in which state a job is now; for one that has failed also why."""
        if self._write is not None:
            text = job.state_name.removeprefix("JOB_STATE_")
            error = job.late_error[1] if job.late_error else job.message.error.message
            # The traceback has been on this terminal, and the link leads to a console that knows no such job.
            why = error.partition("\n")[0].partition(LINK_TO_LOG)[0].rstrip()
            self._write(f"{_name(job)}: {text}{': ' if why else ''}{why}")

    def started(self, job: Job, replica: str, program: Program) -> None:
        """Say what a replica runs, and where."""
        if self._write is not None:
            command = shlex.join(program.command)
            self._write(f"{_name(job)} {replica} runs in {program.folder}: {command}")

    def line(self, job: Job, replica: str, line: str) -> None:
        """Pass on what a replica printed."""
        if self._write is not None:
            self._write(f"{job.message.display_name} (...{job.job_id[-4:]}) {replica} | {line}")


def _name(job: Job) -> str:
    return f"{job.message.display_name} ({job.job_id})"


class Writer:
    """Writes lines in a thread: a terminal that stands still, or a pipe that nobody reads, stops no job.

    Lines that find too many before them are left out, and how many is said.

    Args:
        descriptor: Of the file to write to. Not a stream: its lock would stop the emulator's exit, too.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(_MAX_WAITING)
        self._left_out = 0
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Write a line, soon."""
        try:
            if self._left_out:
                self._lines.put_nowait(f"({self._left_out} lines were left out: this terminal is too slow)")
                self._left_out = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Write what is waiting, unless that takes too long."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_CLOSE_SECONDS)
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            rest = f"{line}\n".encode(errors="replace")
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                return  # it was closed

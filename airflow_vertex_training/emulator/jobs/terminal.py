"""What the emulator says on its terminal of each job: its states, what it runs and where, and its lines."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_vertex_training.emulator.jobs.environment import Program
    from airflow_vertex_training.emulator.jobs.store import Job

__all__ = ["Terminal"]


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
            error = job.late_error or (job.message.error.code, job.message.error.message)
            why = f": {error[1]}" if error[1] else ""
            self._write(f"{_name(job)}: {text}{why}")

    def started(self, job: Job, replica: str, program: Program) -> None:
        """Say what a replica runs, and where."""
        if self._write is not None:
            command = shlex.join(program.command)
            self._write(f"{_name(job)} {replica} runs in {program.folder}: {command}")

    def line(self, job: Job, replica: str, line: str) -> None:
        """Pass on what a replica printed."""
        if self._write is not None:
            self._write(f"{_name(job)} {replica} | {line}")


def _name(job: Job) -> str:
    return f"{job.message.display_name} ({job.job_id})"

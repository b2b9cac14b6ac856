"""Kills replicas that take more memory than they may, as the kernel does on a machine of Vertex's."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_vertex_training.emulator.jobs.machine import Machine

__all__ = ["MemoryGuard"]

_PROCESSES = Path("/proc")
_SECONDS = 0.25


class MemoryGuard:
    """Looks at all replicas again and again. A quick one can take more than the limit between two looks.

    Args:
        limit: How many bytes a replica's processes may have in memory together; None is no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._machines: set[Machine] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, machine: Machine) -> None:
        """Look at a replica from now on."""
        if self._limit is not None:
            self._machines.add(machine)
            if self._task is None:
                self._task = asyncio.create_task(self._look(self._limit))

    def remove(self, machine: Machine) -> None:
        """Look at it no more."""
        self._machines.discard(machine)
        if not self._machines and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _look(self, limit: int) -> None:
        while True:
            taken = await asyncio.to_thread(_resident_bytes)
            for machine in self._machines:
                if taken.get(machine.process.pid, 0) > limit and machine.process.returncode is None:
                    machine.out_of_memory = True
                    machine.kill()
            await asyncio.sleep(_SECONDS)


def _resident_bytes() -> dict[int, int]:
    """Return the memory of all processes, by the process id of their session's leader (man 5 proc)."""
    page = os.sysconf("SC_PAGE_SIZE")
    found: dict[int, int] = {}
    for folder in _PROCESSES.iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            session = int(fields[3])
            found[session] = found.get(session, 0) + int(fields[21]) * page
    return found

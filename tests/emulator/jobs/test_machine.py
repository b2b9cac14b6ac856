from __future__ import annotations

import asyncio
import os
import sys

from airflow_vertex_training.emulator.jobs.environment import Program
from airflow_vertex_training.emulator.jobs.machine import Machine

_LINES = 20_000
_AT_ONCE = 500
"""More than a turn's lines, and much less than a pipe holds."""


async def test_flood_of_lines_leaves_others_their_turn(tmp_path):
    """While a replica prints as fast as it can, the event loop turns every few hundred lines."""
    taken, most, seen = 0, 0, 0

    def take(_line: str, _severity: str) -> None:
        nonlocal taken
        taken += 1

    command = [sys.executable, "-c", f"print('x\\n' * {_LINES}, end='')"]
    machine = await Machine.start(Program(command, tmp_path, dict(os.environ)), tmp_path / "own", take)
    while taken < _LINES:
        await asyncio.sleep(0)
        most, seen = max(most, taken - seen), taken
    await machine.end(grace=0)
    assert most <= _AT_ONCE

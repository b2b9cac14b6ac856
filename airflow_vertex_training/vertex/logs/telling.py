"""A job's lines, on their way into a task's log, and where they got to."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.entries import SECOND, clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from airflow_vertex_training.vertex.logs.subscription import Batch, LastWords, Subscription

# Lines may be told for so many seconds after the position was kept: what came in until then may be told twice
# if the process is killed, and is marked.
_LEASE = 10.0


class Teller:
    """Logs a job's lines in the task that it is called in, and keeps where it is.

    The position is kept after each batch. A process that is killed between telling and keeping leaves lines
    that the next reader tells again. So that it can mark them, each position says until when lines may have
    been told after it; where that time is over, the position is kept anew before the next line is told.

    Args:
        log: the task's logger.
        keep: keeps a position where the next reader finds it; ``None``: there is no such place.
    """

    def __init__(self, log: Any, keep: Callable[[dict[str, Any]], Awaitable[None]] | None) -> None:
        self._log = log
        self._keep = keep
        self._until = 0.0

    async def tell(self, subscription: Subscription) -> None:
        """Log all lines of a subscription."""
        async for batch in subscription:
            await self.take(batch)

    async def take(self, batch: Batch) -> None:
        """Log the lines of a batch."""
        if time.time() > self._until:
            await self._save(batch.before)
        for line in batch.lines:
            self._log.log(line.level, "%s", line.text)
        await self._save(batch.position)

    async def _save(self, position: Mapping[str, Any]) -> None:
        if self._keep is None:
            return
        self._until = time.time() + _LEASE
        # Airflow 3.1's triggerer does not survive that a message to its supervisor is cut off.
        keeping = asyncio.ensure_future(self._keep({**position, "perhaps": int(self._until * SECOND)}))
        await asyncio.shield(keeping)


def going_on(position: Mapping[str, Any]) -> str:
    """Say where a reader goes on that begins at the position of another one."""
    if not position["until"]:
        return "Reading the job's log on: no line of it was shown before"
    marked = "(perhaps told before)"
    return (
        f"Reading the job's log on from {clock(int(position['until']))} UTC, after {position['lines']} "
        f"lines. What the last reader may have shown already is marked: {marked}"
    )


def last_lines(words: LastWords, replica: str, log: Any) -> None:
    """Log a failing replica's last lines, in one entry."""
    if words.lines:
        title = f"The last lines of {replica or 'the job'}:"
        log.error("%s", "\n".join([title, *words.lines]))

"""A job's lines, on their way into a task's log, and where they got to."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.entries import SECOND, clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from airflow_vertex_training.vertex.logs.subscription import Batch, Subscription

# Lines may be told for so many seconds after the position was kept: what came in until then may be told twice
# if the process is killed, and is marked.
_LEASE = 20.0


class Teller:
    """Logs a job's lines in the task that it is called in, and keeps where it is.

    The position is kept after each batch. A process that is killed between telling and keeping leaves lines
    that the next reader tells again. So that it can mark them, each position says until when lines may have
    been told after it; where that time is over, the position is kept anew before the next line is told.

    Args:
        log: the task's logger.
        keep: keeps a position where the next reader finds it; ``None``: there is no such place.
        position: where this reader began.
    """

    def __init__(
        self,
        log: Any,
        keep: Callable[[dict[str, Any]], Awaitable[None]] | None,
        position: Mapping[str, Any] | None = None,
    ) -> None:
        self._log = log
        self._keep = keep
        self._position = dict(position) if position else None
        self._until = 0.0
        self.lines = 0

    async def tell(self, subscription: Subscription) -> None:
        """Log all lines of a subscription."""
        async for batch in subscription:
            await self.take(batch)

    async def take(self, batch: Batch) -> None:
        """Log the lines of a batch."""
        if self._position is None:
            self._position = batch.before
        if time.time() > self._until:
            await self._save(self._position)
        for line in batch.lines:
            self._log.log(line.level, "%s", line.text)
        self.lines += len(batch.lines)
        self._position = batch.position
        await self._save(self._position)

    async def _save(self, position: Mapping[str, Any]) -> None:
        if self._keep is None:
            return
        self._until = time.time() + _LEASE
        # Airflow 3.1's triggerer does not survive that a message to its supervisor is cut off.
        keeping = asyncio.ensure_future(self._keep({**position, "perhaps": int(self._until * SECOND)}))
        await asyncio.shield(keeping)


def began_again(position: Mapping[str, Any]) -> str:
    """Say where a reader goes on that begins at a position."""
    until = clock(int(position["until"])) if position["until"] else None
    told = f"{position['lines']} lines were told before"
    return f"Reading the job's log on from {until} UTC; {told}" if until else "Reading the job's log"

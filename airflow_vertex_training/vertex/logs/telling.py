"""A job's lines, on their way into a task's log, and where they got to."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow_vertex_training.vertex.logs.channel import NO_CHANNEL
from airflow_vertex_training.vertex.logs.entries import SECOND, clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from airflow_vertex_training.vertex.logs.channel import LogChannel
    from airflow_vertex_training.vertex.logs.last_words import LastWords
    from airflow_vertex_training.vertex.logs.subscription import Batch, Subscription

# All positions of a process are kept so often a second: each is a write to Airflow's database.
_KEPT_PER_SECOND = 10.0
# Where each job can keep two positions in so many seconds, none is kept less often than it changes.
_TICK = 5.0
# With more, lines may be told for so many seconds after the position should have been kept again.
_LEASE = 10.0


class Teller:
    """Logs a job's lines in the task that it is called in, and keeps where it is.

    The position is kept before and after each batch; where many jobs print, less often. A process that is
    killed in between leaves lines that the next reader tells again. So that it can mark them, each position
    says of which lines that is: those that came in before a time.

    Args:
        log: the task's logger.
        keep: keeps a position where the next reader finds it; ``None``: there is no such place.
        channel: what the logger writes into. A position counts lines as told when they have left it: what is
            in there when a process is killed may be lost.
    """

    # How many tell at the moment, in this process.
    _telling = 0

    def __init__(
        self,
        log: Any,
        keep: Callable[[dict[str, Any]], Awaitable[None]] | None,
        channel: LogChannel = NO_CHANNEL,
    ) -> None:
        self._log = log
        self._keep = keep
        self._channel = channel
        self._until = 0.0
        self._kept_at = 0.0
        self._not_kept: Mapping[str, Any] | None = None
        self._has_failed = False
        self._turn = asyncio.Lock()

    async def tell(self, subscription: Subscription) -> None:
        """Log all lines of a subscription."""
        Teller._telling += 1
        self._turn = subscription.turn
        getting = asyncio.ensure_future(subscription.next())
        try:
            while True:
                timeout = None if self._not_kept is None else max(0.0, self._due - time.time())
                await asyncio.wait({getting}, timeout=timeout)
                if not getting.done():
                    await self._keep_up()
                elif (batch := getting.result()) is None:
                    break
                else:
                    getting = asyncio.ensure_future(subscription.next())
                    await self.take(batch)
            await self._keep_up()
        finally:
            Teller._telling -= 1
            getting.cancel()

    async def take(self, batch: Batch) -> None:
        """Log the lines of a batch."""
        if self._interval <= _TICK:
            # One job after the other: whenever the process is killed, the lines of only one are in between.
            async with self._turn:
                await self._save(batch.before, batch.received)
                await self._show(batch)
                await self._keep_up()
            return
        if time.time() > self._until:
            self._until = time.time() + self._interval + _LEASE
            await self._save(batch.before, int(self._until * SECOND))
        await self._show(batch)
        if time.time() >= self._due:
            await self._keep_up()

    async def _show(self, batch: Batch) -> None:
        for line in batch.lines:
            await self._channel.room()
            self._log.log(line.level, "%s", line.text)
        self._not_kept = batch.position

    @property
    def _due(self) -> float:
        return self._kept_at + self._interval

    @property
    def _interval(self) -> float:
        return 2 * Teller._telling / _KEPT_PER_SECOND

    async def _keep_up(self) -> None:
        if self._not_kept is not None:
            await self._channel.emptied()
            position, self._not_kept, self._until = self._not_kept, None, 0.0
            await self._save(position, 0)

    async def _save(self, position: Mapping[str, Any], perhaps: int) -> None:
        if self._keep is None:
            return
        self._kept_at = time.time()
        try:
            # Airflow 3.1's triggerer does not survive that a message to its supervisor is cut off.
            keeping = asyncio.ensure_future(self._keep({**position, "perhaps": perhaps}))
            await asyncio.shield(keeping)
        except Exception as error:  # noqa: BLE001 - the lines themselves are worth more
            if not self._has_failed:
                self._log.warning("Where the job's log was read to could not be kept: %r", error)
            self._has_failed = True


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

"""What a subscriber of a job's log gets: batches of lines, each with where the next reader begins."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing_extensions import Self

    from airflow_vertex_training.vertex.logs.followed import FollowedJob
    from airflow_vertex_training.vertex.logs.lines import Line


class Tail(Protocol):
    """Whom a subscription belongs to. Its subscribers tell their lines in turns."""

    turn: asyncio.Lock

    def end(self, subscription: Subscription) -> None:
        """Take in that the job has ended."""

    def leave(self, subscription: Subscription) -> None:
        """End the subscription."""


@dataclass(frozen=True)
class Batch:
    """Lines of one job.

    Args:
        lines: in the order in which they are to be told.
        position: where the next reader has to begin once they are told, as small JSON data.
        before: where it would have had to begin before.
        received: when the latest of the entries came in, in nanoseconds since 1970.
    """

    lines: list[Line]
    position: dict[str, Any]
    before: dict[str, Any]
    received: int


class Subscription:
    """The lines of one job, for one subscriber: an asynchronous iterator of batches, and a context manager.

    The iteration ends some time after ``end``: when the log was read to its end, or can't be.
    """

    def __init__(self, tail: Tail, job: FollowedJob) -> None:
        self.job = job
        self.queue: asyncio.Queue[Batch | Exception | None] = asyncio.Queue()
        self.turn = tail.turn
        self._tail = tail
        self._position = job.position()

    def put(self, lines: list[Line]) -> None:
        """Hand over lines."""
        before, self._position = self._position, self.job.position()
        self.queue.put_nowait(Batch(lines, self._position, before, self.job.received))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Read the job's log no more. Nothing is awaited: the subscriber may have been cancelled."""
        self._tail.leave(self)

    def end(self) -> None:
        """Say that the job has ended: what is late is read yet, then the iteration ends."""
        self._tail.end(self)

    async def next(self) -> Batch | None:
        """Return the next batch, ``None`` where there will be no more; raises what ended the reading."""
        batch = await self.queue.get()
        if isinstance(batch, Exception):
            raise batch
        return batch

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        batch = await self.next()
        if batch is None:
            raise StopAsyncIteration
        return batch

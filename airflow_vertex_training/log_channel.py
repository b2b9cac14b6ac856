"""A trigger's lines on their way into its task's log, which they can miss.

A triggerer's process hands lines to its supervisor by a socket. The supervisor reads one piece of it in each
pass of its loop. Lines that it has not read when a trigger ends go to the triggerer's own log, and those that
it has not read when it is killed are lost. So what has to be in the task's log waits here until it was read:
before a position is kept that counts lines as told, and before a trigger's event.

Nothing tells what was read. But a message to the supervisor is answered in a pass, so it has read a piece at
least: https://github.com/apache/airflow/blob/3.3.2/task-sdk/src/airflow/sdk/execution_time/supervisor.py
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# What Airflow's make_buffered_socket_reader reads at once, in bytes.
_PIECE = 4096
# A line is a JSON object with time, level, logger and place in the code, besides its text.
_RECORD_BYTES = 400
# States, the summary and warnings are not counted one by one.
_LAST_LINES = 10
# More is not told before it was read: a full socket would block the event loop. Linux takes some 200 kB, of
# which short lines fill less than half.
_MOST_UNREAD = 48 * 1024


class Socket:
    """What all triggers of a process have told, and how much of it was read at least, in bytes."""

    def __init__(self) -> None:
        self.told = 0
        self.read = 0

    def tell(self, text: str) -> None:
        """Take in that a line was told."""
        self.told += len(json.dumps(text)) + _RECORD_BYTES

    def was_passed(self) -> None:
        """Take in that the supervisor has made a pass."""
        self.read = min(self.told, self.read + _PIECE)


_SOCKET = Socket()


class LogChannel:
    """The way of one trigger's lines. Where the supervisor does not answer, nothing waits for it any more.

    Args:
        ask: asks the supervisor something, and returns when it was answered.
        socket: default that of this process.
    """

    def __init__(self, ask: Callable[[], Awaitable[object]], socket: Socket = _SOCKET) -> None:
        self._ask = ask
        self._socket = socket
        self._is_answered = True

    async def told(self, text: str) -> None:
        """Take in that a line was told; return when there is room for the next."""
        self._socket.tell(text)
        if self._socket.told - self._socket.read > _MOST_UNREAD:
            await self.read()

    async def read(self) -> None:
        """Return when all lines that were told so far were read."""
        told = self._socket.told
        while self._socket.read < told and self._is_answered:
            try:
                await self._ask()
            except Exception:  # noqa: BLE001 - the lines and the event are worth more than waiting for them
                self._is_answered = False
            self._socket.was_passed()

    async def end(self) -> None:
        """Return when all was read that the trigger has told, its last words on the job included."""
        for _ in range(_LAST_LINES):
            self._socket.tell("")
        await self.read()

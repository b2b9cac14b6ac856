"""The channel through which lines get from a logger into the logs of the tasks.

In Airflow's triggerer it is a socket. The process of the triggers writes all their lines into it; another
one, its supervisor, reads a small piece in each pass of its loop and looks into the database in between. Two
things follow:

- Once the supervisor hears that a trigger has ended, it puts those lines of it that it has not read yet into
  the triggerer's own log. So a trigger waits with its end until its lines were read.
- A full socket blocks the next one who writes, and so the event loop of all triggers. It is full with 50 kB
  of short lines. So who has many lines to tell waits while it is half full.

How much of a socket was not read yet Linux knows (``SIOCOUTQ``). Where nothing tells, nobody waits.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import socket
import sys
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["NO_CHANNEL", "LogChannel", "log_channel"]

# How often it is looked whether something was read, in seconds. A pass of the supervisor takes about as long.
_TICK = 0.02
# A socket is not waited for any longer that others write into faster than it is read, in seconds.
_PATIENCE = 30.0


class LogChannel:
    """What all triggers of a process write their lines into.

    Args:
        descriptor: of the socket; ``None``: there is none, and nobody waits.
        sleep: waits for some seconds.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        descriptor: int | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._descriptor = descriptor
        self._sleep = sleep
        self._clock = clock
        self._half = 0 if descriptor is None else _size(descriptor) // 2
        self._emptying = 0

    async def room(self) -> None:
        """Return when a line can be written that blocks nobody.

        Who waits for all to be read goes first: else many who write could keep one from its end.
        """
        while self._emptying or self._unread() > self._half:
            await self._sleep(_TICK)

    async def emptied(self) -> None:
        """Return when all that was written was read."""
        give_up = self._clock() + _PATIENCE
        self._emptying += 1
        try:
            while self._unread() and self._clock() < give_up:
                await self._sleep(_TICK)
        finally:
            self._emptying -= 1

    def _unread(self) -> int:
        """Return how much memory what was not read takes, which is more than its bytes; 0: nothing tells."""
        if self._descriptor is None:
            return 0
        try:
            answer = fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return int.from_bytes(answer, sys.byteorder)


NO_CHANNEL = LogChannel(None)
"""Lines are in the log as soon as they are told."""


@functools.cache
def log_channel(descriptor: int | None) -> LogChannel:
    """Return the one channel of a socket, for all who write into it."""
    return NO_CHANNEL if descriptor is None else LogChannel(descriptor)


def _size(descriptor: int) -> int:
    sock = socket.socket(fileno=descriptor)
    try:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    finally:
        # It is not ours to close.
        sock.detach()

"""A channel of an event loop, opened when it is needed, and again when its credentials were refused."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


class AsyncConnection:
    """A generated asynchronous client, opened late.

    Args:
        connect: opens a client.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self._connect = connect
        self._client: Any = None

    async def open(self, *, anew: bool = False) -> None:
        """Open the channel unless it is open; raises whatever ``connect`` raises.

        Args:
            anew: whether one that is open is replaced, say because its credentials were refused. Where no
                other can be opened, it serves on: what kept it from working may pass.
        """
        if self._client is None:
            self._client = await self._opened()
        elif anew:
            try:
                opened = await self._opened()
            except Exception as error:  # noqa: BLE001 - looking the connection up asks Airflow: anything can fail
                logger.warning("A connection could not be looked up anew, so it is used as it was: %r", error)
                return
            await self.close()
            self._client = opened

    async def close(self) -> None:
        """Close the channel."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await client.transport.close()

    async def _opened(self) -> Any:
        # Opening is left alone when this task is cancelled: it may be asking Airflow for the connection,
        # and the triggerer of Airflow 3.1 does not survive that such a question is cut off.
        opening = asyncio.ensure_future(self._connect())
        try:
            client = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        _keep_from_collector(type(client).__name__)
        return client


@functools.cache
def _keep_from_collector(_kind: str) -> None:
    """Leave what was loaded for a client out of the garbage collector's passes, once for each kind of client.

    A client library is some hundred thousand objects that live as long as the process. A full pass over them
    takes a tenth of a second, for which the event loop stands still. What else is there at that moment is
    left out, too: it goes with its last reference, as most objects do, and stays where it hangs in a cycle.
    """
    gc.freeze()


def _close_late(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and not opening.exception():
        closing = asyncio.ensure_future(opening.result().transport.close())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()

"""Waiting for something to change, as often as it does."""

from __future__ import annotations

import asyncio

__all__ = ["Changes"]


class Changes:
    """Wakes all who wait, each time; who waits from then on waits for the next time."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def notify(self) -> None:
        """Say that something has changed."""
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next change."""
        await self._next.wait()
